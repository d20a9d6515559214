//! PBKDF2 (RFC 8018 §5.2) of imported hashes, with the digests that they have, and HMAC-SHA-256.
//!
//! Rounds of SHA-256 are those of this service's own hashes, which are the fastest. The others are seldom and generic.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha512;

use crate::domain::password::memory::NotHashed;
use crate::domain::password::pbkdf2 as own;

/// The digest behind HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    /// Bytes of its output.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// Derives the beginning of a key, of one block at most. The further blocks of a longer key prove nothing more: an
/// attacker does not compute them either.
pub(super) fn derive(
    password: &[u8],
    salt: &[u8],
    digest: Digest,
    rounds: u32,
    key: &mut [u8],
) -> Result<(), NotHashed> {
    match digest {
        Digest::Sha1 => block::<Hmac<Sha1>>(password, salt, rounds, key),
        Digest::Sha512 => block::<Hmac<Sha512>>(password, salt, rounds, key),
        Digest::Sha256 => {
            copy(key, &own::derive(password, salt, rounds));
            Ok(())
        }
    }
}

/// A key of any length by one round of PBKDF2-SHA256, as scrypt needs it (RFC 7914 §6).
pub(super) fn one_round(password: &[u8], salt: &[u8], key: &mut [u8]) {
    let keyed = own::key_block(password);
    for (part, number) in key.chunks_mut(own::LENGTH).zip(1_u32..) {
        copy(part, &own::hmac(&keyed, salt, &number.to_be_bytes()));
    }
}

/// HMAC with SHA-256 (RFC 2104).
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; own::LENGTH] {
    own::hmac(&own::key_block(key), message, &[])
}

/// The first block of a key.
fn block<M: Mac + KeyInit + Clone>(password: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) -> Result<(), NotHashed> {
    // HMAC takes keys of every length, so the error does not occur. No guess may be compared with bytes that are not a hash.
    let keyed = M::new_from_slice(password).map_err(|_| NotHashed(argon2::Error::PwdTooLong))?;
    let mut last = keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize().into_bytes();
    let mut sum = last.clone();
    for _ in 1..rounds {
        last = keyed.clone().chain_update(&last).finalize().into_bytes();
        sum.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
    }
    copy(key, &sum);
    Ok(())
}

fn copy(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use sha2::Sha256;

    use crate::domain::ids::hex;

    #[test]
    fn published_vectors_match() {
        // RFC 6070 §2 for SHA-1. For SHA-256 RFC 7914 §11, whose key has two blocks.
        let mut sha1 = [0; 20];
        derive(b"password", b"salt", Digest::Sha1, 4096, &mut sha1).unwrap();
        assert_eq!(hex(&sha1), "4b007901b765489abead49d926f721d065a429c1");
        let mut sha256 = [0; 64];
        one_round(b"passwd", b"salt", &mut sha256);
        assert_eq!(
            hex(&sha256),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        );
    }

    #[test]
    fn results_equal_those_of_the_pbkdf2_crate() {
        for (password, rounds) in [("", 1), ("password", 3), (&*"x".repeat(129), 40)] {
            let mut expected = [0; 64];
            pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), b"some salt", rounds, &mut expected);
            let mut key = [0; 64];
            derive(password.as_bytes(), b"some salt", Digest::Sha512, rounds, &mut key).unwrap();
            assert_eq!(key, expected);
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), b"some salt", rounds, &mut expected);
            derive(password.as_bytes(), b"some salt", Digest::Sha256, rounds, &mut key[..32]).unwrap();
            assert_eq!(key[..32], expected[..32]);
        }
    }
}
