//! The service's password hash and an alternative, as exports of a WebAssembly module. Each hashes the same password
//! and returns the first eight bytes, so the benchmark can verify that all results are equal.

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;

#[path = "../../../src/domain/password/pbkdf2.rs"]
mod own_pbkdf2;

const PASSWORD: &[u8] = b"correct horse battery staple";
const SALT: &[u8; 16] = b"sixteen of bytes";

/// Hashes with the service's own implementation.
#[unsafe(no_mangle)]
pub extern "C" fn own(rounds: u32) -> u64 {
    beginning(own_pbkdf2::derive(PASSWORD, SALT, rounds))
}

/// Hashes with the `pbkdf2` crate.
#[unsafe(no_mangle)]
pub extern "C" fn pbkdf2_crate(rounds: u32) -> u64 {
    let mut key = [0; 32];
    pbkdf2_hmac::<Sha256>(PASSWORD, SALT, rounds, &mut key);
    beginning(key)
}

fn beginning(key: [u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = key;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
