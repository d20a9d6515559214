//! A new password. Database round trips: 2, after the caller's.

use super::caller::Caller;
use super::proof::prove;
use super::{Context, Error};
use crate::domain::audit::EventType;
use crate::domain::common_password::{GUESSABLE, is_guessable_from};
use crate::domain::password::Password;
use crate::domain::problem::{Code, Fault, FaultKind, Problem};
use crate::store::credentials;

/// Changes the caller's password and ends all their other sessions.
///
/// The old password is asked for although the caller is signed in: who finds an open laptop, or a token, must
/// not be able to take the account over. A wrong one counts like a wrong one at sign-in. A request repeated
/// after a lost answer is told `AUTH_INVALID_CREDENTIALS`, since the old password is no longer the password.
///
/// # Errors
/// `VALIDATION_ERROR` for a new password that the account's address or the service's name suggests;
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn change_password(
    ctx: &Context<'_>,
    caller: &Caller,
    current: &Password,
    new: &Password,
) -> Result<(), Error> {
    let app_name = &ctx.settings.presentation.app_name;
    if is_guessable_from(new, &caller.user.email, app_name, ctx.normalize) {
        let fault = Fault::of("new_password", FaultKind::PasswordCommon, GUESSABLE);
        return Err(Error::Refused(Problem::validation(vec![fault])));
    }
    let account = credentials::by_id(ctx.store, caller.user.id).await?.ok_or(Code::TokenInvalid)?;
    let proven = prove(ctx, &account, current, EventType::PasswordChangeRefused).await?;
    let new_hash = ctx.hash(new)?;
    if !credentials::change_password(ctx.store, proven.user, &new_hash, caller.session_id, ctx.origin).await? {
        return Err(Code::InvalidCredentials.into());
    }
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Password changed");
    Ok(())
}
