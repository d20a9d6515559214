//! How passwords are stored: PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) as a PHC string.
//!
//! `$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>`. 600,000 rounds are OWASP's figure for this function
//! (Password Storage Cheat Sheet). A string may come from an older setting or from another system, so
//! the rounds are read from it, within bounds: a hash that would run for minutes is refused, not run.

use phc::{Ident, Output, ParamsString, PasswordHash as PhcHash, Salt};
use subtle::ConstantTimeEq as _;

use super::password::Password;
use super::pbkdf2;

/// Bytes of salt for a new hash (NIST SP 800-132 §5.1 asks for at least 16).
pub const SALT_LENGTH: usize = 16;
/// Bytes of the derived key: SHA-256's own length; more would cost the defender only.
const HASH_LENGTH: usize = pbkdf2::LENGTH;
/// Below this many rounds the service warns: such hashes are for tests.
pub const WEAK_ROUNDS: u32 = 100_000;
/// More rounds than this are refused: they would exhaust a request's CPU time.
pub const MAX_ROUNDS: u32 = 10_000_000;

const ALGORITHM: &str = "pbkdf2-sha256";

/// A stored password hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    rounds: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_LENGTH],
}

/// A stored text that is no password hash of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored password hash is not a PBKDF2-SHA256 PHC string within bounds")]
pub struct MalformedHash;

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PasswordHash").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

impl PasswordHash {
    /// Hashes a password.
    #[must_use]
    pub fn derive(password: &Password, salt: &[u8], rounds: u32) -> Self {
        let hash = pbkdf2::derive(password.as_bytes(), salt, rounds);
        Self { rounds, salt: salt.to_vec(), hash }
    }

    /// Reads a PHC string.
    ///
    /// # Errors
    /// [`MalformedHash`] for another algorithm, missing or extra parameters, wrong lengths, and
    /// rounds of zero or beyond [`MAX_ROUNDS`].
    pub fn parse(text: &str) -> Result<Self, MalformedHash> {
        let phc = PhcHash::new(text).map_err(|_| MalformedHash)?;
        let known_parameters = phc.params.iter().all(|(name, _)| matches!(name.as_str(), "i" | "l"));
        if phc.algorithm.as_str() != ALGORITHM || phc.version.is_some() || !known_parameters {
            return Err(MalformedHash);
        }
        let rounds = phc.params.get_decimal("i").ok_or(MalformedHash)?;
        let length = phc.params.get_decimal("l").ok_or(MalformedHash)?;
        let salt = phc.salt.ok_or(MalformedHash)?;
        let hash = phc.hash.ok_or(MalformedHash)?;
        if !(1..=MAX_ROUNDS).contains(&rounds) || usize::try_from(length) != Ok(HASH_LENGTH) {
            return Err(MalformedHash);
        }
        let hash = hash.as_bytes().try_into().map_err(|_| MalformedHash)?;
        Ok(Self { rounds, salt: salt.as_ref().to_vec(), hash })
    }

    /// Writes the PHC string.
    ///
    /// # Errors
    /// [`MalformedHash`] when the salt has a length that a PHC string cannot hold; not with
    /// [`SALT_LENGTH`] bytes.
    pub fn to_phc(&self) -> Result<String, MalformedHash> {
        let mut params = ParamsString::new();
        let length = u32::try_from(HASH_LENGTH).map_err(|_| MalformedHash)?;
        params.add_decimal("i", self.rounds).map_err(|_| MalformedHash)?;
        params.add_decimal("l", length).map_err(|_| MalformedHash)?;
        let phc = PhcHash {
            algorithm: Ident::new(ALGORITHM).map_err(|_| MalformedHash)?,
            version: None,
            params,
            salt: Some(Salt::new(&self.salt).map_err(|_| MalformedHash)?),
            hash: Some(Output::new(&self.hash).map_err(|_| MalformedHash)?),
        };
        Ok(phc.to_string())
    }

    /// Is this the hash of that password? The comparison takes the same time wherever they differ.
    #[must_use]
    pub fn verify(&self, password: &Password) -> bool {
        let presented = Self::derive(password, &self.salt, self.rounds);
        presented.hash.ct_eq(&self.hash).into()
    }

    /// Was this made with fewer rounds than are wanted now?
    #[must_use]
    pub const fn is_weaker_than(&self, rounds: u32) -> bool {
        self.rounds < rounds
    }
}

