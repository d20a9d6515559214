//! Passkeys of a user: registration (W3C WebAuthn Level 3 §7.1), list, names. Database round trips after the caller's: 1 for
//! the options and for a change; none for the list.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::factor::challenge::{CHALLENGE_SECONDS, Challenge, Purpose};
use crate::domain::factor::demand::PasskeyCreation;
use crate::domain::factor::webauthn::{self, Ceremony, CeremonyFault, NewPasskey, RegistrationResponse, RelyingParty};
use crate::domain::ids::{PasskeyId, UserId};
use crate::domain::mail::letter::Kind;
use crate::domain::problem::{Code, Fault, FaultKind, Problem};
use crate::domain::secret::Secret;
use crate::domain::tenant::label::Label;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::Proof;
use crate::service::factor::check::challenge_of;
use crate::service::factor::due::{challenge_text, draw, hint};
use crate::service::factor::enrolment::{MailedCode, demand_mailed_code, draw_codes, enrolling_owner};
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::factor::passkeys;
use crate::store::factor::passkeys::{AddedPasskey, AdditionOutcome, PasskeyRow};
use crate::store::factor::user_handle;
use crate::store::factor::user_handle::HandleOutcome;
use crate::store::page::{Page, PageRequest};

/// A credential to be registered.
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct RegisterPasskey {
    pub name: Label,
    pub credential: RegistrationResponse,
}

/// A passkey after its registration.
pub struct RegisteredPasskey {
    /// The row of the passkey.
    pub row: PasskeyRow,
    /// The recovery codes, for a user that had none.
    pub recovery_codes: Option<Vec<Secret>>,
}

/// The service as browsers know it.
///
/// # Errors
/// `NOT_FOUND` in a deployment that is none.
pub(in crate::service) fn relying_party<'a>(ctx: &Context<'a>) -> Result<&'a RelyingParty, Error> {
    ctx.settings.factors.relying_party.as_ref().ok_or_else(|| Code::NotFound.into())
}

/// The options of a registration. The user handle is drawn with the first ones.
///
/// # Errors
/// `NOT_FOUND` where passkeys are off; `AUTH_EMAIL_NOT_VERIFIED` where addresses are verified; `AUTH_STEP_UP_REQUIRED`;
/// `AUTH_INVALID_CREDENTIALS`; [`Error`] otherwise.
pub async fn options(
    ctx: &Context<'_>,
    caller: &Caller,
    proof: Proof<'_>,
    mailed: &MailedCode,
) -> Result<PasskeyCreation, Error> {
    let rp = relying_party(ctx)?;
    let (owner, demanded) = enrolling_owner(ctx, caller, proof).await?;
    let code = demanded.checked(demand_mailed_code(ctx, caller, proof, mailed).await).await?;
    let drawn = Base64UrlUnpadded::encode_string(&ctx.random::<32>()?);
    let found = match user_handle::draw(demanded.store(), owner.user_id, &drawn, code, ctx.now()).await? {
        HandleOutcome::Found(found) => found,
        HandleOutcome::NoOwner => return Err(Code::TokenRevoked.into()),
        HandleOutcome::NoCode => return Err(Code::InvalidCredentials.into()),
    };
    Ok(PasskeyCreation {
        rp: rp.clone(),
        rp_name: ctx.settings.presentation.app_name.clone(),
        user_handle: found.handle,
        user_name: caller.user.email.clone(),
        display_name: caller.user.full_name.clone().unwrap_or_else(|| caller.user.email.clone()),
        challenge: challenge_text(ctx, Purpose::Register(owner.user_id.get()), draw(ctx)?),
        excluded: found.passkeys.iter().map(hint).collect(),
        timeout_ms: CHALLENGE_SECONDS * 1000,
    })
}

