//! bcrypt, and the kinds that hash a digest of the password because bcrypt ignores all but 72 bytes.
//!
//! `$2a$`, `$2b$` and `$2y$` name one function. Their differences are faults of old versions: OpenBSD before 5.5 counted
//! the bytes of a `$2a$` password modulo 256, and `$2x$` of PHP before 5.3.7 confuses letters beyond ASCII. The former
//! passwords do not match here, and the latter hashes are refused.

use sha2::{Digest as _, Sha256};

use crate::domain::ids::hex;
use crate::domain::password::imported::blowfish::{Blowfish, Key};
use crate::domain::password::imported::{encoding, pbkdf2};

/// Bytes of a hash: the last of 24 is left out by every implementation.
pub(super) const HASH_LENGTH: usize = 23;
/// Bytes of a salt.
pub(super) const SALT_LENGTH: usize = 16;

/// The text that is encrypted 64 times: `OrpheanBeholderScryDoubt`.
const TEXT: [[u32; 2]; 3] = [[0x4f72_7068, 0x6561_6e42], [0x6568_6f6c, 0x6465_7253], [0x6372_7944, 0x6f75_6274]];

/// The bytes that bcrypt hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The password itself, of which the first 72 bytes count.
    Password,
    /// SHA-256 in hexadecimal digits, as Django has it.
    HexSha256,
    /// SHA-256 in base64, as version 1 of passlib's `bcrypt_sha256` has it.
    Base64Sha256,
    /// HMAC-SHA-256 in base64, whose key is the text of the salt: version 2 of passlib's `bcrypt_sha256`.
    Base64Hmac,
}

/// Hashes a password with 2 to the power of `cost` double rounds.
pub(super) fn derive(password: &[u8], salt: &[u8], cost: u32, input: Input, hash: &mut [u8]) {
    let digest = match input {
        Input::Password => return hash_bytes(password, salt, cost, hash),
        Input::HexSha256 => hex(&Sha256::digest(password)),
        Input::Base64Sha256 => encoding::to_base64_of_32(&Sha256::digest(password).into()),
        Input::Base64Hmac => {
            let key = encoding::to_bcrypt_base64(salt);
            encoding::to_base64_of_32(&pbkdf2::hmac_sha256(key.as_bytes(), password))
        }
    };
    hash_bytes(digest.as_bytes(), salt, cost, hash);
}

fn hash_bytes(password: &[u8], salt: &[u8], cost: u32, hash: &mut [u8]) {
    const NO_SALT: [[u32; 2]; 2] = [[0; 2]; 2];
    // The zero byte behind the password counts, except behind 72 bytes.
    let password = key(password.iter().chain(&[0]));
    let salt = key(salt.iter());
    let [a, b, c, d, ..] = salt;
    let mut state = Blowfish::new();
    state.expand(&password, [[a, b], [c, d]]);
    for _ in 0..1_u64 << cost {
        state.expand(&password, NO_SALT);
        state.expand(&salt, NO_SALT);
    }
    let blocks = TEXT.map(|block| (0..64).fold(block, |block, _| state.encrypt(block)));
    let bytes = blocks.as_flattened().iter().flat_map(|word| word.to_be_bytes());
    hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
}

/// Repeats bytes up to the length of a key.
fn key<'a>(bytes: impl Iterator<Item = &'a u8> + Clone) -> Key {
    let mut bytes = bytes.cycle();
    Key::default().map(|_| (0..4).fold(0, |word, _| word << 8 | bytes.next().map_or(0, |byte| u32::from(*byte))))
}
