//! Device tokens: a signed statement that a client signed in to an account before.
//!
//! A device token opens nothing. It only tells the throttle which counter an attempt belongs to, so that strangers'
//! failures do not lock the owner out. It has a `typ` and a `type` of its own, so it is never accepted as another token.

use jwt_compact::Claims;

use crate::domain::ids::{TokenId, UserId};
use crate::domain::secret::Secret;
use crate::domain::session::authority::TokenAuthority;
use crate::domain::session::token::{CLOCK_SKEW_SECONDS, date_time};
use crate::domain::session::wire::WireClaims;
use crate::domain::time::{DAY, Timestamp};

/// A second factor that was presented on a device, with the password of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RememberedFactor {
    /// The moment at which it was presented.
    pub at: Timestamp,
    /// A change of the password makes the device forget it.
    pub password_version: i64,
}

/// Lifetime of a device token, in seconds.
pub const LIFETIME_SECONDS: i64 = 90 * DAY;
const HEADER_TYPE: &str = "dt+jwt";
const TYPE: &str = "device";

impl TokenAuthority {
    /// Signs the token of a device, which is valid for 90 days.
    ///
    /// # Errors
    /// If the claims cannot be serialised as JSON; for strings and integers that never happens.
    pub fn sign_device(
        &self,
        user_id: UserId,
        device: &TokenId,
        factor: Option<RememberedFactor>,
        now: Timestamp,
    ) -> Result<Secret, jwt_compact::CreationError> {
        let (issuer, audience) = self.names();
        let mut body = Claims::new(WireClaims {
            sub: user_id.to_string(),
            // The device, the same in each of its tokens.
            jti: device.as_str().to_owned(),
            kind: TYPE.to_owned(),
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            auth_time: factor.map(|factor| factor.at.seconds()),
            password_version: factor.map(|factor| factor.password_version),
            ..WireClaims::default()
        });
        body.issued_at = date_time(now);
        body.expiration = date_time(now.plus_seconds(LIFETIME_SECONDS));
        self.sign_claims(HEADER_TYPE, &body)
    }

    /// The user and the device of a valid device token.
    #[must_use]
    pub fn verify_device(&self, text: &str, now: Timestamp) -> Option<(UserId, TokenId)> {
        let custom = self.device_claims(text, now)?;
        Some((UserId::parse(&custom.sub)?, TokenId::parse(&custom.jti)?))
    }

    /// The second factor that the device of a valid device token remembers.
    #[must_use]
    pub fn remembered_factor(&self, text: &str, now: Timestamp) -> Option<RememberedFactor> {
        let custom = self.device_claims(text, now)?;
        let at = Timestamp::from_seconds(custom.auth_time?);
        Some(RememberedFactor { at, password_version: custom.password_version? })
    }

    fn device_claims(&self, text: &str, now: Timestamp) -> Option<WireClaims> {
        let claims = Self::signed_claims(HEADER_TYPE, &self.parse(text)?, None)?;
        let custom = claims.custom;
        if custom.kind != TYPE || !self.is_named(&custom.iss, &custom.aud) {
            return None;
        }
        let [issued_at, expires_at] = [claims.issued_at?, claims.expiration?];
        let [issued_at, expires_at] = [issued_at, expires_at].map(|time| Timestamp::from_seconds(time.timestamp()));
        if issued_at > now.plus_seconds(CLOCK_SKEW_SECONDS) || expires_at <= now {
            return None;
        }
        Some(custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SessionId;
    use crate::domain::secret_keys::SecretKeys;
    use crate::domain::session::authority::Issuers;
    use crate::domain::session::methods::AuthMethods;
    use crate::domain::session::token::{TokenClaims, TokenKind};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn authority(secret: &str, issuer: &str) -> TokenAuthority {
        TokenAuthority::new(&SecretKeys::only(Secret::new(secret.repeat(32))), Issuers::only(issuer), "audience")
    }

    fn device() -> (UserId, TokenId) {
        (UserId::new(7).unwrap(), TokenId::from_random([0xcd; 16]))
    }

    fn sign(authority: &TokenAuthority) -> String {
        authority.sign_device(device().0, &device().1, None, NOW).unwrap().expose().to_owned()
    }

    #[test]
    fn a_device_token_names_its_account_and_device_for_ninety_days() {
        let (own, end) = (authority("k", "issuer"), NOW.plus_seconds(90 * DAY));
        let token = sign(&own);
        assert_eq!(own.verify_device(&token, NOW), Some(device()));
        assert_eq!(own.verify_device(&token, end.plus_seconds(-1)), Some(device()));
        assert_eq!(own.verify_device(&token, end), None);
        assert_eq!(own.verify_device(&token, NOW.plus_seconds(-61)), None, "from the future");
    }

    #[test]
    fn a_device_remembers_the_second_factor_of_a_password() {
        let own = authority("k", "issuer");
        let factor = RememberedFactor { at: NOW.plus_seconds(-60), password_version: 3 };
        let token = own.sign_device(device().0, &device().1, Some(factor), NOW).unwrap();
        assert_eq!(own.remembered_factor(token.expose(), NOW), Some(factor));
        assert_eq!(own.verify_device(token.expose(), NOW), Some(device()));
        assert_eq!(own.remembered_factor(&sign(&own), NOW), None);
        assert_eq!(authority("l", "issuer").remembered_factor(token.expose(), NOW), None);
    }

    #[test]
    fn a_device_token_of_another_key_or_issuer_is_none() {
        let own = authority("k", "issuer");
        assert_eq!(own.verify_device(&sign(&authority("l", "issuer")), NOW), None);
        assert_eq!(own.verify_device(&sign(&authority("k", "another")), NOW), None);
        let token = sign(&own);
        for text in ["", "x", "a.b.c", &token[..token.len() - 1], &format!("{token}x"), &"x".repeat(100_000)] {
            assert_eq!(own.verify_device(text, NOW), None);
        }
    }

    #[test]
    fn a_device_token_survives_a_rotation_of_the_secret() {
        let [old, new] = ["k", "l"].map(|secret| Secret::new(secret.repeat(32)));
        let keys = SecretKeys { previous: Some(old), ..SecretKeys::only(new) };
        let rotated = TokenAuthority::new(&keys, Issuers::only("issuer"), "audience");
        assert_eq!(rotated.verify_device(&sign(&authority("k", "issuer")), NOW), Some(device()));
    }

    #[test]
    fn no_token_is_accepted_as_one_of_another_kind() {
        let own = authority("k", "issuer");
        let (id, session_id) = (device().1, SessionId::new(99).unwrap());
        let (user_id, expires_at, auth_time) = (device().0, NOW.plus_seconds(900), Some(NOW));
        let claims = TokenClaims {
            id,
            user_id,
            session_id,
            issued_at: NOW,
            expires_at,
            auth_time,
            methods: AuthMethods::PASSWORD,
            bookmark: None,
        };
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            assert!(own.verify(kind, &sign(&own), NOW).is_err());
            assert_eq!(own.verify_device(own.sign(kind, &claims).unwrap().expose(), NOW), None);
        }
    }
}
