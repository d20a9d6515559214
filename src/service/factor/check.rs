//! Checking a presented second factor against the rows of the account. No database round trips: the statement that opens
//! something with it asks again whether it holds.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::audit::Reason;
use crate::domain::factor::challenge::{Challenge, ChallengeKeys, Purpose};
use crate::domain::factor::recovery_code::RecoveryCode;
use crate::domain::factor::totp::{TotpSecret, matching_step};
use crate::domain::factor::usage::FactorUse;
use crate::domain::factor::webauthn::{
    self, Assertion, AssertionResponse, Ceremony, StoredPasskey, presented_challenge,
};
use crate::domain::keys::ring::Sealed;
use crate::domain::problem::Code;
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};
use crate::domain::secret::Secret;
use crate::service::factor::totp::unseal;
use crate::service::{Context, Error};
use crate::store::factor::state::{FactorState, StoredPasskeyRow, StoredTotp};

/// A second factor as it is presented.
#[allow(missing_docs, reason = "the variants are the members of the request")]
pub enum PresentedFactor {
    Code(Secret),
    RecoveryCode(Secret),
    Passkey(Box<AssertionResponse>),
}

impl PresentedFactor {
    /// The id of the credential, in base64url, if it is a passkey.
    #[must_use]
    pub fn credential_id(&self) -> Option<&str> {
        match self {
            Self::Code(_) | Self::RecoveryCode(_) => None,
            Self::Passkey(response) => Some(&response.id),
        }
    }

    /// A code of an app has six digits; the others are random, with 120 bits and more.
    pub(in crate::service) const fn is_guessable(&self) -> bool {
        matches!(self, Self::Code(_))
    }

    const fn reason(&self) -> Reason {
        match self {
            Self::Code(_) => Reason::Totp,
            Self::RecoveryCode(_) => Reason::RecoveryCode,
            Self::Passkey(_) => Reason::Passkey,
        }
    }
}

/// The outcome of a check.
pub(in crate::service) enum CheckOutcome {
    /// The factor is right.
    Right(FactorUse),
    /// It is wrong, for the reason of an event. A code during a wait was no guess.
    Wrong { reason: Reason, was_guess: bool },
}

/// Checks a second factor. `purpose` is that of the challenge which a passkey must have answered.
pub(in crate::service) async fn check(
    ctx: &Context<'_>,
    state: &FactorState,
    presented: &PresentedFactor,
    purpose: Purpose,
) -> Result<CheckOutcome, Error> {
    let right = match presented {
        PresentedFactor::Code(code) => match &state.totp {
            Some(totp) => check_code(ctx, totp, code).await?,
            None => None,
        },
        PresentedFactor::RecoveryCode(code) => check_recovery_code(&state.recovery_hashes, code),
        PresentedFactor::Passkey(response) => {
            check_passkey(ctx, state.passkey.as_ref(), response, purpose, false).await?.map(|(factor, _)| factor)
        }
    };
    let waits = state.codes_wait && presented.is_guessable();
    Ok(match right.filter(|_| !waits) {
        Some(factor) => CheckOutcome::Right(factor),
        None if waits => CheckOutcome::Wrong { reason: Reason::Throttled, was_guess: false },
        None => CheckOutcome::Wrong { reason: presented.reason(), was_guess: true },
    })
}

/// A secret that cannot be decrypted is a fault of the service, and no wrong answer.
async fn check_code(ctx: &Context<'_>, totp: &StoredTotp, code: &Secret) -> Result<Option<FactorUse>, Error> {
    let sealed = Sealed { text: totp.secret.clone(), key_id: totp.encrypted_by.clone() };
    let secret = unseal(ctx, totp.id, &sealed).await;
    let secret = secret.and_then(|secret| TotpSecret::parse(secret.expose())).ok_or(Code::Internal)?;
    let step = matching_step(&secret, code.expose(), ctx.now(), totp.used_step);
    Ok(step.map(|step| FactorUse::Totp { id: totp.id, step }))
}

