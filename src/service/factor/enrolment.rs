//! The conditions of every new second factor, and recovery codes. Database round trips after the caller's: 1 for new codes;
//! none for the list.

use crate::domain::account::email::Email;
use crate::domain::authz::step_up::Act;
use crate::domain::factor::recovery_code;
use crate::domain::factor::recovery_code::RecoveryCode;
use crate::domain::limits::storage::Growth;
use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::Purpose;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::settings::EmailVerification;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{Demanded, Proof, demand};
use crate::service::mail::asking::{ask, settings};
use crate::service::mail::outbox;
use crate::service::mail::presented::{ProofTexts, identify};
use crate::service::{Context, Error};
use crate::store::factor::changes;
use crate::store::factor::changes::FactorOwner;
use crate::store::factor::changes::FactorsRow;
use crate::store::factor::recovery_codes;
use crate::store::factor::recovery_codes::ReplacementOutcome;
use crate::store::factor::review::confirm_suspended;
use crate::store::mail::proofs::PresentedProof;

/// New recovery codes, and the text that is stored of them.
pub(in crate::service) struct NewCodes {
    pub(in crate::service) codes: Vec<Secret>,
    pub(in crate::service) hashes: String,
}

/// Draws as many recovery codes as an account has.
pub(in crate::service) fn draw_codes(ctx: &Context<'_>) -> Result<NewCodes, Error> {
    let mut drawn = NewCodes { codes: Vec::with_capacity(recovery_code::COUNT), hashes: String::new() };
    for _ in 0..recovery_code::COUNT {
        let code = RecoveryCode::from_random(ctx.random()?);
        drawn.hashes.push_str(&code.hash());
        drawn.hashes.push(' ');
        drawn.codes.push(code.text());
    }
    Ok(drawn)
}

/// The owner of a new factor. Where mail is on, an unproven address may be that of another person: the factor would lock its owner out.
pub(in crate::service) fn owner(ctx: &Context<'_>, caller: &Caller) -> Result<FactorOwner, Error> {
    let needs_proof = ctx.settings.verification() != EmailVerification::Off;
    if needs_proof && caller.user.email_verified_at.is_none() {
        return Err(Code::EmailNotVerified.into());
    }
    Ok(FactorOwner { user_id: caller.user.id, session_id: caller.credential.session_id(), needs_proof })
}

/// The same, once the caller has proven to be the owner.
pub(in crate::service) async fn enrolling_owner(
    ctx: &Context<'_>,
    caller: &Caller,
    proof: Proof<'_>,
) -> Result<(FactorOwner, Demanded), Error> {
    ctx.admit_growth(Growth::Factor)?;
    let owner = owner(ctx, caller)?;
    Ok((owner, demand(ctx, caller, Act::ChangeFactors, proof).await?))
}

/// Mails the code to the caller's own address, if it is proven: otherwise it may be the mailbox of another person.
///
/// # Errors
/// `NOT_FOUND` without mail; `AUTH_EMAIL_NOT_VERIFIED`; [`Error`] otherwise.
pub async fn mail_code(ctx: &Context<'_>, caller: &Caller) -> Result<Secret, Error> {
    settings(ctx)?;
    owner(ctx, caller)?;
    ask(ctx, Purpose::Enrol, &Email::stored(caller.user.email.clone()), true).await
}

/// The flow and the code of a mail, for the first second factor of an account whose roles need one.
pub type MailedCode = Option<ProofTexts>;

/// Demands a mailed code for the first second factor, if roles of the caller count only with one: otherwise a thief of the
/// password would enrol a factor, or confirm a suspended one, and have these roles. The batch of the act uses the code up.
pub(in crate::service) async fn demand_mailed_code(
    ctx: &Context<'_>,
    caller: &Caller,
    proof: Proof<'_>,
    mailed: &MailedCode,
) -> Result<Option<PresentedProof>, Error> {
    if caller.withheld.is_empty() || proof.age.has_factor() || ctx.settings.mail.is_none() {
        return Ok(None);
    }
    let texts = mailed.as_ref().ok_or(Problem::needs_mailed_code())?;
    identify(ctx, &[Purpose::Enrol], texts).await.map(Some)
}

/// Reads the caller's second factors beside the passkeys.
#[must_use]
pub fn list(ctx: &Context<'_>, subject: Subject) -> Reading<FactorsRow> {
    Reading::then(changes::factors(subject.user_id, subject.session_id, ctx.now()), |row| {
        row.ok_or_else(|| Code::TokenRevoked.into())
    })
}

/// Replaces the recovery codes.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `CONFLICT` without a second factor; `AUTH_TOKEN_REVOKED` if the session
/// ended concurrently; [`Error`] otherwise.
pub async fn replace_codes(ctx: &Context<'_>, caller: &Caller, proof: Proof<'_>) -> Result<Vec<Secret>, Error> {
    let (owner, demanded) = enrolling_owner(ctx, caller, proof).await?;
    let drawn = draw_codes(ctx)?;
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    match recovery_codes::replace(demanded.store(), owner, &drawn.hashes, notice, ctx.request).await? {
        ReplacementOutcome::Replaced(mail) => outbox::send_behind_response(ctx, mail),
        ReplacementOutcome::NoFactor => return Err(Problem::conflict("User has no second factor").into()),
        ReplacementOutcome::NoOwner => return Err(Code::TokenRevoked.into()),
    }
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Recovery codes replaced");
    Ok(drawn.codes)
}

/// Confirms the factors that a new password by mail had suspended.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `FORBIDDEN` without the mailed code that the caller's roles need;
/// `AUTH_TOKEN_REVOKED` if the session ended concurrently; [`Error`] otherwise.
pub async fn confirm(ctx: &Context<'_>, caller: &Caller, proof: Proof<'_>, mailed: &MailedCode) -> Result<(), Error> {
    let owner = owner(ctx, caller)?;
    let demanded = demand(ctx, caller, Act::ChangeFactors, proof).await?;
    let code = demanded.checked(demand_mailed_code(ctx, caller, proof, mailed).await).await?;
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    let confirmed = confirm_suspended(demanded.store(), owner, code, notice, ctx.request).await?;
    let (was_suspended, mail) = confirmed.ok_or(Code::TokenRevoked)?;
    if code.is_some() && !was_suspended {
        return Err(Code::InvalidCredentials.into());
    }
    outbox::send_behind_response(ctx, mail);
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), was_suspended, "Second factors confirmed");
    Ok(())
}
