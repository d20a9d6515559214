//! Step-up: an irreversible act needs a recent sign-in, or the caller's password. Database round trips: none, and 1 to
//! check a password.
//!
//! The age of the sign-in is in the token, so a caller with a recent one costs nothing. Otherwise the rows to decide with
//! are read together with the caller.

use crate::domain::authz::step_up::{Act, is_recent};
use crate::domain::ids::UserId;
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::password::reauthenticate;
use crate::service::{Context, Error};
use crate::store::authz::grants;
use crate::store::password::credentials::{self, Account};
use crate::store::read::Read;

/// The age of the caller's sign-in.
#[derive(Clone)]
pub enum SignInAge {
    /// At most ten minutes, so no row is needed.
    Recent,
    /// More than ten minutes, or not in the token.
    Old {
        /// The caller's credentials; `None` if the account was erased.
        account: Option<Account>,
        /// Whether the user concerned administers a university or the platform. False where that does not matter.
        of_administrator: bool,
    },
}

/// The evidence with which a caller asks for an irreversible act.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// Read with the caller.
    pub age: &'a SignInAge,
    /// The `password` of the body. It is not checked unless it is needed.
    pub password: Option<&'a Password>,
}

/// Reads the evidence about a caller. `target` is the user concerned, if it matters whether that is an administrator.
#[must_use]
pub fn sign_in_age(ctx: &Context<'_>, subject: Subject, target: Option<UserId>) -> Reading<SignInAge> {
    read_age(ctx, subject, target).into()
}

/// The same, for use cases that combine it with a read of their own.
pub(in crate::service) fn read_age(ctx: &Context<'_>, subject: Subject, target: Option<UserId>) -> Read<SignInAge> {
    if is_recent(subject.auth_time, ctx.now()) {
        return Read::nothing().map(|()| SignInAge::Recent);
    }
    let account = credentials::by_id(subject.user_id);
    match target {
        None => account.map(|account| SignInAge::Old { account, of_administrator: false }),
        Some(id) => account
            .and(grants::is_administrator(id))
            .map(|(account, of_administrator)| SignInAge::Old { account, of_administrator }),
    }
}

/// Demands a recent sign-in or the right password, if the act is irreversible. Access is decided before.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED` without a password, `AUTH_INVALID_CREDENTIALS` with a wrong one; [`Error`] otherwise.
pub(in crate::service) async fn demand(
    ctx: &Context<'_>,
    caller: &Caller,
    act: Act,
    proof: Proof<'_>,
) -> Result<(), Error> {
    let SignInAge::Old { account, of_administrator } = proof.age else {
        return Ok(());
    };
    if !act.is_irreversible(*of_administrator) {
        return Ok(());
    }
    let password = proof.password.ok_or(Code::StepUpRequired)?;
    let account = account.as_ref().ok_or(Code::TokenInvalid)?;
    reauthenticate::step_up(ctx, caller, account, password).await
}
