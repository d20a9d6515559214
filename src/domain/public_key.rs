//! Public keys that others sign with: the keys of passkeys, and those of identity providers. Each is a JSON Web Key, which
//! `WebCrypto` imports.
//!
//! Only the form is checked here. Whether a point lies on its curve is checked where the key is imported.

use std::ops::RangeInclusive;

use base64ct::{Base64UrlUnpadded, Encoding as _};

/// An algorithm by which others may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// `EdDSA` on Curve25519 (RFC 8037 §3.1).
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: older TPMs and most identity providers know nothing else.
    Rs256,
}

impl SignatureAlgorithm {
    /// Every algorithm, the preferred one first.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in a JSON Web Key, in a token and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// A public key of another party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The algorithm that it is for, and for no other (RFC 8725 §3.1).
    pub algorithm: SignatureAlgorithm,
    /// The text of a JSON Web Key with the members that its type requires, and no others.
    pub jwk: String,
}

impl PublicKey {
    /// A key on Curve25519. `None` unless it has 32 bytes.
    pub(in crate::domain) fn ed25519(x: &[u8]) -> Option<Self> {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, coordinate(x)?);
        Some(Self { algorithm: SignatureAlgorithm::EdDsa, jwk })
    }

    /// A point of P-256. `None` unless each coordinate has 32 bytes.
    pub(in crate::domain) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, coordinate(x)?, coordinate(y)?);
        Some(Self { algorithm: SignatureAlgorithm::Es256, jwk })
    }

    /// An RSA key. `None` unless the modulus has so many bytes, the first bit of 256 set, and the exponent is usable.
    pub(in crate::domain) fn rsa(n: &[u8], e: &[u8], modulus_bytes: RangeInclusive<usize>) -> Option<Self> {
        if !(modulus_bytes.contains(&n.len()) && is_modulus(n) && is_exponent(e)) {
            return None;
        }
        let [n, e] = [n, e].map(Base64UrlUnpadded::encode_string);
        Some(Self { algorithm: SignatureAlgorithm::Rs256, jwk: format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#) })
    }
}

/// 32 bytes. So a point is uncompressed, as WebAuthn Level 3, §5.8.5 demands.
fn coordinate(bytes: &[u8]) -> Option<String> {
    (bytes.len() == 32).then(|| Base64UrlUnpadded::encode_string(bytes))
}

/// A number of at least 2048 bits, without leading zeros (RFC 7518 §3.3 and §6.3.1.1, RFC 8230 §4).
fn is_modulus(bytes: &[u8]) -> bool {
    let is_long_enough = bytes.len() > 256 || bytes.first().is_some_and(|first| *first >= 0x80);
    // A product of two odd primes is odd.
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    bytes.len() >= 256 && is_long_enough && is_odd && bytes.first() != Some(&0)
}

/// An odd number from 3 on, of at most 4 bytes, without leading zeros.
fn is_exponent(bytes: &[u8]) -> bool {
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    bytes.len() <= 4 && is_odd && bytes.first() != Some(&0) && bytes != [1]
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn algorithms_have_their_registered_names() {
        assert_eq!(SignatureAlgorithm::ALL.map(SignatureAlgorithm::as_str), ["EdDSA", "ES256", "RS256"]);
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(SignatureAlgorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for other in ["es256", "none", "HS256", "PS256", "RS384", "Ed25519", ""] {
            assert_eq!(SignatureAlgorithm::parse(other), None);
        }
    }

    #[test]
    fn the_length_of_a_modulus_is_bounded_by_the_caller_and_by_2048_bits() {
        let rsa = |length: usize, first: u8, range| {
            let n = [vec![first], vec![0xff; length - 1]].concat();
            PublicKey::rsa(&n, &[1, 0, 1], range).is_some()
        };
        assert!(rsa(256, 0x80, 256..=512) && rsa(512, 0xff, 256..=512) && rsa(1024, 0xff, 256..=1024));
        assert!(!rsa(513, 1, 256..=512) && !rsa(256, 0x7f, 256..=512) && !rsa(128, 0xff, 1..=512));
    }
}