/// The codes are random, with 120 bits, so neither the time of a comparison of hashes nor guesses tell anything.
fn check_recovery_code(hashes: &str, code: &Secret) -> Option<FactorUse> {
    let hash = RecoveryCode::parse(code.expose())?.hash();
    hashes.split(' ').any(|stored| stored == hash).then_some(FactorUse::RecoveryCode { hash })
}

/// Checks an assertion of a passkey. Beside the use, the challenge that it answers.
pub(in crate::service) async fn check_passkey(
    ctx: &Context<'_>,
    row: Option<&StoredPasskeyRow>,
    response: &AssertionResponse,
    purpose: Purpose,
    demands_user_handle: bool,
) -> Result<Option<(FactorUse, Challenge)>, Error> {
    let Some((row, challenge)) = row.zip(challenge_of(ctx, &response.client_data_json, purpose)) else {
        return Ok(None);
    };
    let Some((key, assertion)) = verify(ctx, row, challenge, response, purpose, demands_user_handle) else {
        return Ok(None);
    };
    if !ctx.signatures.verify_with(&key, &assertion.message, &assertion.signature).await? {
        tracing::warn!(target: "app.auth", fault = "signature", "Passkey refused");
        return Ok(None);
    }
    if assertion.counter_went_back {
        // A synchronised passkey has no counter of its own, so this alone is no proof of a copy (§6.1.1).
        tracing::warn!(target: "app.auth", passkey_id = row.id.get(), "The counter of a passkey went back");
    }
    let factor = FactorUse::Passkey {
        id: row.id,
        sign_count: assertion.sign_count.max(row.sign_count),
        is_backed_up: assertion.is_backed_up,
        is_synchronised: row.is_backup_eligible,
    };
    Ok(Some((factor, challenge)))
}

/// The steps of §7.2 up to the signature. A fault is for the log: the client is told nothing of it.
fn verify(
    ctx: &Context<'_>,
    row: &StoredPasskeyRow,
    challenge: Challenge,
    response: &AssertionResponse,
    purpose: Purpose,
    demands_user_handle: bool,
) -> Option<(PublicKey, Assertion)> {
    let rp = ctx.settings.factors.relying_party.as_ref()?;
    let decoded = |text: &str| Base64UrlUnpadded::decode_vec(text).unwrap_or_default();
    let key = PublicKey { algorithm: SignatureAlgorithm::parse(&row.algorithm)?, jwk: row.public_key.clone() };
    let stored = StoredPasskey {
        credential_id: &decoded(&row.credential_id),
        user_handle: &decoded(row.user_handle.as_deref().unwrap_or_default()),
        key: &key,
        sign_count: row.sign_count,
        is_backup_eligible: row.is_backup_eligible,
    };
    let is_challenge = |bytes: &[u8]| read_challenge(ctx, bytes, purpose) == Some(challenge);
    let ceremony = Ceremony { rp, is_challenge: &is_challenge };
    match webauthn::authenticate(response, &stored, &ceremony, demands_user_handle) {
        Ok(assertion) => Some((key, assertion)),
        Err(fault) => {
            tracing::warn!(target: "app.auth", fault = fault.as_str(), "Passkey refused");
            None
        }
    }
}

/// The challenge in the client's data, if the service made it for this purpose and it is still valid.
pub(in crate::service) fn challenge_of(
    ctx: &Context<'_>,
    client_data_json: &[u8],
    purpose: Purpose,
) -> Option<Challenge> {
    read_challenge(ctx, &presented_challenge(client_data_json)?, purpose)
}

fn read_challenge(ctx: &Context<'_>, bytes: &[u8], purpose: Purpose) -> Option<Challenge> {
    ChallengeKeys::derive(&ctx.settings.secret_keys).read(purpose, bytes, ctx.now())
}
