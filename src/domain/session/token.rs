//! JSON Web Tokens: what is in them, and when one is believed (RFC 7519, RFC 8725, RFC 9068).
//!
//! Parsing and HMAC are `jwt-compact`'s. This file owns the claims, the choice of the key, and the
//! order of the checks. Nothing in a token chooses an algorithm or a place to fetch a key from: `alg`
//! must be HS256, `kid` must name one of at most two configured keys, and `jku`, `jwk` and `x5u` are
//! never looked at (RFC 8725 §3.1, §3.10).

use chrono::{DateTime, Utc};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header, UntrustedToken};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::{SessionId, TokenId, UserId, hex};
use crate::domain::secret::Secret;
use crate::domain::time::{MINUTE, Timestamp};

/// Longest text that is looked at: several times what the service issues.
const MAX_LENGTH: usize = 4096;
/// How far in the future `iat` may lie: the clocks of two machines at the edge differ a little.
const CLOCK_SKEW_SECONDS: i64 = MINUTE;

/// What a token is for. A refresh token is never accepted as an access token, nor the other way
/// round (RFC 8725 §3.11): `typ` in the header and `type` in the claims both say which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Presented with each request; short-lived.
    Access,
    /// Exchanged for the next pair of tokens; usable once.
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

/// What a token says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// The token's own id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// Which session it belongs to.
    pub session_id: SessionId,
    /// When it was issued; seconds precision.
    pub issued_at: Timestamp,
    /// From when on it is worthless; seconds precision.
    pub expires_at: Timestamp,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// Malformed, wrongly signed, of another kind, or from somebody else.
    Invalid,
    /// Ours in every respect, but past its `exp`. Logout still honours it.
    Expired(TokenClaims),
}

/// The claims as they are written, beside `iat` and `exp`.
#[derive(Serialize, Deserialize)]
struct CustomClaims {
    sub: String,
    jti: String,
    sid: String,
    #[serde(rename = "type")]
    kind: TokenKind,
    iss: String,
    aud: String,
}

struct Key {
    id: String,
    key: Hs256Key,
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        // Derived, so that a new secret has a new id without anybody choosing one.
        let digest = Sha256::new().chain_update(b"edge-auth key id\0").chain_update(bytes).finalize();
        let id = hex(digest.get(..8).unwrap_or_default());
        Self { id, key: Hs256Key::new(bytes) }
    }
}

/// Issues and checks the tokens of this service.
pub struct TokenAuthority {
    current: Key,
    previous: Option<Key>,
    issuer: String,
    audience: String,
}

impl std::fmt::Debug for TokenAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenAuthority").field("kid", &self.current.id).finish_non_exhaustive()
    }
}

impl TokenAuthority {
    /// Signs with `secret`; verifies with it and with `previous`, so that a secret can be changed
    /// without signing anybody out.
    #[must_use]
    pub fn new(secret: &Secret, previous: Option<&Secret>, issuer: &str, audience: &str) -> Self {
        Self {
            current: Key::new(secret),
            previous: previous.map(Key::new),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        }
    }

    /// Writes a signed token. The same claims give the same text, byte for byte: that is how a retried
    /// refresh is answered with the successor it lost, although no token is stored.
    ///
    /// # Errors
    /// When the claims cannot be written as JSON, which strings and integers always can.
    pub fn sign(&self, kind: TokenKind, claims: &TokenClaims) -> Result<Secret, jwt_compact::CreationError> {
        let header = Header::empty().with_token_type(kind.header_type()).with_key_id(self.current.id.as_str());
        let mut body = Claims::new(CustomClaims {
            sub: claims.user_id.to_string(),
            jti: claims.id.as_str().to_owned(),
            sid: claims.session_id.to_string(),
            kind,
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
        });
        body.issued_at = date_time(claims.issued_at);
        body.expiration = date_time(claims.expires_at);
        Hs256.token(&header, &body, &self.current.key).map(Secret::new)
    }

    /// Checks a token: form, algorithm, key, signature, `typ`, `type`, `iss`, `aud`, `iat`, and last of
    /// all `exp`, so that [`TokenFault::Expired`] is said of nothing but our own tokens.
    ///
    /// # Errors
    /// [`TokenFault`].
    pub fn verify(&self, kind: TokenKind, text: &str, now: Timestamp) -> Result<TokenClaims, TokenFault> {
        let claims = self.verify_signed(kind, text).ok_or(TokenFault::Invalid)?;
        if claims.issued_at > now.plus_seconds(CLOCK_SKEW_SECONDS) {
            return Err(TokenFault::Invalid);
        }
        if claims.expires_at <= now {
            return Err(TokenFault::Expired(claims));
        }
        Ok(claims)
    }

    fn verify_signed(&self, kind: TokenKind, text: &str) -> Option<TokenClaims> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let untrusted = UntrustedToken::new(text).ok()?;
        let header = untrusted.header();
        let key = self.key(header.key_id.as_deref()?)?;
        if header.token_type.as_deref() != Some(kind.header_type()) {
            return None;
        }
        let token = Hs256.validator::<CustomClaims>(&key.key).validate(&untrusted).ok()?;
        let claims = token.claims();
        let custom = &claims.custom;
        if custom.kind != kind || custom.iss != self.issuer || custom.aud != self.audience {
            return None;
        }
        Some(TokenClaims {
            id: TokenId::parse(&custom.jti)?,
            user_id: UserId::parse(&custom.sub)?,
            session_id: SessionId::parse(&custom.sid)?,
            issued_at: Timestamp::from_seconds(claims.issued_at?.timestamp()),
            expires_at: Timestamp::from_seconds(claims.expiration?.timestamp()),
        })
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == id)
    }
}

fn date_time(time: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.seconds(), 0)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
