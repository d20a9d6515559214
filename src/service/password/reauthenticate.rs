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
use crate::store::password::credentials::{self, Account};

/// Checks the caller's password before an irreversible act. The check is repeated in a batch of its own, so that a right
/// guess among concurrent wrong ones is refused once they have begun a wait. Database round trips: 1.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn step_up(
    ctx: &Context<'_>,
    caller: &Caller,
    account: &Account,
    password: &Password,
) -> Result<(), Error> {
    let verified = reauthenticate(ctx, caller, account, password, EventType::StepUpRefused).await?;
    let session_id = caller.credential.session_id();
    if !credentials::confirm(ctx.store, verified, session_id, ctx.request).await? {
        return Err(Code::InvalidCredentials.into());
    }
    Ok(())
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
