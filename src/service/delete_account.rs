//! The end of an account, on its owner's wish. Database round trips: 2, after the caller's.

use super::caller::Caller;
use super::proof::prove;
use super::{Context, Error};
use crate::domain::audit::EventType;
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::store::{credentials, erasure};

/// Erases the caller: account, sessions, tokens; audit events keep the id only.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn delete_account(ctx: &Context<'_>, caller: &Caller, password: &Password) -> Result<(), Error> {
    let account = credentials::by_id(ctx.store, caller.user.id).await?.ok_or(Code::TokenInvalid)?;
    let proven = prove(ctx, &account, password, EventType::DeletionRefused).await?;
    if !erasure::erase(ctx.store, proven.user, ctx.origin).await? {
        return Err(Code::InvalidCredentials.into());
    }
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Account deleted");
    Ok(())
}
