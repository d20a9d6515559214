//! JSON Web Tokens: their claims, their signature and their validation (RFC 7519, RFC 8725, RFC 9068).
//!
//! The `jwt-compact` crate owns parsing and HMAC. This file owns the claims, the choice of the key, and the order of
//! the checks. A token cannot choose an algorithm or the location of a key. `alg` must be HS256, `kid` must name one
//! of at most three configured keys, and `jku`, `jwk` and `x5u` are ignored (RFC 8725 §3.1, §3.10). A `crit` header is refused,
//! because the service understands no extension (RFC 7515 §4.1.11).

use chrono::{DateTime, Utc};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header, UntrustedToken};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::{SessionId, TokenId, UserId, hex};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::SecretKeys;
use crate::domain::time::{MINUTE, Timestamp};

/// Maximum length of a presented token in bytes, several times that of an issued one.
const MAX_LENGTH: usize = 4096;
/// How far in the future `iat` may lie, because the clocks of two machines at the edge differ.
pub(super) const CLOCK_SKEW_SECONDS: i64 = MINUTE;
/// The method of a sign-in with a password (RFC 8176 §2).
const BY_PASSWORD: &str = "pwd";

/// The purpose of a token. A refresh token is never accepted as an access token, nor the reverse (RFC 8725 §3.11).
/// Both `typ` in the header and `type` in the claims state the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Short-lived; sent with each request.
    Access,
    /// Usable once, in exchange for the next pair of tokens.
    Refresh,
}

impl TokenKind {
    const fn header_type(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }
}

/// The verified claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// The `jti` claim, unique per token.
    pub id: TokenId,
    /// The `sub` claim: the user the token was issued to.
    pub user_id: UserId,
    /// The `sid` claim: the session it belongs to.
    pub session_id: SessionId,
    /// The `iat` claim, in whole seconds.
    pub issued_at: Timestamp,
    /// The `exp` claim, in whole seconds; the token is invalid from then on.
    pub expires_at: Timestamp,
    /// The `auth_time` claim: the sign-in that opened the session, in whole seconds. Access tokens have it, except those of
    /// versions that did not know it.
    pub auth_time: Option<Timestamp>,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// Malformed, wrongly signed, of the wrong kind, or from another issuer.
    Invalid,
    /// Issued by this service and valid except for its `exp`. Logout still accepts it.
    Expired(TokenClaims),
}

/// The claims in their wire format, besides `iat` and `exp`.
#[derive(Clone, Serialize, Deserialize)]
struct CustomClaims {
    sub: String,
    jti: String,
    sid: String,
    #[serde(rename = "type")]
    kind: TokenKind,
    iss: String,
    aud: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    /// Every session is opened with a password, so nothing depends on it yet.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    amr: Option<[&'static str; 1]>,
}

/// The header parameters that the service looks at, besides those that `jwt-compact` reads.
#[derive(Clone, Deserialize)]
struct OtherParameters {
    #[serde(rename = "crit", default, deserialize_with = "present")]
    has_critical: bool,
}

/// True for a member with any value, null included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

struct Key {
    id: String,
    key: Hs256Key,
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        // Derived from the secret, so a new secret gets a new id without configuration.
        let digest = Sha256::new().chain_update(b"edge-auth key id\0").chain_update(bytes).finalize();
        let id = hex(digest.get(..8).unwrap_or_default());
        Self { id, key: Hs256Key::new(bytes) }
    }
}

/// Signs and verifies the tokens of this service.
pub struct TokenAuthority {
    current: Key,
    /// Further keys that verify.
    others: Vec<Key>,
    issuer: String,
    audience: String,
}

impl std::fmt::Debug for TokenAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenAuthority").field("kid", &self.current.id).finish_non_exhaustive()
    }
}

impl TokenAuthority {
    /// Signs with the current key, and verifies with its neighbours too. An operator can thus replace the key, and all
    /// sessions stay valid.
    #[must_use]
    pub fn new(keys: &SecretKeys, issuer: &str, audience: &str) -> Self {
        Self {
            current: Key::new(&keys.current),
            others: keys.verifying().skip(1).map(Key::new).collect(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        }
    }

    /// Signs a token. The same claims give the same bytes, so a retried refresh can return the lost successor although
    /// no token is stored. If the key changed between, the retry has another signature. Both texts are one token: they
    /// have the same `jti`, and every isolate knows both keys.
    ///
    /// # Errors
    /// If the claims cannot be serialised as JSON; for strings and integers that never happens.
    pub fn sign(&self, kind: TokenKind, claims: &TokenClaims) -> Result<Secret, jwt_compact::CreationError> {
        let mut body = Claims::new(CustomClaims {
            sub: claims.user_id.to_string(),
            jti: claims.id.as_str().to_owned(),
            sid: claims.session_id.to_string(),
            kind,
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            auth_time: claims.auth_time.map(Timestamp::seconds),
            amr: claims.auth_time.map(|_| [BY_PASSWORD]),
        });
        body.issued_at = date_time(claims.issued_at);
        body.expiration = date_time(claims.expires_at);
        self.sign_claims(Header::empty().with_token_type(kind.header_type()), &body)
    }

    /// Signs claims of any kind with the current key.
    pub(super) fn sign_claims<T: Serialize>(
        &self,
        header: Header,
        claims: &Claims<T>,
    ) -> Result<Secret, jwt_compact::CreationError> {
        let header = header.with_key_id(self.current.id.as_str());
        Hs256.token(&header, claims, &self.current.key).map(Secret::new)
    }

    /// The `iss` and `aud` of every token.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.issuer, &self.audience)
    }

