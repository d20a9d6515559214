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
use crate::store::password::credentials;

/// Checks the caller's password. Database round trips: 1, and 1 more for a refusal.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; `AUTH_TOKEN_INVALID` if the account was erased concurrently; [`Error`] otherwise.
pub(in crate::service) async fn reauthenticate(
    ctx: &Context<'_>,
    caller: &Caller,
    password: &Password,
    refused_as: EventType,
) -> Result<VerifiedPassword, Error> {
    let user_id = caller.user.id;
    let (user, throttle) = credentials::by_id(ctx.store, user_id).await?.ok_or(Code::TokenInvalid)?;
    let counter = Counter::of_reauthentication(user_id);
    let standing = Standing { counter, is_blocked: throttle.is_blocked(ctx.now()) };
    let session_id = caller.credential.session_id();
    Ok(verify_password(ctx, Some(&user), &standing, password, refused_as, session_id).await?.password)
}
