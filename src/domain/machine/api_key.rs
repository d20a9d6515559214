//! The text of an API key: `ea_sk_<id>_<secret>_<checksum>`.
//!
//! The prefix is for scanners of leaked secrets, and the id finds the row. The checksum refuses a typing error before the
//! database is asked; it protects nothing, since any client can compute it. Only a hash of the secret is stored. The secret
//! is random, so the hash needs no salt, no rounds, and no key that could be lost.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::ids::{ApiKeyId, hex};
use crate::domain::secret::Secret;

/// The beginning of every key. A bearer token that begins with it is never tried as a JWT.
pub const PREFIX: &str = "ea_sk_";

/// Bytes of a secret: 256 bits.
pub const SECRET_BYTES: usize = 32;
/// The secret's length in hex digits.
const SECRET_DIGITS: usize = 2 * SECRET_BYTES;
/// The checksum's length in hex digits.
const CHECKSUM_DIGITS: usize = 8;
/// Separates hashes of keys from those of other secrets.
const PURPOSE: &[u8] = b"edge-auth api key\0";

/// Keys that one user can have.
pub const MAX_KEYS_OF_USER: i64 = 25;
/// Keys that one service account can have: the current one, and the next one while both are in use.
pub const MAX_KEYS_OF_SERVICE: i64 = 2;
/// Milliseconds between two updates of a key's last use.
pub const USE_INTERVAL_MS: i64 = 60 * 1000;

/// A key in its canonical form, with a right checksum. Only the database knows whether it exists.
#[derive(Debug, Clone)]
pub struct ApiKey {
    id: ApiKeyId,
    secret: Secret,
}

impl ApiKey {
    /// Makes a key from 256 random bits.
    #[must_use]
    pub fn mint(id: ApiKeyId, random: [u8; SECRET_BYTES]) -> Self {
        Self { id, secret: Secret::new(hex(&random)) }
    }

    /// Does a bearer token claim to be an API key?
    #[must_use]
    pub fn is_claimed_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Parses the canonical form. Any other text, and one with a wrong checksum, is no key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (signed, sum) = text.rsplit_once('_')?;
        let (id, secret) = signed.strip_prefix(PREFIX)?.split_once('_')?;
        let is_secret = secret.len() == SECRET_DIGITS && secret.bytes().all(is_lower_hex);
        if !is_secret || checksum(signed) != sum {
            return None;
        }
        Some(Self { id: ApiKeyId::parse(id)?, secret: Secret::new(secret) })
    }

    /// The id, by which the key is found and withdrawn. It is not secret.
    #[must_use]
    pub const fn id(&self) -> ApiKeyId {
        self.id
    }

    /// The text that its owner gets, once.
    #[must_use]
    pub fn text(&self) -> Secret {
        let signed = format!("{PREFIX}{}_{}", self.id, self.secret.expose());
        let sum = checksum(&signed);
        Secret::new(format!("{signed}_{sum}"))
    }

    /// The hash that is stored.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        let hash = Sha256::new().chain_update(PURPOSE).chain_update(self.secret.expose());
        KeyHash(hex(&hash.finalize()))
    }
}

fn checksum(signed: &str) -> String {
    let mut digits = hex(&Sha256::digest(signed));
    digits.truncate(CHECKSUM_DIGITS);
    digits
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The stored hash of a key's secret, as 64 hex digits.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(String);

impl KeyHash {
    /// Compares in constant time.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// The hex digits, for the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn key() -> ApiKey {
        ApiKey::mint(ApiKeyId::new(4711).unwrap(), [0xab; SECRET_BYTES])
    }

    #[test]
    fn format_unchanged() {
        let secret = "ab".repeat(32);
        let text = key().text();
        assert_eq!(text.expose(), format!("ea_sk_4711_{secret}_29a5354f"));
        assert_eq!(key().hash().as_str(), "b9741d9cb7624a865dc8b21bceaeca2405049ee93805126b4785b133c618dcb0");
    }

    #[test]
    fn a_key_parses_to_itself() {
        let parsed = ApiKey::parse(key().text().expose()).unwrap();
        assert_eq!(parsed.id(), key().id());
        assert!(parsed.hash().equals(&key().hash()));
        assert_eq!(parsed.text().expose(), key().text().expose());
    }

    #[test]
    fn a_change_of_any_character_is_refused() {
        let text = key().text().expose().to_owned();
        for at in 0..text.len() {
            for other in ['0', '1', 'a', 'B', '_', ' '] {
                let mut changed = text.clone();
                changed.replace_range(at..=at, &other.to_string());
                assert_eq!(ApiKey::parse(&changed).is_some(), changed == text, "{changed}");
            }
            assert!(ApiKey::parse(&text[..at]).is_none());
        }
    }

    #[test]
    fn only_the_canonical_form_is_a_key() {
        let with_sum = |signed: String| format!("{signed}_{}", checksum(&signed));
        let secret = "ab".repeat(32);
        assert!(ApiKey::parse(&with_sum(format!("ea_sk_4711_{secret}"))).is_some());
        for signed in [
            format!("ea_sk_04711_{secret}"),
            format!("ea_sk_0_{secret}"),
            format!("ea_sk_+1_{secret}"),
            format!("ea_sk_9007199254740992_{secret}"),
            format!("ea_sk__{secret}"),
            format!("ea_sk_4711_{}", secret.to_uppercase()),
            format!("ea_sk_4711_{secret}ab"),
            format!("ea_sk_4711_{}", &secret[2..]),
            format!("ea_sk_4711_{secret}_"),
            format!("EA_SK_4711_{secret}"),
            "ea_sk_4711".to_owned(),
        ] {
            assert!(ApiKey::parse(&with_sum(signed.clone())).is_none(), "{signed}");
        }
        for text in ["", "_", "ea_sk_", "ea_sk___", "a.b.c"] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_output_contains_neither_secret_nor_hash() {
        let shown = format!("{:?} {:?} {:?}", key(), key().hash(), key().text());
        assert!(!shown.contains("abab") && !shown.contains(key().hash().as_str()), "{shown}");
    }
}
