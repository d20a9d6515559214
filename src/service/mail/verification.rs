//! Proving that the address of an account belongs to its owner. Database round trips: 2, with the caller's.
//!
//! A mail proves that its reader has the mailbox, and not that the reader has the account: a stranger may have registered
//! the address. So the link needs something of the account beside it.

use crate::domain::limits::storage::Growth;
use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::service::account::pending;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::mail::asking::settings;
use crate::service::mail::outbox;
use crate::service::mail::presented::{ProofTexts, Proven, identify};
use crate::service::password::verify::check_at_sign_in;
use crate::service::{Context, Error, attribution};
use crate::store::mail::address;
use crate::store::mail::address::AddressChanged;
use crate::store::mail::proofs;
use crate::store::mail::proofs::{Form, OwnProof, PresentedProof};
use crate::store::mail::verification;
use crate::store::password::credentials;
use crate::store::read::Read;

/// A proof of the address, and evidence that the account is the client's.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Verification {
    pub proof: ProofTexts,
    /// The flow of the registration, beside a link.
    pub flow: Option<Secret>,
    pub password: Option<Password>,
}

/// Reads the proofs of the caller, if there is one.
#[must_use]
pub fn own_proofs(ctx: &Context<'_>, subject: Option<Subject>) -> Reading<Vec<OwnProof>> {
    match subject {
        Some(subject) => proofs::of_user(subject.user_id, ctx.now()).into(),
        None => Reading::nothing().map(|()| Vec::new()),
    }
}

/// Notes that the address of an account is proven, or makes the account of a registration. Returns the address. A new address becomes
/// that of the account. `own` are the proofs of the caller.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND` without mail; [`Error`] otherwise.
pub async fn verify(
    ctx: &Context<'_>,
    caller: Option<&Caller>,
    own: &[OwnProof],
    command: &Verification,
) -> Result<String, Error> {
    settings(ctx)?;
    let proof = identify(ctx, &[Purpose::Verify, Purpose::ChangeAddress, Purpose::Register], &command.proof).await?;
    if proof.purpose == Purpose::Register {
        return pending::complete(ctx, proof, command.flow.as_ref(), command.password.as_ref()).await;
    }
    // The token of the owner is evidence enough. The statement that acts asks whether the proof is valid.
    let proven = match own.iter().find(|own| own.id == proof.id) {
        Some(OwnProof { row, .. }) => Proven { proof, row: row.clone() },
        None => with_evidence(ctx, caller, proof, command).await?,
    };
    let user_id = proven.row.user_id;
    let Some(new_address) = proven.row.new_address else {
        if !verification::verify(ctx.store, proven.proof, user_id, ctx.request).await? {
            return Err(Code::InvalidCredentials.into());
        }
        tracing::info!(target: "app.auth", user_id = user_id.get(), "Address verified");
        return Ok(proven.row.address);
    };
    ctx.admit_growth(Growth::Mail)?;
    let kind = if proven.row.is_final { Kind::EmailMoved } else { Kind::EmailChanged };
    let notice = outbox::draw_notice(ctx, kind)?;
    let changed = address::change(ctx.store, proven.proof, user_id, &new_address, notice, ctx.request).await?;
    let AddressChanged { notice } = changed.ok_or(Code::InvalidCredentials)?;
    tracing::info!(target: "app.auth", user_id = user_id.get(), "Address changed");
    outbox::send_behind_response(ctx, notice);
    Ok(new_address)
}

/// Finds a proof, with evidence that its account is the client's: one read has the proof, and the rows that the evidence needs.
async fn with_evidence(
    ctx: &Context<'_>,
    caller: Option<&Caller>,
    proof: PresentedProof,
    command: &Verification,
) -> Result<Proven, Error> {
    let flow = command.flow.as_ref().and_then(|flow| {
        let id = ProofKeys::derive(&ctx.settings.secret_keys).of_flow(proof.purpose, flow.expose())?;
        Some(PresentedProof { id, purpose: proof.purpose, form: Form::Link })
    });
    let of_flow = flow.map_or_else(absent, |flow| proofs::find(flow, ctx.now()));
    let account = command.password.as_ref().map_or_else(absent, |_| credentials::by_proof(proof.id, ctx.now()));
    let read = proofs::find(proof, ctx.now()).and(of_flow).and(account);
    let ((row, of_flow), account) = ctx.store.run(read).await?;
    let row = row.ok_or(Code::InvalidCredentials)?;
    let user_id = row.user_id;
    attribution::note_user(user_id);
    // With a code, the flow is that of the proof. Beside a link, it may be that of an earlier request of the owner.
    let is_flow_of_owner = (proof.form == Form::Code && row.is_of_owner)
        || of_flow.is_some_and(|row| row.is_of_owner && row.user_id == user_id);
    let is_of_owner = caller.is_some_and(|caller| caller.user.id == user_id)
        || is_flow_of_owner
        || match (&command.password, account) {
            // With the throttle of sign-ins. A wrong one is `AUTH_INVALID_CREDENTIALS`.
            (Some(password), Some(account)) => {
                let attempt = check_at_sign_in(ctx, &account, password, None, None).await?;
                attempt.verified.password.user_id == user_id
            }
            _ => false,
        };
    if is_of_owner { Ok(Proven { proof, row }) } else { Err(Code::InvalidCredentials.into()) }
}

fn absent<T: 'static>() -> Read<Option<T>> {
    Read::nothing().map(|()| None)
}
