//! ID tokens: their form, and the validation of their claims (OpenID Connect Core 1.0 §2 and §3.1.3.7, RFC 8725).
//!
//! A token cannot choose its algorithm beyond the three of [`SignatureAlgorithm`], or the location of a key: `jku`, `jwk`
//! and `x5u` are ignored (RFC 8725 §3.1, §3.10). The signature is verified by the runtime, between [`IdToken::parse`] and
//! [`IdToken::check`]. Until then a token proves nothing.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use subtle::ConstantTimeEq as _;

use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::provider::GOOGLE_ISSUER;
use crate::domain::json::{JsonText, Object};
use crate::domain::public_key::SignatureAlgorithm;
use crate::domain::time::{MINUTE, Timestamp};
use crate::domain::unicode::Normalize;

/// Maximum lengths in bytes: of a token, of a subject (§2), and of a hosted domain (RFC 1035 §2.3.4).
const MAX_LENGTH: usize = 16 * 1024;
const MAX_SUBJECT: usize = 255;
const MAX_DOMAIN: usize = 253;
/// Seconds by which the clocks of the provider and the service may differ.
const SKEW: i64 = MINUTE;
/// Maximum age in seconds of a token that a native app presents.
const NATIVE_AGE: i64 = 5 * MINUTE;

/// The claims that the service looks at.
struct Claims {
    issuer: String,
    subject: Option<String>,
    audiences: Vec<String>,
    party: Option<String>,
    expires_at: Timestamp,
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
    auth_time: Option<Timestamp>,
    nonce: Option<String>,
}

impl Claims {
    /// Takes the claims of every token. `None` if one is missing or of another type.
    fn read(claims: &mut Object) -> Option<Self> {
        let audiences = match claims.take("aud")? {
            JsonText::Text(audience) => vec![audience],
            audiences => audiences.texts()?,
        };
        Some(Self {
            issuer: claims.text("iss")?,
            subject: claims.optional("sub", JsonText::text).ok()?,
            audiences,
            party: claims.optional("azp", JsonText::text).ok()?,
            expires_at: time(claims.take("exp")?)?,
            issued_at: time(claims.take("iat")?)?,
            not_before: claims.optional("nbf", time).ok()?,
            auth_time: claims.optional("auth_time", time).ok()?,
            nonce: claims.optional("nonce", JsonText::text).ok()?,
        })
    }
}

/// Why an ID token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdTokenFault {
    /// It is no JSON Web Token, or a required claim is missing or of another type.
    Malformed,
    /// The header has `crit`: an extension that the service does not understand (RFC 7515 §4.1.11).
    UnknownExtension,
    /// A token of another kind (RFC 8725 §3.11).
    WrongType,
    /// `none`, an algorithm with a shared secret, or another one.
    UnknownAlgorithm,
    /// The key set has no such key. The caller finds that.
    UnknownKey,
    /// The signature is not the key's. The caller finds that.
    WrongSignature,
    /// `iss` is another issuer.
    WrongIssuer,
    /// `aud` lacks the client, or has a party that is not trusted.
    WrongAudience,
    /// `azp` is another party, or missing beside several audiences.
    WrongParty,
    /// `exp` lies in the past.
    Expired,
    /// `iat` or `nbf` lies in the future.
    NotYetValid,
    /// `iat` is before the start of the flow, or too long ago for a native app.
    TooOld,
    /// `nonce` is that of another flow.
    WrongNonce,
    /// `sub` is missing, too long, or has control characters.
    NoSubject,
    /// `auth_time` is missing, or before the start of the flow.
    StaleSignIn,
}

impl IdTokenFault {
    /// The name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownExtension => "unknown_extension",
            Self::WrongType => "wrong_type",
            Self::UnknownAlgorithm => "unknown_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::WrongSignature => "wrong_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongParty => "wrong_azp",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::TooOld => "too_old",
            Self::WrongNonce => "wrong_nonce",
            Self::NoSubject => "no_subject",
            Self::StaleSignIn => "stale_sign_in",
        }
    }
}

/// The expectations of one flow.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer of the provider.
    pub issuer: &'a str,
    /// The service's own id at the provider.
    pub client_id: &'a str,
    /// Further client ids, of native apps.
    pub audiences: &'a [String],
    /// A native app presents the token; otherwise the token endpoint gave it to the service.
    pub is_native: bool,
    /// The nonce of the flow.
    pub nonce: &'a str,
    /// The start of the flow.
    pub started_at: Timestamp,
    /// The user must have signed in at the provider after the start: a step-up.
    pub needs_sign_in_after_start: bool,
    /// The time of the check.
    pub now: Timestamp,
}

/// A well-formed ID token of a known algorithm. Nothing of it is verified yet.
pub struct IdToken<'a> {
    algorithm: SignatureAlgorithm,
    key_id: Option<String>,
    signed_text: &'a str,
    claims: String,
    signature: Vec<u8>,
}

impl<'a> IdToken<'a> {
    /// Reads the parts of a token in the compact serialization (RFC 7515 §7.1).
    ///
    /// # Errors
    /// The form is wrong, or the algorithm is none of those that are accepted.
    pub fn parse(text: &'a str) -> Result<Self, IdTokenFault> {
        let (signed_text, header, claims, signature) = parts(text).ok_or(IdTokenFault::Malformed)?;
        let mut header = Object::parse(&header).ok_or(IdTokenFault::Malformed)?;
        if header.has("crit") {
            return Err(IdTokenFault::UnknownExtension);
        }
        let mut optional = |name| header.optional(name, JsonText::text).map_err(|_| IdTokenFault::Malformed);
        if optional("typ")?.is_some_and(|name| !name.eq_ignore_ascii_case("JWT")) {
            return Err(IdTokenFault::WrongType);
        }
        let (key_id, alg) = (optional("kid")?, optional("alg")?.ok_or(IdTokenFault::Malformed)?);
        let algorithm = SignatureAlgorithm::parse(&alg).ok_or(IdTokenFault::UnknownAlgorithm)?;
        Ok(Self { algorithm, key_id, signed_text, claims, signature })
    }

