//! Access tokens of service accounts (RFC 6749 §4.4, RFC 9068). They have no session. A token names its key, so a withdrawn
//! key, a removed scope and a disabled account end it at the next use.

use jwt_compact::{Claims, CreationError};

use crate::domain::ids::{ApiKeyId, TokenId};
use crate::domain::keys::{Algorithm, KeyId};
use crate::domain::machine::scope::ScopeSet;
use crate::domain::secret::Secret;
use crate::domain::session::authority::{Presented, TokenAuthority, claims_to_be_signed};
use crate::domain::session::token::{CLOCK_SKEW_SECONDS, date_time};
use crate::domain::session::wire::WireClaims;
use crate::domain::time::Timestamp;

/// The `typ` of access tokens (RFC 9068 §2.1).
const HEADER_TYPE: &str = "at+jwt";
/// The `type` claim. A resource server that wants users finds another value than `access`.
const TYPE: &str = "service";

/// The verified claims of a service's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTokenClaims {
    /// The `jti` claim, unique per token.
    pub id: TokenId,
    /// The `sub` and the `client_id` claim: the account.
    pub client_id: String,
    /// The key with which the token was obtained.
    pub key_id: ApiKeyId,
    /// The scopes of the token, each also one of the account when it was issued.
    pub scopes: ScopeSet,
    /// The `iat` claim, in whole seconds.
    pub issued_at: Timestamp,
    /// The `exp` claim, in whole seconds.
    pub expires_at: Timestamp,
}

impl ServiceTokenClaims {
    fn wire(&self, (issuer, audience): (&str, &str)) -> Claims<WireClaims> {
        let mut body = Claims::new(WireClaims {
            sub: self.client_id.clone(),
            client_id: Some(self.client_id.clone()),
            jti: self.id.as_str().to_owned(),
            scope: Some(self.scopes.text()),
            kind: TYPE.to_owned(),
            key: Some(self.key_id.to_string()),
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            ..WireClaims::default()
        });
        body.issued_at = date_time(self.issued_at);
        body.expiration = date_time(self.expires_at);
        body
    }

    fn read(claims: &Claims<WireClaims>) -> Option<Self> {
        let wire = &claims.custom;
        let client_id = wire.client_id.as_ref().filter(|client_id| wire.kind == TYPE && wire.sub == **client_id)?;
        Some(Self {
            id: TokenId::parse(&wire.jti)?,
            client_id: client_id.clone(),
            key_id: ApiKeyId::parse(wire.key.as_deref()?)?,
            scopes: ScopeSet::of_names(wire.scope.as_deref()?.split(' ')),
            issued_at: Timestamp::from_seconds(claims.issued_at?.timestamp()),
            expires_at: Timestamp::from_seconds(claims.expiration?.timestamp()),
        })
    }
}

impl TokenAuthority {
    /// Signs the token of a service with `SECRET_KEY`.
    ///
    /// # Errors
    /// If the claims cannot be serialised as JSON; for strings and integers that never happens.
    pub fn sign_service(&self, claims: &ServiceTokenClaims) -> Result<Secret, CreationError> {
        self.sign_claims(HEADER_TYPE, &claims.wire(self.names()))
    }

    /// The text of such a token that a key of the ring signs.
    ///
    /// # Errors
    /// As [`Self::sign_service`].
    pub fn service_to_be_signed(
        &self,
        key: (KeyId, Algorithm),
        claims: &ServiceTokenClaims,
    ) -> Result<String, CreationError> {
        claims_to_be_signed(key, HEADER_TYPE, &claims.wire(self.names()))
    }

    /// The verified claims of a service's token, expired or not; `None` for any other token. `ring_check` as for
    /// [`Self::claims`].
    #[must_use]
    pub fn service_claims(
        &self,
        presented: &Presented<'_>,
        ring_check: Option<Algorithm>,
        now: Timestamp,
    ) -> Option<ServiceTokenClaims> {
        let claims = Self::signed_claims(HEADER_TYPE, presented, ring_check)?;
        let is_named = self.is_named(&claims.custom.iss, &claims.custom.aud);
        let read = ServiceTokenClaims::read(&claims).filter(|_| is_named)?;
        (claims.not_before.is_none() && read.issued_at <= now.plus_seconds(CLOCK_SKEW_SECONDS)).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{SessionId, UserId};
    use crate::domain::machine::scope::Scope;
    use crate::domain::secret_keys::SecretKeys;
    use crate::domain::session::authority::Issuers;
    use crate::domain::session::methods::AuthMethods;
    use crate::domain::session::token::{TokenClaims, TokenFault, TokenKind};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn authority() -> TokenAuthority {
        TokenAuthority::new(&SecretKeys::only(Secret::new("k".repeat(32))), Issuers::only("issuer"), "audience")
    }

    fn claims() -> ServiceTokenClaims {
        ServiceTokenClaims {
            id: TokenId::from_random([0xcd; 16]),
            client_id: "sa_0123".to_owned(),
            key_id: ApiKeyId::new(7).unwrap(),
            scopes: [Scope::Introspect, Scope::AuthzCheck].into_iter().collect(),
            issued_at: NOW,
            expires_at: NOW.plus_seconds(900),
        }
    }

    #[test]
    fn a_token_of_a_service_is_no_token_of_a_user_and_the_reverse() {
        let authority = authority();
        let service = authority.sign_service(&claims()).unwrap();
        let presented = authority.parse(service.expose()).unwrap();
        assert_eq!(authority.service_claims(&presented, None, NOW), Some(claims()));
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            assert_eq!(authority.verify(kind, service.expose(), NOW), Err(TokenFault::Invalid));
            let user = TokenClaims {
                id: TokenId::from_random([0xcd; 16]),
                user_id: UserId::new(7).unwrap(),
                session_id: SessionId::new(99).unwrap(),
                issued_at: NOW,
                expires_at: NOW.plus_seconds(900),
                auth_time: Some(NOW),
                methods: AuthMethods::PASSWORD,
                bookmark: None,
            };
            let user = authority.sign(kind, &user).unwrap();
            assert_eq!(authority.service_claims(&authority.parse(user.expose()).unwrap(), None, NOW), None);
        }
        let early = authority.service_claims(&presented, None, NOW.plus_seconds(-CLOCK_SKEW_SECONDS - 1));
        assert_eq!(early, None, "issued in the future");
    }

    #[test]
    fn format_unchanged() {
        let text = authority().sign_service(&claims()).unwrap();
        let body = text.expose().split('.').nth(1).unwrap();
        let body = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, body).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "sub": "sa_0123", "client_id": "sa_0123", "jti": "cd".repeat(16), "scope": "introspect authz:check",
            "type": "service", "key": "7", "iss": "issuer", "aud": "audience",
            "iat": NOW.seconds(), "exp": NOW.seconds() + 900,
        });
        assert_eq!(body, expected);
    }
}
