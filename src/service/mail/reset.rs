//! A new password, by mail or by a link that an administrator handed over. Database round trips: 2; 1 for a link or a code that is not valid.

use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::service::mail::outbox;
use crate::service::mail::presented::{ProofTexts, Proven, find};
use crate::service::{Context, Error};
use crate::store::mail::reset;

/// Sets a new password for the owner of an address. All sessions end, and the client signs in with the new password.
///
/// The proof is checked before the password is hashed, so that a wrong one costs no hash, and again with the change.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn reset(ctx: &Context<'_>, texts: &ProofTexts, new: &Password) -> Result<(), Error> {
    let Proven { proof, row } = find(ctx, purpose_of(ctx, texts), texts).await?;
    let new_hash = ctx.hash(new).await?;
    let notice = outbox::notice(ctx, Kind::PasswordChanged)?;
    let done = reset::reset(ctx.store, proof, row.user_id, &new_hash, notice, ctx.request).await?;
    let mail = done.ok_or(Code::InvalidCredentials)?;
    tracing::info!(target: "app.auth", user_id = row.user_id.get(), "Password reset");
    outbox::send_behind_response(ctx, mail);
    Ok(())
}

/// A token says by its hash for which purpose it was made.
fn purpose_of(ctx: &Context<'_>, texts: &ProofTexts) -> Purpose {
    let is_handed_over = |token: &Secret| {
        ProofKeys::derive(&ctx.settings.secret_keys).of_link(Purpose::HandOver, token.expose()).is_some()
    };
    match texts {
        ProofTexts::Link { token } if is_handed_over(token) => Purpose::HandOver,
        ProofTexts::Link { .. } | ProofTexts::Code { .. } => Purpose::Reset,
    }
}
