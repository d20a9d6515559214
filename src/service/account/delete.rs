//! The end of an account, on its owner's wish. Database round trips: 2, after the caller's.

use crate::domain::audit::EventType;
use crate::domain::password::Password;
use crate::domain::problem::{Code, Problem};
use crate::service::authz::caller::Caller;
use crate::service::password::reauthenticate::prove;
use crate::service::{Context, Error};
use crate::store::account::erasure;
use crate::store::account::erasure::{ErasedBy, ErasureOutcome};
use crate::store::password::credentials;

/// What a last administrator is told.
pub(in crate::service) const SOLE_ADMINISTRATOR: &str = "The last administrator cannot be removed";

/// Erases the caller: account, sessions, tokens; audit events keep the id only.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; `CONFLICT` for the last administrator of something; [`Error`] otherwise.
pub async fn delete_account(ctx: &Context<'_>, caller: &Caller, password: &Password) -> Result<(), Error> {
    let account = credentials::by_id(ctx.store, caller.user.id).await?.ok_or(Code::TokenInvalid)?;
    let proven = prove(ctx, &account, password, EventType::DeletionRefused, Some(caller.session_id)).await?;
    match erasure::erase(ctx.store, caller.user.id, ErasedBy::Owner(proven.user), ctx.request).await? {
        ErasureOutcome::Erased => {}
        ErasureOutcome::SoleAdministrator => return Err(Error::Refused(Problem::conflict(SOLE_ADMINISTRATOR))),
        ErasureOutcome::Nothing => return Err(Code::InvalidCredentials.into()),
    }
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Account deleted");
    Ok(())
}
