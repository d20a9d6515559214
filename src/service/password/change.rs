//! A new password. Database round trips: 2, after the caller's.

use crate::domain::audit::EventType;
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::service::authz::caller::Caller;
use crate::service::password::reauthenticate::prove;
use crate::service::{Context, Error};
use crate::store::password::credentials;

/// Changes the caller's password and ends all their other sessions.
///
/// The old password is asked for although the caller is signed in: who finds an open laptop, or a token, must
/// not be able to take the account over. Wrong ones are throttled like those at sign-in, by a count of their own. A request repeated
/// after a lost answer is told `AUTH_INVALID_CREDENTIALS`, since the old password is no longer the password.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn change_password(
    ctx: &Context<'_>,
    caller: &Caller,
    current: &Password,
    new: &Password,
) -> Result<(), Error> {
    // First, and for every attempt: hashed after the proof, and after another turn, it would tell by the time of a refusal
    // that the password was right.
    let new_hash = ctx.hash(new).await?;
    let account = credentials::by_id(ctx.store, caller.user.id).await?.ok_or(Code::TokenInvalid)?;
    let proven = prove(ctx, &account, current, EventType::PasswordChangeRefused, Some(caller.session_id)).await?;
    if !credentials::change_password(ctx.store, proven.user, &new_hash, caller.session_id, ctx.request).await? {
        return Err(Code::InvalidCredentials.into());
    }
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Password changed");
    Ok(())
}
