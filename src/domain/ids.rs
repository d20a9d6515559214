//! Identifiers: one type for each, so that the compiler rejects an id of another kind.

use std::fmt;

use serde::Deserialize;

use crate::domain::time::{MINUTE, Timestamp};

/// The largest integer that a JavaScript number represents exactly, and so D1 and JSON clients: 2^53 - 1.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Accepts 1 to 2^53 - 1, the positive integers that a JSON number represents exactly.
            #[must_use]
            pub const fn new(value: i64) -> Option<Self> {
                if value > 0 && value <= MAX_SAFE_INTEGER { Some(Self(value)) } else { None }
            }

            /// Parses the canonical decimal form: no sign, no leading zero, no blanks.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
                canonical.then(|| text.parse().ok()).flatten().and_then(Self::new)
            }

            /// The integer, in the database and in JSON.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

integer_id! {
    /// Primary key of the table `users`.
    UserId
}

integer_id! {
    /// Primary key of the table `sessions`; each login opens one session. The id is random, so it does not reveal
    /// how many sessions exist. It is also known before the insert, so one batch holds all writes of a login.
    SessionId
}

integer_id! {
    /// Primary key of the table `universities`.
    UniversityId
}

integer_id! {
    /// Primary key of the table `departments`.
    DepartmentId
}

integer_id! {
    /// Primary key of the table `user_university_roles`: a role granted to a user, in a university or platform-wide.
    GrantId
}

integer_id! {
    /// Primary key of the table `courses`.
    CourseId
}

integer_id! {
    /// Primary key of the table `enrollments`.
    EnrollmentId
}

integer_id! {
    /// Primary key of the table `audit_events`; it grows with time, so it also serves as a cursor.
    EventId
}

integer_id! {
    /// Primary key of the table `api_keys`, and a part of each key.
    ApiKeyId
}

integer_id! {
    /// Primary key of the table `service_accounts`.
    ServiceAccountId
}

integer_id! {
    /// Primary key of the table `email_proofs`, and a part of the links and flows. Random, like that of a session.
    ProofId
}

integer_id! {
    /// Primary key of the table `mails`. Random, like that of a session.
    MailId
}

integer_id! {
    /// Primary key of the table `invitations`, and a part of the links.
    InvitationId
}

integer_id! {
    /// Primary key of the table `used_challenges`: of a WebAuthn challenge, or of a sign-in that waits for a second factor.
    /// Random, like that of a session.
    ChallengeId
}

integer_id! {
    /// Primary key of the table `totp_secrets`.
    TotpId
}

integer_id! {
    /// Primary key of the table `passkeys`.
    PasskeyId
}

integer_id! {
    /// Primary key of the table `identities`.
    IdentityId
}

integer_id! {
    /// Primary key of the table `used_flows`: of a sign-in at another provider. Random, like that of a session.
    FlowId
}

/// Bits of a drawn id that are random, below those of its time.
const RANDOM_BITS: u32 = 24;
/// 2025-01-01T00:00:00Z, in seconds since the Unix epoch.
const DRAWN_SINCE: i64 = 1_735_689_600;

/// The minute of the moment, followed by random bits. So lists are roughly in the order of creation, and the id is known
/// before the insert. It has at most 15 digits, as cursors have, until the year 2138.
fn drawn(now: Timestamp, bytes: [u8; 8]) -> i64 {
    let random = i64::from_le_bytes(bytes) & ((1 << RANDOM_BITS) - 1);
    let minutes = (now.seconds() - DRAWN_SINCE).max(0) / MINUTE;
    let id = (minutes << RANDOM_BITS) | random;
    id.clamp(1, MAX_SAFE_INTEGER)
}

macro_rules! drawn_id {
    ($($name:ident)+) => {$(
        impl $name {
            /// Draws the id of a new row.
            #[must_use]
            pub fn draw(now: Timestamp, bytes: [u8; 8]) -> Self {
                Self(drawn(now, bytes))
            }
        }
    )+};
}

drawn_id! { ApiKeyId ServiceAccountId InvitationId TotpId PasskeyId IdentityId }

impl EventId {
    /// Greater than every stored id: the cursor of the first page, newest event first.
    pub const END: Self = Self(MAX_SAFE_INTEGER);
}

macro_rules! random_id {
    ($($name:ident)+) => {$(
        impl $name {
            /// Makes an id from 53 of the 64 random bits.
            #[must_use]
            pub fn from_random(bytes: [u8; 8]) -> Self {
                let bits = i64::from_le_bytes(bytes) & MAX_SAFE_INTEGER;
                Self(bits.max(1))
            }
        }
    )+};
}

random_id! { SessionId ProofId MailId ChallengeId FlowId }

/// Identifies one token: its `jti` claim (RFC 7519 §4.1.7), 128 random bits as 32 hex digits.
/// It is not secret: only a signed token is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct TokenId(String);

impl TokenId {
    /// Makes an id from 128 random bits.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }

    /// Parses 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(lower_hex)).then(|| Self(text.to_owned()))
    }

    /// The value of the `jti` claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Encodes bytes as lower-case hexadecimal, two digits per byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn only_canonical_positive_safe_integers_are_ids() {
        assert_eq!(UserId::parse("42").map(UserId::get), Some(42));
        let largest = "9007199254740991";
        assert_eq!(UserId::parse(largest).map(UserId::get), Some(MAX_SAFE_INTEGER));
        for text in
            ["", "0", "-1", "+1", "01", " 1", "1 ", "1.0", "1e3", "٣", "9007199254740992", "99999999999999999999"]
        {
            assert_eq!(UserId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn random_session_ids_are_always_valid() {
        for bytes in [[0; 8], [0xff; 8], [0x80, 0, 0, 0, 0, 0, 0, 0x80]] {
            let id = SessionId::from_random(bytes);
            assert_eq!(SessionId::new(id.get()), Some(id));
        }
    }

    #[test]
    fn drawn_ids_grow_with_time_and_have_at_most_15_digits() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let draw = |seconds, byte| ApiKeyId::draw(now.plus_seconds(seconds), [byte; 8]).get();
        assert!(draw(0, 0) < draw(0, 0xff) && draw(0, 0xff) < draw(60, 0));
        assert!(draw(2_000_000_000, 0xff).to_string().len() <= 15);
        assert_eq!(ServiceAccountId::draw(Timestamp::from_millis(-1), [0; 8]).get(), 1, "an id is positive");
    }

    #[test]
    fn token_ids_are_32_lower_case_hex_digits() {
        let id = TokenId::from_random([0xab; 16]);
        assert_eq!(id.as_str(), "ab".repeat(16));
        assert_eq!(TokenId::parse(id.as_str()), Some(id));
        for text in ["", &"AB".repeat(16), &"a".repeat(31), &"a".repeat(33), &"g".repeat(32)] {
            assert_eq!(TokenId::parse(text), None, "{text:?}");
        }
    }
}
