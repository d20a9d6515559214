//! JSON Web Tokens: their signature and their validation (RFC 7519, RFC 8725, RFC 9068).
//!
//! The `jwt-compact` crate owns parsing and HMAC. This file owns the claims, the choice of the key, and the order of
//! the checks. A token cannot choose an algorithm or the location of a key. Its `kid` must name a configured key or one
//! of the key ring, its `alg` must be that key's, and `jku`, `jwk` and `x5u` are ignored (RFC 8725 §3.1, §3.10). A `crit`
//! header is refused, because the service understands no extension (RFC 7515 §4.1.11).
//!
//! Asymmetric signatures are made and verified by the runtime (`ports::Signatures`). So such a token is
//! [presented](Presented) first, and its claims are returned only together with the result of that verification.

use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, CreationError, Header, UntrustedToken};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::domain::keys::ring::SignedBy;
use crate::domain::keys::{Algorithm, KeyId};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::{SecretKeys, key_id};
use crate::domain::session::elsewhere::Elsewhere;
use crate::domain::session::role_claims::RoleClaims;
use crate::domain::session::shown::ShownClaims;
use crate::domain::session::token::{TokenClaims, TokenFault, TokenKind, verify_times};
use crate::domain::session::wire::WireClaims;
use crate::domain::time::Timestamp;

/// Maximum length of a presented token in bytes, several times that of an issued one.
const MAX_LENGTH: usize = 4096;

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
        Self { id: key_id(secret), key: Hs256Key::new(secret.expose().as_bytes()) }
    }
}

/// The names in the `iss` claim: that of new tokens, and those of tokens that are still accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuers {
    /// The issuer of new tokens.
    pub current: String,
    /// The issuer before a change of the settings. Its tokens verify until they expire.
    pub previous: Option<String>,
}

impl Issuers {
    /// A single issuer, which is not being replaced.
    #[must_use]
    pub fn only(name: &str) -> Self {
        Self { current: name.to_owned(), previous: None }
    }

    pub(super) fn include(&self, name: &str) -> bool {
        self.current == name || self.previous.as_deref() == Some(name)
    }
}

/// Signs and verifies the tokens of this service.
pub struct TokenAuthority {
    current: Key,
    /// Further keys that verify.
    others: Vec<Key>,
    issuers: Issuers,
    audience: String,
}

impl std::fmt::Debug for TokenAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenAuthority").field("kid", &self.current.id).finish_non_exhaustive()
    }
}

/// A well-formed token that names a key of the service, or perhaps one of the key ring. Nothing of it is verified yet.
pub struct Presented<'a> {
    token: UntrustedToken<'a, OtherParameters>,
    text: &'a str,
    key: PresentedKey<'a>,
}

#[derive(Clone, Copy)]
enum PresentedKey<'a> {
    Secret(&'a Key),
    Ring(KeyId),
}

impl Presented<'_> {
    /// The key that the token names.
    #[must_use]
    pub const fn signed_by(&self) -> SignedBy {
        match self.key {
            PresentedKey::Secret(_) => SignedBy::SecretKey,
            PresentedKey::Ring(id) => SignedBy::Ring(id),
        }
    }

    /// The `kid` of the token.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.token.header().key_id.as_deref().unwrap_or_default()
    }

    /// Is this the algorithm that the token names?
    #[must_use]
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.token.algorithm() == algorithm.as_str()
    }

    /// The claims as they stand in the token. They are worth nothing before the signature is verified.
    #[must_use]
    pub fn shown_claims(&self) -> Option<ShownClaims> {
        let claims = self.token.deserialize_claims_unchecked::<WireClaims>().ok()?;
        let [exp, iat] = [claims.expiration, claims.issued_at].map(|time| time.map(|time| time.timestamp()));
        Some(ShownClaims::new(claims.custom, exp?, iat?))
    }

    /// The text that was signed, and its signature in base64url.
    #[must_use]
    pub fn signed_parts(&self) -> (&str, &str) {
        self.text.rsplit_once('.').unwrap_or_default()
    }
}

impl TokenAuthority {
    /// Signs with the current key, and verifies with its neighbours too. An operator can thus replace the key, and all
    /// sessions stay valid.
    #[must_use]
    pub fn new(keys: &SecretKeys, issuers: Issuers, audience: &str) -> Self {
        Self {
            current: Key::new(&keys.current),
            others: keys.verifying().skip(1).map(Key::new).collect(),
            issuers,
            audience: audience.to_owned(),
        }
    }

    /// Signs a token with `SECRET_KEY`. The same claims give the same bytes, so a retried refresh can return the lost
    /// successor although no token is stored. If the key changed between, the retry has another signature. Both texts are
    /// one token: they have the same `jti`, and every isolate knows both keys.
    ///
    /// # Errors
    /// If the claims cannot be serialised as JSON; for strings and integers that never happens.
    pub fn sign(&self, kind: TokenKind, claims: &TokenClaims) -> Result<Secret, CreationError> {
        self.sign_with_roles(kind, claims, None)
    }

