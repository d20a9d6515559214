//! The service's password hash and its rivals, as exports of a WebAssembly module: one hash of the same password each
//! time, of which the first eight bytes are given back, so that all can be seen to compute the same thing.

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;

#[path = "../../../src/domain/password/pbkdf2.rs"]
mod own_pbkdf2;

const PASSWORD: &[u8] = b"correct horse battery staple";
const SALT: &[u8; 16] = b"sixteen of bytes";

/// The service's.
#[unsafe(no_mangle)]
pub extern "C" fn own(rounds: u32) -> u64 {
    beginning(own_pbkdf2::derive(PASSWORD, SALT, rounds))
}

/// The `pbkdf2` crate's.
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
