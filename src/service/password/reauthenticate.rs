//! Asking a signed-in user for the password again, before a change that a stolen access token must not allow.
//!
//! Failures have a throttle of their own, so guesses at sign-in do not keep the owner from changing the password.

use crate::domain::audit::EventType;
use crate::domain::limits::standing::{Counter, Standing};
use crate::domain::password::Password;
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::problem::Code;
use crate::service::authz::caller::Caller;
use crate::service::password::verify::verify_password;
use crate::service::{Context, Error};
use crate::store::Store;
use crate::store::password::confirmation::{self, Confirmation};
use crate::store::password::credentials::Account;

/// Checks the caller's password before an irreversible act, and returns the database for the act, which confirms it. A wrong
/// one takes as many round trips as a right one that does not hold any more. Database round trips: 0, and 2 for a refusal.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn confirming(
    ctx: &Context<'_>,
    caller: &Caller,
    account: &Account,
    password: &Password,
) -> Result<Store, Error> {
    match reauthenticate(ctx, caller, account, password, EventType::StepUpRefused).await {
        Ok(verified) => {
            let confirmation = Confirmation { verified, session_id: caller.credential.session_id() };
            Ok(confirmation::confirming(ctx.store, confirmation, ctx.request))
        }
        Err(refused) => {
            if refused.code() == Some(Code::InvalidCredentials) {
                confirmation::wait_as_overtaken(ctx.store).await?;
            }
            Err(refused)
        }
    }
}

/// Checks the caller's password. Database round trips: 0, and 1 for a refusal.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn reauthenticate(
    ctx: &Context<'_>,
    caller: &Caller,
    account: &Account,
    password: &Password,
    refused_as: EventType,
) -> Result<VerifiedPassword, Error> {
    let counter = Counter::of_reauthentication(caller.user.id);
    let standing = Standing { counter, is_blocked: account.throttle.is_blocked(ctx.now()) };
    let session_id = caller.credential.session_id();
    Ok(verify_password(ctx, Some(&account.credentials), &standing, password, refused_as, session_id).await?.password)
}
