//! A sign-in whose first factor was right and whose second factor is due: the `mfa_token`, a signed token.
//!
//! It opens nothing. It has a `typ` and a `type` of its own, so it is never accepted as another token. Wrong answers, and the
//! use of the token, are stored under its id.

use jwt_compact::Claims;

use crate::domain::ids::{ChallengeId, TokenId, UserId};
use crate::domain::secret::Secret;
use crate::domain::session::authority::TokenAuthority;
use crate::domain::session::methods::AuthMethods;
use crate::domain::session::token::{CLOCK_SKEW_SECONDS, date_time};
use crate::domain::session::wire::WireClaims;
use crate::domain::time::{MINUTE, Timestamp};

/// Seconds for which the second factor is awaited.
pub const PENDING_SECONDS: i64 = 5 * MINUTE;
/// Wrong answers that a token bears.
pub const MAX_WRONG_ANSWERS: i64 = 5;
const HEADER_TYPE: &str = "mfa+jwt";
const TYPE: &str = "mfa";

/// An identity of another provider that the second factor adds to the account. Until then it is no way in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PendingLink {
    pub provider: String,
    pub issuer: String,
    pub subject: String,
    /// The address of the account.
    pub email: String,
    /// A mailed code has proven the address. A provider's word does not suffice for an administrator.
    pub has_code: bool,
}

/// A sign-in that waits for its second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingSignIn {
    /// The key of its row.
    pub id: ChallengeId,
    /// The account, whose first factor was right.
    pub user_id: UserId,
    /// The version of the password. A change of the password ends the sign-in.
    pub password_version: i64,
    /// The methods of the first factor.
    pub methods: AuthMethods,
    /// The device of a device token that the client presented.
    pub device: Option<TokenId>,
    /// The account did not know the network and the device.
    pub is_new_client: bool,
    /// The identity that is added with it.
    pub link: Option<PendingLink>,
    /// The end of the wait.
    pub expires_at: Timestamp,
}

impl TokenAuthority {
    /// Signs the token of a pending sign-in.
    ///
    /// # Errors
    /// If the claims cannot be serialised as JSON; for strings and integers that never happens.
    pub fn sign_pending(&self, pending: &PendingSignIn, now: Timestamp) -> Result<Secret, jwt_compact::CreationError> {
        let (issuer, audience) = self.names();
        let mut body = Claims::new(WireClaims {
            sub: pending.user_id.to_string(),
            jti: pending.id.to_string(),
            kind: TYPE.to_owned(),
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            amr: Some(pending.methods.names().map(str::to_owned).collect()),
            password_version: Some(pending.password_version),
            device: pending.device.as_ref().map(|id| id.as_str().to_owned()),
            is_new_client: Some(pending.is_new_client),
            link: pending.link.clone().map(PendingLink::texts),
            ..WireClaims::default()
        });
        body.issued_at = date_time(now);
        body.expiration = date_time(pending.expires_at);
        self.sign_claims(HEADER_TYPE, &body)
    }

    /// The pending sign-in of a valid token.
    #[must_use]
    pub fn verify_pending(&self, text: &str, now: Timestamp) -> Option<PendingSignIn> {
        let claims = Self::signed_claims(HEADER_TYPE, &self.parse(text)?, None)?;
        let custom = &claims.custom;
        if custom.kind != TYPE || !self.is_named(&custom.iss, &custom.aud) {
            return None;
        }
        let issued_at = Timestamp::from_seconds(claims.issued_at?.timestamp());
        let expires_at = Timestamp::from_seconds(claims.expiration?.timestamp());
        if issued_at > now.plus_seconds(CLOCK_SKEW_SECONDS) || expires_at <= now {
            return None;
        }
        Some(PendingSignIn {
            id: ChallengeId::parse(&custom.jti)?,
            user_id: UserId::parse(&custom.sub)?,
            password_version: custom.password_version?,
            methods: AuthMethods::named(custom.amr.iter().flatten().map(String::as_str)),
            device: custom.device.as_deref().and_then(TokenId::parse),
            is_new_client: custom.is_new_client?,
            link: custom.link.as_deref().and_then(read_link),
            expires_at,
        })
    }
}

impl PendingLink {
    fn texts(self) -> Vec<String> {
        let evidence = if self.has_code { "code" } else { "provider" };
        [self.provider, self.issuer, self.subject, self.email, evidence.to_owned()].into()
    }
}

fn read_link(names: &[String]) -> Option<PendingLink> {
    let [provider, issuer, subject, email, evidence] = names.to_vec().try_into().ok()?;
    Some(PendingLink { provider, issuer, subject, email, has_code: evidence == "code" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret_keys::SecretKeys;
    use crate::domain::session::authority::Issuers;
    use crate::domain::session::token::TokenKind;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn authority(secret: &str) -> TokenAuthority {
        TokenAuthority::new(&SecretKeys::only(Secret::new(secret.repeat(32))), Issuers::only("issuer"), "audience")
    }

    fn pending(device: Option<TokenId>) -> PendingSignIn {
        PendingSignIn {
            id: ChallengeId::new(4711).unwrap(),
            user_id: UserId::new(7).unwrap(),
            password_version: 3,
            methods: AuthMethods::PASSWORD,
            device,
            is_new_client: true,
            link: None,
            expires_at: NOW.plus_seconds(PENDING_SECONDS),
        }
    }

    #[test]
    fn a_token_keeps_its_sign_in_for_five_minutes() {
        let link = ["acme", "https://id.example.com", "4711", "ada@example.com", "code"].map(str::to_owned);
        let link = read_link(&link);
        assert!(link.is_some());
        let linking = PendingSignIn { link, ..pending(None) };
        for pending in [pending(None), linking, pending(Some(TokenId::from_random([0xcd; 16])))] {
            let token = authority("k").sign_pending(&pending, NOW).unwrap();
            let verify = |now| authority("k").verify_pending(token.expose(), now);
            assert_eq!(verify(NOW), Some(pending.clone()));
            assert_eq!(verify(NOW.plus_seconds(299)), Some(pending));
            assert_eq!(verify(NOW.plus_seconds(300)), None);
            assert_eq!(verify(NOW.plus_seconds(-61)), None, "from the future");
            assert_eq!(authority("l").verify_pending(token.expose(), NOW), None);
        }
    }

    #[test]
    fn no_token_is_accepted_as_one_of_another_kind() {
        let own = authority("k");
        let token = own.sign_pending(&pending(None), NOW).unwrap();
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            assert!(own.verify(kind, token.expose(), NOW).is_err());
        }
        assert_eq!(own.verify_device(token.expose(), NOW), None);
        let device = own.sign_device(pending(None).user_id, &TokenId::from_random([1; 16]), None, NOW).unwrap();
        assert_eq!(own.verify_pending(device.expose(), NOW), None);
        for text in ["", "x", "a.b.c", &"x".repeat(100_000)] {
            assert_eq!(own.verify_pending(text, NOW), None);
        }
    }
}
