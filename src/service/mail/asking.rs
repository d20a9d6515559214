//! Asking for a mail with a proof of an address. Database round trips: 1, and 1 behind the response.

use crate::domain::account::email::Email;
use crate::domain::ids::{MailId, ProofId};
use crate::domain::limits::storage::Growth;
use crate::domain::mail::limits;
use crate::domain::mail::limits::Count;
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::domain::settings::MailSettings;
use crate::service::mail::outbox::send_behind_response;
use crate::service::{Context, Error};
use crate::store::mail::counts::Asking;
use crate::store::mail::proofs;
use crate::store::mail::proofs::NewProof;

/// The settings of mail.
///
/// # Errors
/// `NOT_FOUND` in a deployment that sends none.
pub(in crate::service) fn settings<'a>(ctx: &Context<'a>) -> Result<&'a MailSettings, Error> {
    ctx.settings.mail.as_deref().ok_or_else(|| Code::NotFound.into())
}

/// The same, in a deployment in which mails may have this purpose.
///
/// # Errors
/// `NOT_FOUND`.
pub(in crate::service) fn settings_for<'a>(ctx: &Context<'a>, purpose: Purpose) -> Result<&'a MailSettings, Error> {
    let settings = settings(ctx)?;
    if purpose == Purpose::SignIn && !settings.signs_in_by_code {
        return Err(Code::NotFound.into());
    }
    Ok(settings)
}

/// The counts of a mail.
pub(in crate::service) fn counts(
    ctx: &Context<'_>,
    settings: &MailSettings,
    purpose: Purpose,
    email: &Email,
) -> [Count; 4] {
    limits::counts(ctx.request.key, email, &ctx.request.peer.network(), purpose, settings.per_hour)
}

/// Draws the ids of a proof and its mail.
pub(in crate::service) fn draw(ctx: &Context<'_>, purpose: Purpose, is_of_owner: bool) -> Result<NewProof, Error> {
    let (id, mail_id) = (ProofId::from_random(ctx.random()?), MailId::from_random(ctx.random()?));
    Ok(NewProof { id, mail_id, purpose, is_of_owner })
}

/// The flow of a proof, for the client that asked.
pub(in crate::service) fn flow(ctx: &Context<'_>, proof: NewProof) -> Secret {
    ProofKeys::derive(&ctx.settings.secret_keys).flow(proof.purpose, proof.id)
}

/// Sends a mail to the address, if it has an account that the purpose concerns and the limits admit it. The answer, the
/// statements and the rows that they write are the same in every case; without a mail, the flow leads nowhere.
///
/// # Errors
/// `NOT_FOUND` without mail; [`Error`] otherwise.
pub async fn ask(ctx: &Context<'_>, purpose: Purpose, email: &Email, is_of_owner: bool) -> Result<Secret, Error> {
    let settings = settings_for(ctx, purpose)?;
    ctx.admit_growth(Growth::Mail)?;
    let proof = draw(ctx, purpose, is_of_owner)?;
    let counts = counts(ctx, settings, purpose, email);
    let mail = proofs::ask(ctx.store, proof, Asking { email, purpose, counts: &counts }, ctx.request).await?;
    let is_admitted = mail.is_some();
    tracing::info!(target: "app.mail", kind = purpose.as_str(), is_admitted, "Mail asked for");
    send_behind_response(ctx, mail);
    Ok(flow(ctx, proof))
}