/// Registers a passkey, and ends all other sessions. The step-up was that of the options; a stale session needs another one.
///
/// # Errors
/// As [`options`]; `AUTH_INVALID_CREDENTIALS` for a challenge that was used or has expired; `VALIDATION_ERROR` for a credential
/// that is refused; `CONFLICT` for one that is known, and for more than 25; [`Error`] otherwise.
pub async fn register(
    ctx: &Context<'_>,
    caller: &Caller,
    command: &RegisterPasskey,
    proof: Proof<'_>,
) -> Result<RegisteredPasskey, Error> {
    let rp = relying_party(ctx)?;
    let (owner, demanded) = enrolling_owner(ctx, caller, proof).await?;
    let purpose = Purpose::Register(owner.user_id.get());
    let (new, challenge) = demanded.checked(verify(ctx, rp, purpose, &command.credential).await).await?;
    let drawn = draw_codes(ctx)?;
    let added = AddedPasskey {
        id: PasskeyId::draw(ctx.now(), ctx.random()?),
        name: &command.name,
        credential_id: &Base64UrlUnpadded::encode_string(&new.credential_id),
        algorithm: new.key.algorithm.as_str(),
        public_key: &new.key.jwk,
        sign_count: new.sign_count,
        transports: &new.transports,
        is_backup_eligible: new.is_backup_eligible,
        is_backed_up: new.is_backed_up,
        challenge,
    };
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    match passkeys::add(demanded.store(), owner, &added, &drawn.hashes, notice, ctx.request).await? {
        AdditionOutcome::Added { row, gives_codes, notice } => {
            outbox::send_behind_response(ctx, notice);
            let (user_id, passkey_id) = (owner.user_id.get(), row.id.get());
            tracing::info!(target: "app.auth", user_id, passkey_id, factor = "passkey", "Second factor added");
            Ok(RegisteredPasskey { row, recovery_codes: gives_codes.then_some(drawn.codes) })
        }
        AdditionOutcome::Known => Err(Problem::conflict("Passkey is registered already").into()),
        AdditionOutcome::TooMany => Err(Problem::conflict("User has too many passkeys").into()),
        AdditionOutcome::Answered => Err(Code::InvalidCredentials.into()),
        AdditionOutcome::NoOwner => Err(Code::TokenRevoked.into()),
    }
}

/// Verifies a registration. The runtime imports the key, which refuses a point off the curve of P-256.
async fn verify(
    ctx: &Context<'_>,
    rp: &RelyingParty,
    purpose: Purpose,
    response: &RegistrationResponse,
) -> Result<(NewPasskey, Challenge), Error> {
    let challenge = challenge_of(ctx, &response.client_data_json, purpose).ok_or(Code::InvalidCredentials)?;
    let refused = |fault: &str| {
        tracing::warn!(target: "app.auth", fault, "Passkey refused");
        let fault = Fault::of("credential", FaultKind::ValueError, format!("credential was refused: {fault}"));
        Problem::validation(vec![fault]).into()
    };
    let new = parse(ctx, rp, challenge, purpose, response).map_err(|fault| refused(fault.as_str()))?;
    let is_key = ctx.signatures.verify_with(&new.key, b"", &[0; 64]).await.is_ok();
    if is_key { Ok((new, challenge)) } else { Err(refused("key")) }
}

fn parse(
    ctx: &Context<'_>,
    rp: &RelyingParty,
    challenge: Challenge,
    purpose: Purpose,
    response: &RegistrationResponse,
) -> Result<NewPasskey, CeremonyFault> {
    let expected = challenge_text(ctx, purpose, challenge);
    let is_challenge = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes) == expected;
    webauthn::register(response, &Ceremony { rp, is_challenge: &is_challenge })
}

/// Lists the passkeys of the caller.
#[must_use]
pub fn list(subject: Subject, page: PageRequest) -> Reading<Page<PasskeyRow>> {
    passkeys::list(subject.user_id, page).into()
}

/// Gives a passkey another name.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn rename(ctx: &Context<'_>, user_id: UserId, id: PasskeyId, name: &Label) -> Result<PasskeyRow, Error> {
    passkeys::rename(ctx.store, user_id, id, name, ctx.request).await?.ok_or_else(|| Code::NotFound.into())
}
