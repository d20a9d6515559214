//! The mailed code that joins an identity to the account of its address, or makes one. Database round trips: 2; 1 for a wrong
//! code, none for a flow that is not ours.

use crate::domain::federation::decision::decide_after_code;
use crate::domain::federation::sealed::SealedAssertion;
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::service::federation::opening::{Arriving, open};
use crate::service::federation::seal::{self, unseal};
use crate::service::federation::start::{provider, settings};
use crate::service::keys::signing;
use crate::service::session::sign_in::SignIn;
use crate::service::{Context, Error};
use crate::store::federation::facts;
use crate::store::federation::flows::Evidence;
use crate::store::mail::proofs;

/// The flow of an exchange that mailed a code, and the code.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Confirmation {
    pub flow: Secret,
    pub code: Secret,
    pub invitation: Option<Secret>,
}

/// Signs the owner of the address in, whose identity is linked from now on.
///
/// # Errors
/// `NOT_FOUND` where federation is off; `AUTH_INVALID_CREDENTIALS`; `AUTH_INACTIVE_USER`; `FORBIDDEN` if registration is closed;
/// [`Error`] otherwise.
pub async fn confirm(ctx: &Context<'_>, command: &Confirmation) -> Result<SignIn, Error> {
    settings(ctx)?;
    let sealed = unseal(ctx, seal::MAILED, &command.flow).await.ok_or(Code::InvalidCredentials)?;
    let SealedAssertion { proof_id: Some(proof_id), assertion, .. } = &sealed else {
        return Err(Code::InvalidCredentials.into());
    };
    let (_, provider) = provider(ctx, &sealed.provider).map_err(|_| Code::InvalidCredentials)?;
    let keys = ProofKeys::derive(&ctx.settings.secret_keys);
    if !keys.is_code(Purpose::Federate, *proof_id, command.code.expose()) {
        proofs::count_wrong_code(ctx.store, *proof_id, Purpose::Federate, ctx.request).await?;
        tracing::warn!(target: "app.mail", purpose = Purpose::Federate.as_str(), "Wrong code");
        return Err(Code::InvalidCredentials.into());
    }
    signing::prepare(ctx).await?;
    let found = facts::find_with_code(ctx.store, assertion, *proof_id, ctx.request).await?;
    let found = found.ok_or(Code::InvalidCredentials)?;
    let (linked, holder) = found;
    let evidence = Evidence::MailedCode(*proof_id);
    let arriving = Arriving { provider, assertion, evidence, invitation: command.invitation.as_ref() };
    open(ctx, arriving, decide_after_code(linked, holder), found).await
}
