//! Deletion of an account by its owner. Database round trips: 1, after the caller's, which
//! reads the credentials too.

use crate::domain::audit::EventType;
use crate::domain::mail::letter::Kind;
use crate::domain::password::Password;
use crate::domain::problem::{Code, Problem};
use crate::service::authz::caller::Caller;
use crate::service::authz::step_up::OwnAccount;
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::account::erasure;
use crate::store::account::erasure::{ErasedBy, ErasureOutcome};

/// The message of the `CONFLICT` that protects the last administrator.
pub(in crate::service) const SOLE_ADMINISTRATOR: &str = "The last administrator cannot be removed";

/// Erases the caller's account, sessions and tokens; audit events keep only the user's id.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `CONFLICT` for the last administrator of something; [`Error`] otherwise.
pub async fn delete_account(
    ctx: &Context<'_>,
    caller: &Caller,
    own: &OwnAccount,
    password: Option<&Password>,
) -> Result<(), Error> {
    let verified = own.prove(ctx, caller, password, EventType::DeletionRefused).await?;
    let session_id = caller.credential.session_id().ok_or(Code::TokenInvalid)?;
    let notice = outbox::notice(ctx, Kind::AccountErased)?;
    match erasure::erase(ctx.store, caller.user.id, ErasedBy::Owner(verified, session_id), notice, ctx.request).await? {
        ErasureOutcome::Erased(mail) => outbox::send_behind_response(ctx, mail),
        ErasureOutcome::SoleAdministrator => return Err(Problem::conflict(SOLE_ADMINISTRATOR).into()),
        ErasureOutcome::Nothing | ErasureOutcome::ActorNotAllowed => return Err(Code::InvalidCredentials.into()),
    }
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Account deleted");
    Ok(())
}
