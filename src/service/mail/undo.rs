//! Taking an account back with the link of a notice. Database round trips: 2; 1 for a link that is not valid.

use crate::domain::mail::proof::Purpose;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::service::mail::asking::settings;
use crate::service::mail::presented::{ProofTexts, Proven, find};
use crate::service::{Context, Error};
use crate::store::mail::undo;

/// Ends all sessions, withdraws the API keys, and makes the password unusable until a reset. An undo brings the former
/// address back, too.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND` without mail; [`Error`] otherwise.
pub async fn take_back(ctx: &Context<'_>, purpose: Purpose, token: Secret) -> Result<(), Error> {
    settings(ctx)?;
    let Proven { proof, row } = find(ctx, &[purpose], &ProofTexts::Link { token }).await?;
    let new_hash = ctx.hash_of_no_password()?;
    if !undo::take_back(ctx.store, proof, row.user_id, &new_hash, ctx.request).await? {
        return Err(Code::InvalidCredentials.into());
    }
    tracing::info!(target: "app.auth", user_id = row.user_id.get(), purpose = purpose.as_str(), "Account taken back");
    Ok(())
}
