//! Proving that the address of an account belongs to its owner. Database round trips: 2; 3 with a password.
//!
//! A mail proves that its reader has the mailbox, and not that the reader has the account: a stranger may have registered
//! the address. So the link needs something of the account beside it.

use crate::domain::account::email::Email;
use crate::domain::ids::UserId;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::{ProofKeys, Purpose};
use crate::domain::password::Password;
use crate::domain::problem::Code;
use crate::domain::secret::Secret;
use crate::service::account::pending;
use crate::service::authz::caller::Caller;
use crate::service::mail::asking::settings;
use crate::service::mail::outbox;
use crate::service::mail::presented::{ProofTexts, Proven, identify, valid};
use crate::service::password::verify::{Door, verify_at_sign_in};
use crate::service::{Context, Error, attribution};
use crate::store::mail::address;
use crate::store::mail::address::AddressChanged;
use crate::store::mail::proofs;
use crate::store::mail::proofs::{Form, PresentedProof};
use crate::store::mail::verification;

/// A proof of the address, and evidence that the account is the client's.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Verification {
    pub proof: ProofTexts,
    /// The flow of the registration, beside a link.
    pub flow: Option<Secret>,
    pub password: Option<Password>,
}

/// Notes that the address of an account is proven, or makes the account of a registration. Returns the address. A new address becomes
/// that of the account.
///
/// # Errors
/// `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND` without mail; [`Error`] otherwise.
pub async fn verify(ctx: &Context<'_>, caller: Option<&Caller>, command: &Verification) -> Result<String, Error> {
    settings(ctx)?;
    let presented =
        identify(ctx, &[Purpose::Verify, Purpose::ChangeAddress, Purpose::Register], &command.proof).await?;
    if presented.purpose == Purpose::Register {
        return pending::complete(ctx, presented, command.flow.as_ref(), command.password.as_ref()).await;
    }
    let proven = valid(ctx, presented).await?;
    let user_id = proven.row.user_id;
    attribution::note_user(user_id);
    if !is_of_owner(ctx, caller, command, &proven).await? {
        return Err(Code::InvalidCredentials.into());
    }
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

async fn is_of_owner(
    ctx: &Context<'_>,
    caller: Option<&Caller>,
    command: &Verification,
    proven: &Proven,
) -> Result<bool, Error> {
    let user_id = proven.row.user_id;
    if caller.is_some_and(|caller| caller.user.id == user_id) {
        return Ok(true);
    }
    // With a code, the flow is that of the proof.
    if proven.proof.form == Form::Code && proven.row.is_of_owner {
        return Ok(true);
    }
    if let Some(flow) = &command.flow
        && is_flow_of(ctx, proven.proof.purpose, flow, user_id).await?
    {
        return Ok(true);
    }
    match &command.password {
        // With the throttle of sign-ins. A wrong one is `AUTH_INVALID_CREDENTIALS`.
        Some(password) => {
            let attempt =
                verify_at_sign_in(ctx, &Email::stored(&proven.row.address), password, None, Door::Proof).await?;
            Ok(attempt.verified.password.user_id == user_id)
        }
        None => Ok(false),
    }
}

/// Is it the flow of a proof that the owner asked for, perhaps an earlier one than the link's?
async fn is_flow_of(ctx: &Context<'_>, purpose: Purpose, flow: &Secret, user_id: UserId) -> Result<bool, Error> {
    let Some(id) = ProofKeys::derive(&ctx.settings.secret_keys).of_flow(purpose, flow.expose()) else {
        return Ok(false);
    };
    let proof = PresentedProof { id, purpose, form: Form::Link };
    let row = proofs::find(ctx.store, proof, ctx.now()).await?;
    Ok(row.is_some_and(|row| row.is_of_owner && row.user_id == user_id))
}
