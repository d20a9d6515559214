//! A proof as it is presented: the token of a link, or a flow and a code. Database round trips: 1, with a right or a wrong
//! code; none for a text that this service did not write.

use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::service::{Context, Error};
use crate::store::mail::proofs;
use crate::store::mail::proofs::{Form, PresentedProof, ProofRow};

/// The texts of a request.
#[allow(missing_docs, reason = "the variants and fields are the request's")]
pub enum ProofTexts {
    Link { token: Secret },
    Code { flow: Secret, code: Secret },
}

/// A valid proof, and the user whom it concerns.
pub(in crate::service) struct Proven {
    pub(in crate::service) proof: PresentedProof,
    pub(in crate::service) row: ProofRow,
}

/// Finds the id of the proof, of one of these purposes, and checks its text.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn identify(
    ctx: &Context<'_>,
    purposes: &[Purpose],
    texts: &ProofTexts,
) -> Result<PresentedProof, Error> {
    let keys = ProofKeys::derive(&ctx.settings.secret_keys);
    let form = if matches!(texts, ProofTexts::Link { .. }) { Form::Link } else { Form::Code };
    // A text says by its hash for which purpose it was made.
    let found = purposes.iter().find_map(|purpose| {
        let id = match texts {
            ProofTexts::Link { token } => keys.of_link(*purpose, token.expose()),
            ProofTexts::Code { flow, .. } => keys.of_flow(*purpose, flow.expose()),
        };
        id.map(|id| (*purpose, id))
    });
    let (purpose, id) = found.ok_or(Code::InvalidCredentials)?;
    if let ProofTexts::Code { code, .. } = texts
        && !keys.is_code(purpose, id, code.expose())
    {
        proofs::count_wrong_code(ctx.store, id, purpose, ctx.request).await?;
        tracing::warn!(target: "app.mail", purpose = purpose.as_str(), "Wrong code");
        return Err(Code::InvalidCredentials.into());
    }
    Ok(PresentedProof { id, purpose, form })
}

/// Finds the user of a proof. It is not used up: the statement that acts on it checks it again.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn valid(ctx: &Context<'_>, proof: PresentedProof) -> Result<Proven, Error> {
    let row = ctx.store.run(proofs::find(proof, ctx.now())).await?.ok_or(Code::InvalidCredentials)?;
    Ok(Proven { proof, row })
}

/// Finds a proof of one of these purposes, and its user.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub(in crate::service) async fn find(
    ctx: &Context<'_>,
    purposes: &[Purpose],
    texts: &ProofTexts,
) -> Result<Proven, Error> {
    valid(ctx, identify(ctx, purposes, texts).await?).await
}