/// Compares a presented password with what is stored for an address, if anything is.
///
/// Whatever will be refused costs `rounds`: a wrong password whether the address is unknown, known, or known with
/// an old hash of fewer rounds, and with `is_refused` the right one too. Time must not tell an attacker which
/// addresses have accounts, nor during a wait which password is right (OWASP Authentication Cheat Sheet,
/// "Authentication Responses").
#[must_use]
pub fn verify_with_equal_work(
    stored: Option<&PasswordHash>,
    password: &Password,
    rounds: u32,
    is_refused: bool,
) -> bool {
    let matches = stored.is_some_and(|hash| hash.verify(password));
    if is_refused || !matches {
        burn(password, rounds.saturating_sub(stored.map_or(0, |hash| hash.rounds)));
    }
    matches
}

/// Does the work that an old hash saved, for a right password that is refused after all.
pub fn burn_missing_rounds(hash: &PasswordHash, password: &Password, rounds: u32) {
    burn(password, rounds.saturating_sub(hash.rounds));
}

fn burn(password: &Password, rounds: u32) {
    if rounds > 0 {
        let burnt = PasswordHash::derive(password, &[0; SALT_LENGTH], rounds);
        // Without a use of the result the optimiser may remove the work.
        std::hint::black_box(burnt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SALT: &[u8] = b"0123456789abcdef";

    fn password(text: &str) -> Password {
        Password::presented(text, crate::domain::unicode::for_tests::normalize)
    }

    #[test]
    fn derivation_agrees_with_published_vectors() {
        // RFC 7914 §11, the first 32 of the 64 bytes of each.
        let vectors = [
            ("passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
            ("Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"),
        ];
        for (text, salt, rounds, expected) in vectors {
            let hash = PasswordHash::derive(&password(text), salt.as_bytes(), rounds);
            assert_eq!(super::super::ids::hex(&hash.hash), expected);
        }
    }

    #[test]
    fn stored_format_unchanged() {
        let text = PasswordHash::derive(&password("correct horse"), SALT, 1000).to_phc().unwrap();
        assert_eq!(
            text,
            "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"
        );
        let read = PasswordHash::parse(&text).unwrap();
        assert!(read.verify(&password("correct horse")));
        assert!(!read.verify(&password("correct horsf")));
    }

    #[test]
    fn foreign_malformed_and_excessive_hashes_are_refused() {
        let hash = "cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";
        let salt = "MDEyMzQ1Njc4OWFiY2RlZg";
        let wrong = [
            String::new(),
            "password".to_owned(),
            format!("$2b$12${salt}${hash}"),
            format!("$pbkdf2-sha512$i=1000,l=32${salt}${hash}"),
            format!("$pbkdf2-sha256$i=0,l=32${salt}${hash}"),
            format!("$pbkdf2-sha256$i=10000001,l=32${salt}${hash}"),
            format!("$pbkdf2-sha256$i=99999999999,l=32${salt}${hash}"),
            format!("$pbkdf2-sha256$l=32${salt}${hash}"),
            format!("$pbkdf2-sha256$i=1000${salt}${hash}"),
            format!("$pbkdf2-sha256$i=1000,l=16${salt}${hash}"),
            format!("$pbkdf2-sha256$i=1000,l=32,x=1${salt}${hash}"),
            format!("$pbkdf2-sha256$v=1$i=1000,l=32${salt}${hash}"),
            format!("$pbkdf2-sha256$i=1000,l=32${salt}"),
            format!("$pbkdf2-sha256$i=1000,l=32${salt}$GrwBEV3oXqTC"),
            format!("$pbkdf2-sha256$i=1000,l=32${salt}${hash}$"),
        ];
        for text in wrong {
            assert_eq!(PasswordHash::parse(&text), Err(MalformedHash), "{text}");
        }
    }

    #[test]
    fn fewer_rounds_are_weaker() {
        let hash = PasswordHash::derive(&password("x"), SALT, 1000);
        assert!(hash.is_weaker_than(1001));
        assert!(!hash.is_weaker_than(1000));
        assert!(!hash.is_weaker_than(999));
    }

    #[test]
    fn equal_work_gives_the_same_verdict_as_verify() {
        let stored = PasswordHash::derive(&password("right"), SALT, 10);
        for rounds in [1, 10, 20] {
            for is_refused in [false, true] {
                assert!(verify_with_equal_work(Some(&stored), &password("right"), rounds, is_refused));
                assert!(!verify_with_equal_work(Some(&stored), &password("wrong"), rounds, is_refused));
                assert!(!verify_with_equal_work(None, &password("right"), rounds, is_refused));
            }
        }
    }

    #[test]
    fn debug_output_shows_neither_salt_nor_hash() {
        let hash = PasswordHash::derive(&password("x"), SALT, 10);
        assert_eq!(format!("{hash:?}"), "PasswordHash { rounds: 10, .. }");
    }
}
