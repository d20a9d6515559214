//! Authenticator apps: enrolment in two steps. Database round trips after the caller's: 1 each.

use crate::domain::factor::qr;
use crate::domain::factor::totp::{TotpSecret, matching_step, otpauth_uri};
use crate::domain::ids::TotpId;
use crate::domain::keys::ring::Sealed;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::{Code, Problem};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::key_id;
use crate::ports::Seal;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::Proof;
use crate::service::factor::enrolment::{MailedCode, demand_mailed_code, draw_codes, enrolling_owner, owner};
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::factor::totp;
use crate::store::factor::totp::{OfferOutcome, SealedTotp};

/// The label of the key that encrypts secrets. It is part of the stored format.
const PURPOSE: &str = "edge-auth totp secret";

/// Encrypts a secret under the current `SECRET_KEY`.
pub(in crate::service) async fn seal(ctx: &Context<'_>, id: TotpId, secret: &Secret) -> Result<Sealed, Error> {
    let key = &ctx.settings.secret_keys.current;
    let seal = Seal { secret: key, purpose: PURPOSE, row: &id.to_string() };
    Ok(Sealed { text: ctx.encryption.encrypt(seal, secret).await?, key_id: key_id(key) })
}

/// Decrypts a secret; `None` if no configured key does.
pub(in crate::service) async fn unseal(ctx: &Context<'_>, id: TotpId, sealed: &Sealed) -> Option<Secret> {
    let Some(key) = ctx.settings.secret_keys.decrypting(&sealed.key_id) else {
        tracing::error!(target: "app.keys", totp_id = id.get(), cause = "unknown key", "Not decrypted");
        return None;
    };
    let seal = Seal { secret: key, purpose: PURPOSE, row: &id.to_string() };
    let opened = ctx.encryption.decrypt(seal, &sealed.text).await;
    let log = |error: &_| tracing::error!(target: "app.keys", totp_id = id.get(), cause = %error, "Not decrypted");
    opened.inspect_err(log).ok()
}

/// A secret that waits for its first code, in the forms that apps read.
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct Enrolment {
    pub secret: Secret,
    pub otpauth_uri: Secret,
    pub qr_svg: Secret,
}

/// Draws a secret. It replaces another one that waits; one that is confirmed stays in force until the new one is.
///
/// # Errors
/// `AUTH_EMAIL_NOT_VERIFIED` where addresses are verified; `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `FORBIDDEN`
/// without the mailed code that the caller's roles need; `AUTH_TOKEN_REVOKED` if the session ended concurrently; [`Error`] otherwise.
pub async fn enrol(
    ctx: &Context<'_>,
    caller: &Caller,
    proof: Proof<'_>,
    mailed: &MailedCode,
) -> Result<Enrolment, Error> {
    let (owner, demanded) = enrolling_owner(ctx, caller, proof).await?;
    let code = demanded.checked(demand_mailed_code(ctx, caller, proof, mailed).await).await?;
    let id = TotpId::draw(ctx.now(), ctx.random()?);
    let secret = TotpSecret::from_random(ctx.random()?);
    let sealed = seal(ctx, id, &secret.base32()).await?;
    match totp::add_pending(demanded.store(), owner, id, &sealed, code, ctx.request).await? {
        OfferOutcome::Added => {}
        OfferOutcome::NoOwner => return Err(Code::TokenRevoked.into()),
        OfferOutcome::NoCode => return Err(Code::InvalidCredentials.into()),
    }
    let otpauth_uri = otpauth_uri(&secret, &ctx.settings.presentation.app_name, &caller.user.email);
    // An address of 254 bytes fits the largest QR code.
    let qr_svg = Secret::new(qr::svg(otpauth_uri.expose()).unwrap_or_default());
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Authenticator app offered");
    Ok(Enrolment { secret: secret.base32(), otpauth_uri, qr_svg })
}

/// Reads the secret that waits.
#[must_use]
pub fn pending(ctx: &Context<'_>, subject: Subject) -> Reading<Option<SealedTotp>> {
    totp::pending(subject.user_id, ctx.now()).into()
}

/// Confirms the secret that waits, by a code. Needs no step-up: it had one, and a stranger does not know the secret. The
/// recovery codes are replaced, and all other sessions end.
///
/// # Errors
/// `CONFLICT` if no secret waits; `VALIDATION_ERROR` for a wrong code; `AUTH_TOKEN_REVOKED` if the session ended or the secret
/// was replaced concurrently; [`Error`] otherwise.
pub async fn confirm(
    ctx: &Context<'_>,
    caller: &Caller,
    pending: Option<&SealedTotp>,
    code: &Secret,
) -> Result<Vec<Secret>, Error> {
    let owner = owner(ctx, caller)?;
    let pending = pending.ok_or(Problem::conflict("No authenticator app is being enrolled"))?;
    let sealed = Sealed { text: pending.secret.clone(), key_id: pending.encrypted_by.clone() };
    let secret = unseal(ctx, pending.id, &sealed).await;
    let secret = secret.and_then(|secret| TotpSecret::parse(secret.expose())).ok_or(Code::Internal)?;
    let step = matching_step(&secret, code.expose(), ctx.now(), None).ok_or_else(wrong_code)?;
    let drawn = draw_codes(ctx)?;
    let notice = outbox::notice(ctx, Kind::FactorsChanged)?;
    let confirmed = totp::confirm(ctx.store, owner, (pending.id, step), &drawn.hashes, notice, ctx.request).await?;
    outbox::send_behind_response(ctx, confirmed.ok_or(Code::TokenRevoked)?);
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), factor = "totp", "Second factor added");
    Ok(drawn.codes)
}

fn wrong_code() -> Error {
    use crate::domain::problem::{Fault, FaultKind};
    let fault = Fault::of("code", FaultKind::ValueError, "value is not the present code of the authenticator app");
    Problem::validation(vec![fault]).into()
}