    /// The same, with the roles of the user.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_with_roles(
        &self,
        kind: TokenKind,
        claims: &TokenClaims,
        roles: Option<RoleClaims>,
    ) -> Result<Secret, CreationError> {
        self.sign_claims(kind.header_type(), &claims.wire(kind, self.names(), roles))
    }

    /// The text of an access token that a key of the ring signs.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn to_be_signed(
        &self,
        key: (KeyId, Algorithm),
        claims: &TokenClaims,
        roles: Option<RoleClaims>,
    ) -> Result<String, CreationError> {
        let kind = TokenKind::Access;
        claims_to_be_signed(key, kind.header_type(), &claims.wire(kind, self.names(), roles))
    }

    /// Signs claims of any kind with the current key.
    pub(in crate::domain) fn sign_claims(
        &self,
        header_type: &str,
        claims: &Claims<WireClaims>,
    ) -> Result<Secret, CreationError> {
        let header = Header::empty().with_token_type(header_type).with_key_id(self.current.id.as_str());
        Hs256.token(&header, claims, &self.current.key).map(Secret::new)
    }

    /// The `iss` and `aud` of every new token.
    pub(in crate::domain) fn names(&self) -> (&str, &str) {
        (&self.issuers.current, &self.audience)
    }

    /// Is a token with these claims one for this service?
    pub(in crate::domain) fn is_named(&self, issuer: &str, audience: &str) -> bool {
        self.issuers.include(issuer) && self.audience == audience
    }

    /// Verifies a token that `SECRET_KEY` signed: form, algorithm, key, signature, `crit`, `typ`, `type`, `iss`, `aud`,
    /// `iat`, `nbf`. It checks `exp` last, so [`TokenFault::Expired`] is returned only for tokens that this service issued.
    ///
    /// # Errors
    /// [`TokenFault`] says whether the token is invalid or merely expired.
    pub fn verify(&self, kind: TokenKind, text: &str, now: Timestamp) -> Result<TokenClaims, TokenFault> {
        let presented = self.parse(text).ok_or(TokenFault::Invalid)?;
        self.claims(kind, &presented, None, now)
    }

    /// A token that is well-formed, and names a key of the service or one that may belong to the key ring.
    #[must_use]
    pub fn parse<'a>(&'a self, text: &'a str) -> Option<Presented<'a>> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let token = UntrustedToken::try_from(text).ok()?;
        let id = token.header().key_id.as_deref()?;
        let secret = self.key(id).map(PresentedKey::Secret);
        let key = secret.or_else(|| KeyId::parse(id).map(PresentedKey::Ring))?;
        Some(Presented { token, text, key })
    }

    /// The verified claims of a presented token. `ring_check` is the algorithm of its key in the ring, if the ring has that
    /// key and the runtime found the signature valid.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn claims(
        &self,
        kind: TokenKind,
        presented: &Presented<'_>,
        ring_check: Option<Algorithm>,
        now: Timestamp,
    ) -> Result<TokenClaims, TokenFault> {
        let signed = Self::signed_claims(kind.header_type(), presented, ring_check);
        let named = signed.filter(|claims| self.is_named(&claims.custom.iss, &claims.custom.aud));
        let claims = named.and_then(|claims| TokenClaims::read(kind, &claims)).ok_or(TokenFault::Invalid)?;
        verify_times(claims, now)
    }

    /// The claims of a token with this `typ` and a valid signature.
    pub(in crate::domain) fn signed_claims(
        header_type: &str,
        presented: &Presented<'_>,
        ring_check: Option<Algorithm>,
    ) -> Option<Claims<WireClaims>> {
        let token = &presented.token;
        let header = token.header();
        if header.other_fields.has_critical || header.token_type.as_deref() != Some(header_type) {
            return None;
        }
        let verified = match presented.key {
            PresentedKey::Secret(key) => Hs256.validator::<WireClaims>(&key.key).validate(token),
            PresentedKey::Ring(_) => Elsewhere(ring_check?.as_str()).validator::<WireClaims>(&()).validate(token),
        };
        Some(verified.ok()?.into_parts().1)
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.current).chain(&self.others).find(|key| key.id == id)
    }
}

/// The text of a token of any kind that a key of the ring signs.
pub(in crate::domain) fn claims_to_be_signed(
    (id, algorithm): (KeyId, Algorithm),
    header_type: &str,
    claims: &Claims<WireClaims>,
) -> Result<String, CreationError> {
    let header = Header::empty().with_token_type(header_type).with_key_id(id.text());
    let mut text = Elsewhere(algorithm.as_str()).token(&header, claims, &())?;
    // The empty signature has a dot, too.
    text.pop();
    Ok(text)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
