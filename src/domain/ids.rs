//! Identifiers, each with a type of its own, so that one cannot be passed for another.

use std::fmt;

use serde::Deserialize;

/// The largest integer that a JavaScript number, and so D1 and a JSON client, holds exactly: 2^53 - 1.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// A positive integer that a JSON number can carry; nothing else is an id.
            #[must_use]
            pub const fn new(value: i64) -> Option<Self> {
                if value > 0 && value <= MAX_SAFE_INTEGER { Some(Self(value)) } else { None }
            }

            /// Reads the canonical decimal form: no sign, no leading zero, no blank.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
                canonical.then(|| text.parse().ok()).flatten().and_then(Self::new)
            }

            /// The integer, as stored and as shown to clients.
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
    /// Identifies a user.
    UserId
}

integer_id! {
    /// Identifies a session: what one login starts. Drawn at random, so that it tells nothing about
    /// how many sessions there are, and so that the writes of a login need no answer from the
    /// database before the next statement.
    SessionId
}

integer_id! {
    /// Identifies a university.
    UniversityId
}

integer_id! {
    /// Identifies a department.
    DepartmentId
}

integer_id! {
    /// Identifies a grant: a role of somebody somewhere.
    GrantId
}

integer_id! {
    /// Identifies a course.
    CourseId
}

integer_id! {
    /// Identifies an enrolment.
    EnrollmentId
}

integer_id! {
    /// Identifies an audit event. Grows with time.
    EventId
}

impl EventId {
    /// Beyond every other.
    pub const END: Self = Self(MAX_SAFE_INTEGER);
}

impl SessionId {
    /// Makes an id from random bytes: 53 of their 64 bits.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        let bits = i64::from_le_bytes(bytes) & MAX_SAFE_INTEGER;
        Self(bits.max(1))
    }
}

/// Identifies one token: its `jti` claim (RFC 7519 §4.1.7), 128 random bits as 32 hex digits.
/// It is no secret: a token is worth something only with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct TokenId(String);

impl TokenId {
    /// Makes an id from random bytes.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }

    /// Reads 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(lower_hex)).then(|| Self(text.to_owned()))
    }

    /// The text of the claim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal.
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
    fn token_ids_are_32_lower_case_hex_digits() {
        let id = TokenId::from_random([0xab; 16]);
        assert_eq!(id.as_str(), "ab".repeat(16));
        assert_eq!(TokenId::parse(id.as_str()), Some(id));
        for text in ["", &"AB".repeat(16), &"a".repeat(31), &"a".repeat(33), &"g".repeat(32)] {
            assert_eq!(TokenId::parse(text), None, "{text:?}");
        }
    }
}