    /// Verifies a token: form, algorithm, key, signature, `crit`, `typ`, `type`, `iss`, `aud`, `iat`, `nbf`. It checks `exp` last, so
    /// [`TokenFault::Expired`] is returned only for tokens that this service issued.
    ///
    /// # Errors
    /// [`TokenFault`] says whether the token is invalid or merely expired.
    pub fn verify(&self, kind: TokenKind, text: &str, now: Timestamp) -> Result<TokenClaims, TokenFault> {
        self.inspect(kind, text, now).1
    }

    /// Does the same, and also returns the id of the key that the token names, if the service has that key. A token with
    /// a wrong signature has such an id, too.
    pub fn inspect(
        &self,
        kind: TokenKind,
        text: &str,
        now: Timestamp,
    ) -> (Option<&str>, Result<TokenClaims, TokenFault>) {
        let Some((token, key)) = self.parse(text) else { return (None, Err(TokenFault::Invalid)) };
        let signed = self.verify_signed(kind, &token, key);
        (Some(&key.id), signed.ok_or(TokenFault::Invalid).and_then(|claims| verify_times(claims, now)))
    }

    /// A token that is well-formed and names a key of the service.
    fn parse<'a>(&self, text: &'a str) -> Option<(UntrustedToken<'a, OtherParameters>, &Key)> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let untrusted = UntrustedToken::try_from(text).ok()?;
        let key = self.key(untrusted.header().key_id.as_deref()?)?;
        Some((untrusted, key))
    }

    /// The claims of a token with this `typ` and a valid signature.
    pub(super) fn signed_claims<T: Clone + DeserializeOwned>(
        &self,
        header_type: &str,
        text: &str,
    ) -> Option<Claims<T>> {
        let (token, key) = self.parse(text)?;
        claims_of(&token, key, header_type)
    }

    /// The claims of a token with a valid signature, and its `nbf`.
    fn verify_signed(
        &self,
        kind: TokenKind,
        token: &UntrustedToken<'_, OtherParameters>,
        key: &Key,
    ) -> Option<(TokenClaims, Option<Timestamp>)> {
        let claims: Claims<CustomClaims> = claims_of(token, key, kind.header_type())?;
        let custom = &claims.custom;
        if custom.kind != kind || custom.iss != self.issuer || custom.aud != self.audience {
            return None;
        }
        let not_before = claims.not_before.map(|time| Timestamp::from_seconds(time.timestamp()));
        let claims = TokenClaims {
            id: TokenId::parse(&custom.jti)?,
            user_id: UserId::parse(&custom.sub)?,
            session_id: SessionId::parse(&custom.sid)?,
            issued_at: Timestamp::from_seconds(claims.issued_at?.timestamp()),
            expires_at: Timestamp::from_seconds(claims.expiration?.timestamp()),
            auth_time: custom.auth_time.map(Timestamp::from_seconds),
        };
        Some((claims, not_before))
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.current).chain(&self.others).find(|key| key.id == id)
    }
}

fn claims_of<T: Clone + DeserializeOwned>(
    token: &UntrustedToken<'_, OtherParameters>,
    key: &Key,
    header_type: &str,
) -> Option<Claims<T>> {
    let header = token.header();
    if header.other_fields.has_critical || header.token_type.as_deref() != Some(header_type) {
        return None;
    }
    Some(Hs256.validator::<T>(&key.key).validate(token).ok()?.into_parts().1)
}

/// Checks the times of signed claims; the second part is their `nbf`.
fn verify_times(
    (claims, not_before): (TokenClaims, Option<Timestamp>),
    now: Timestamp,
) -> Result<TokenClaims, TokenFault> {
    // No token of this service has an `nbf`, so no skew of its own clocks needs to be allowed.
    let is_early = not_before.is_some_and(|time| time > now);
    if is_early || claims.issued_at > now.plus_seconds(CLOCK_SKEW_SECONDS) {
        return Err(TokenFault::Invalid);
    }
    if claims.expires_at <= now {
        return Err(TokenFault::Expired(claims));
    }
    Ok(claims)
}

pub(super) fn date_time(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds(), 0)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
