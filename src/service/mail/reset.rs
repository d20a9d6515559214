//! A new password, by mail or by a link that an administrator handed over. Database round trips: 2; 1 for a link or a code that is not valid.

use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::Purpose;
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::service::mail::outbox;
use crate::service::mail::presented::{ProofTexts, Proven, find};
use crate::service::{Context, Error};
use crate::store::factor::review::FactorReview;
use crate::store::mail::reset;
use crate::store::mail::reset::PasswordReset;

/// Sets a new password for the owner of an address. All sessions end, and the client signs in with the new password and the
/// second factor. Factors younger than 7 days are suspended; the review lists all.
///
/// The proof is checked before the password is hashed, so that a wrong one costs no hash, and again with the change.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn reset(ctx: &Context<'_>, texts: &ProofTexts, new: &Password) -> Result<FactorReview, Error> {
    let Proven { proof, row } = find(ctx, &[Purpose::Reset, Purpose::HandOver], texts).await?;
    let new_hash = ctx.hash(new).await?;
    let notice = outbox::notice(ctx, Kind::PasswordChanged)?;
    let done = reset::reset(ctx.store, proof, row.user_id, &new_hash, notice, ctx.request).await?;
    let PasswordReset { notice, review } = done.ok_or(Code::InvalidCredentials)?;
    tracing::info!(target: "app.auth", user_id = row.user_id.get(), "Password reset");
    outbox::send_behind_response(ctx, notice);
    Ok(review)
}
