//! Firebase's scrypt (github.com/firebase/scrypt): the derived key encrypts the signer key of the project, by AES-256 in
//! counter mode, and the result is the hash.
//!
//! Encryption adds a key stream to the signer key. So the difference of hash and signer key is that stream, and comparing
//! streams needs no signer key.

use crate::domain::password::imported::aes::Aes256;
use crate::domain::password::imported::scrypt::{self, Cost};
use crate::domain::password::memory::NotHashed;

/// Fills `stream` with the key stream of a password. `salt` is that of the user and the separator of the project.
pub(super) fn derive(password: &[u8], salt: &[u8], cost: Cost, stream: &mut [u8]) -> Result<(), NotHashed> {
    let mut key = [0; 32];
    scrypt::derive(password, salt, cost, &mut key)?;
    let cipher = Aes256::new(&key);
    for (part, counter) in stream.chunks_mut(16).zip(0_u128..) {
        part.iter_mut().zip(cipher.encrypted(counter.to_be_bytes())).for_each(|(to, from)| *to = from);
    }
    Ok(())
}