    /// The algorithm that the token names.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The key that the token names.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The text that was signed.
    #[must_use]
    pub const fn signed_text(&self) -> &'a str {
        self.signed_text
    }

    /// The signature of that text.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Validates the claims. Only for a token whose signature is that of the provider's key.
    ///
    /// # Errors
    /// [`IdTokenFault`] names the first rule that the token breaks.
    pub fn check(&self, expected: &Expected<'_>, normalize: Normalize) -> Result<Assertion, IdTokenFault> {
        let mut members = Object::parse(&self.claims).ok_or(IdTokenFault::Malformed)?;
        let claims = Claims::read(&mut members).ok_or(IdTokenFault::Malformed)?;
        check_parties(&claims, expected)?;
        check_times(&claims, expected)?;
        let is_nonce = |nonce: &str| nonce.as_bytes().ct_eq(expected.nonce.as_bytes()).into();
        if !claims.nonce.as_deref().is_some_and(is_nonce) {
            return Err(IdTokenFault::WrongNonce);
        }
        let is_subject = |text: &String| (1..=MAX_SUBJECT).contains(&text.len()) && !text.chars().any(char::is_control);
        let subject = claims.subject.filter(is_subject).ok_or(IdTokenFault::NoSubject)?;
        let hosted_domain = members.optional("hd", JsonText::text).map_err(|_| IdTokenFault::Malformed)?;
        let mut assertion = Assertion {
            issuer: expected.issuer.to_owned(),
            subject,
            email: None,
            is_email_verified: false,
            name: None,
            hosted_domain: hosted_domain.filter(|domain| (1..=MAX_DOMAIN).contains(&domain.len())),
            auth_time: claims.auth_time,
        };
        assertion.describe(&mut members, normalize).ok_or(IdTokenFault::Malformed)?;
        Ok(assertion)
    }
}

/// The signed text, the header and the claims as JSON, and the signature.
fn parts(text: &str) -> Option<(&str, String, String, Vec<u8>)> {
    let (signed_text, signature) = text.rsplit_once('.').filter(|_| text.len() <= MAX_LENGTH)?;
    let (header, claims) = signed_text.split_once('.')?;
    // A further dot is no character of base64url.
    let decoded = |part: &str| Base64UrlUnpadded::decode_vec(part).ok();
    let json = |part: &str| String::from_utf8(decoded(part)?).ok();
    Some((signed_text, json(header)?, json(claims)?, decoded(signature)?))
}

/// `iss`, `aud` and `azp` (§3.1.3.7, steps 2 to 5).
fn check_parties(claims: &Claims, expected: &Expected<'_>) -> Result<(), IdTokenFault> {
    // Google documents both forms.
    let is_google = expected.issuer == GOOGLE_ISSUER && claims.issuer == "accounts.google.com";
    if claims.issuer != expected.issuer && !is_google {
        return Err(IdTokenFault::WrongIssuer);
    }
    let audiences = &claims.audiences;
    let is_own = |party: &String| party == expected.client_id;
    let is_trusted = |party: &String| is_own(party) || expected.audiences.contains(party);
    let is_for_client = if expected.is_native { !audiences.is_empty() } else { audiences.iter().any(is_own) };
    if !is_for_client || !audiences.iter().all(is_trusted) {
        return Err(IdTokenFault::WrongAudience);
    }
    let is_party = match &claims.party {
        Some(party) if expected.is_native => is_trusted(party),
        Some(party) => is_own(party),
        None => audiences.len() == 1,
    };
    if is_party { Ok(()) } else { Err(IdTokenFault::WrongParty) }
}

/// `exp`, `iat`, `nbf` and `auth_time` (§3.1.3.7, steps 9 to 13).
fn check_times(claims: &Claims, expected: &Expected<'_>) -> Result<(), IdTokenFault> {
    let now = expected.now;
    let iat = claims.issued_at;
    let (start, latest) = (expected.started_at.plus_seconds(-SKEW), now.plus_seconds(SKEW));
    let is_old = expected.is_native && iat < now.plus_seconds(-NATIVE_AGE);
    if claims.expires_at <= now.plus_seconds(-SKEW) {
        Err(IdTokenFault::Expired)
    } else if iat > latest || claims.not_before.is_some_and(|nbf| nbf > latest) {
        Err(IdTokenFault::NotYetValid)
    } else if iat < start || is_old {
        Err(IdTokenFault::TooOld)
    } else if expected.needs_sign_in_after_start && claims.auth_time.is_none_or(|at| at < start) {
        Err(IdTokenFault::StaleSignIn)
    } else {
        Ok(())
    }
}

/// A time of a token, which may have a fraction (RFC 7519 §2, `NumericDate`).
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and a millisecond does not matter")]
#[expect(clippy::needless_pass_by_value, reason = "a reader takes its value")]
fn time(value: JsonText) -> Option<Timestamp> {
    match value {
        JsonText::Integer(seconds) => Some(Timestamp::from_millis(seconds.saturating_mul(1000))),
        JsonText::Other(seconds) => Some(Timestamp::from_millis((seconds * 1000.0) as i64)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "id_token_tests.rs"]
mod tests;
