//! Signing keys of access tokens: their algorithms, their ids and their states.
//!
//! ```text
//!             rotate                rotate                   the last token has expired
//!   next ───────────────▶ current ───────────▶ retired ─────────────────────────────────▶ gone
//!   published,            signs                verifies
//!   signs nothing           │                     │
//!     │                     │ revoke              │ revoke
//!     └─────────────────────┴───────▶ revoked ◀───┘
//!                                     verifies nothing
//! ```
//!
//! At any time there is exactly one `next` and one `current` key, unless access tokens are signed with `SECRET_KEY`.
//! [`ring`] decides the transitions. The private halves stay encrypted in the database.

pub mod ring;

use crate::domain::ids::hex;

/// The algorithm that signs access tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with `SECRET_KEY`: only the service itself can verify.
    Hs256,
    /// `EdDSA` on Curve25519 (RFC 8037 §3.1).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// The algorithm with this name, as in the setting, the `alg` of a token and the database.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Hs256, Self::EdDsa, Self::Es256].into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// The name in the setting, the `alg` of a token and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The members of a public key besides `kty` and `crv`, and these two (RFC 7518 §6.2, RFC 8037 §2). `None` if the
    /// algorithm has no key pair.
    #[must_use]
    pub const fn key_type(self) -> Option<KeyType> {
        match self {
            Self::Hs256 => None,
            Self::EdDsa => Some(KeyType { kty: "OKP", crv: "Ed25519", has_y: false }),
            Self::Es256 => Some(KeyType { kty: "EC", crv: "P-256", has_y: true }),
        }
    }
}

/// The type of a key pair, in the terms of a JSON Web Key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the key's members")]
pub struct KeyType {
    pub kty: &'static str,
    pub crv: &'static str,
    /// A point of an elliptic curve has two coordinates; an Ed25519 key is one text.
    pub has_y: bool,
}

/// The `kid` of a signing key: 128 random bits as 32 hex digits. The ids of `SECRET_KEY`s have 16 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// Makes an id from 128 random bits.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Parses 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Some(Self(bytes))
    }

    /// The id as text, in tokens, the key set, the database and logs.
    #[must_use]
    pub fn text(self) -> String {
        hex(&self.0)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The state of a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that caches have it before it signs.
    Next,
    /// Signs all new tokens.
    Current,
    /// Verifies the tokens that it signed.
    Retired,
    /// Leaked: verifies nothing. The row stays until the last token has expired, so that its tokens need no look-up.
    Revoked,
}

impl KeyState {
    /// The state with this stored name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Next, Self::Current, Self::Retired, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }

    /// The name, as stored and shown to operators.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn stored_names_unchanged() {
        let states = [KeyState::Next, KeyState::Current, KeyState::Retired, KeyState::Revoked];
        assert_eq!(states.map(KeyState::as_str), ["next", "current", "retired", "revoked"]);
        assert!(states.into_iter().all(|state| KeyState::named(state.as_str()) == Some(state)));
        let algorithms = [Algorithm::Hs256, Algorithm::EdDsa, Algorithm::Es256];
        assert_eq!(algorithms.map(Algorithm::as_str), ["HS256", "EdDSA", "ES256"]);
        assert_eq!(Algorithm::named("none"), None);
        assert_eq!(Algorithm::named("hs256"), None);
    }

    #[test]
    fn key_ids_are_32_lower_case_hex_digits() {
        let id = KeyId::from_random([0xab; 16]);
        assert_eq!(id.text(), "ab".repeat(16));
        assert_eq!(KeyId::parse(&id.text()), Some(id));
        for text in ["", &"AB".repeat(16), &"a".repeat(31), &"a".repeat(33), &"a".repeat(34), &"g".repeat(32)] {
            assert_eq!(KeyId::parse(text), None, "{text:?}");
        }
    }
}
