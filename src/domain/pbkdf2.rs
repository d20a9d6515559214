//! PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) for a key of one block: what a login spends its time in.
//!
//! The `pbkdf2` crate is general; this is the case that is needed. A round is two compressions of one block
//! each: the states of HMAC after its keys (RFC 2104 §2) are computed once, and every message of a round has the
//! same length, so its padding never changes. The compression itself is the `sha2` crate's. The tests hold the
//! result to the published vectors and to the `pbkdf2` crate.

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// Bytes of the derived key: one block of the function.
pub const LENGTH: usize = 32;

/// Bytes that SHA-256 compresses at a time.
const BLOCK: usize = 64;

/// The key's block and a hash: what one compression of a round ends.
const LENGTH_IN_BITS: u16 = 8 * (64 + 32);

/// SHA-256's initial state (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Derives the key. Zero rounds are one.
#[must_use]
pub fn derive(password: &[u8], salt: &[u8], rounds: u32) -> [u8; LENGTH] {
    let key = key_block(password);
    let (inner_pad, outer_pad) = (key.map(|byte| byte ^ 0x36), key.map(|byte| byte ^ 0x5c));
    let first = first_round(&inner_pad, &outer_pad, salt);
    let (inner, outer) = (after(&inner_pad), after(&outer_pad));
    let mut sum = words(&first);
    let mut block = Block::holding(sum);
    for _ in 1..rounds {
        block.hold(compressed(inner, &block));
        let state = compressed(outer, &block);
        block.hold(state);
        for (sum, word) in sum.iter_mut().zip(state) {
            *sum ^= word;
        }
    }
    bytes(sum)
}

/// A message of one round behind HMAC's key: a hash, a one bit, zeros, and the length of both blocks in bits.
struct Block([u8; BLOCK]);

impl Block {
    fn holding(state: [u32; 8]) -> Self {
        let mut block = Self([0; BLOCK]);
        block.hold(state);
        let [.., high, low] = &mut block.0;
        [*high, *low] = LENGTH_IN_BITS.to_be_bytes();
        let (_, padding) = block.0.split_at_mut(LENGTH);
        if let Some(first) = padding.first_mut() {
            *first = 0x80;
        }
        block
    }

    fn hold(&mut self, state: [u32; 8]) {
        for (bytes, word) in self.0.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
    }
}

fn compressed(mut state: [u32; 8], block: &Block) -> [u32; 8] {
    compress256(&mut state, std::slice::from_ref(&block.0));
    state
}

/// The password as HMAC's key: hashed if it is longer than a block, filled up with zeros.
fn key_block(password: &[u8]) -> [u8; BLOCK] {
    let mut key = [0; BLOCK];
    let hashed;
    let password = if password.len() > BLOCK {
        hashed = Sha256::digest(password);
        hashed.as_slice()
    } else {
        password
    };
    for (byte, from) in key.iter_mut().zip(password) {
        *byte = *from;
    }
    key
}

/// The first round has the salt and the number of the block as its message, of whatever length.
fn first_round(inner_pad: &[u8; BLOCK], outer_pad: &[u8; BLOCK], salt: &[u8]) -> [u8; LENGTH] {
    let inner = Sha256::new().chain_update(inner_pad).chain_update(salt).chain_update(1_u32.to_be_bytes()).finalize();
    Sha256::new().chain_update(outer_pad).chain_update(inner).finalize().into()
}

fn after(pad: &[u8; BLOCK]) -> [u32; 8] {
    let mut state = INITIAL;
    compress256(&mut state, std::slice::from_ref(pad));
    state
}

fn words(hash: &[u8; LENGTH]) -> [u32; 8] {
    let mut words = [0; 8];
    let (chunks, _) = hash.as_chunks::<4>();
    for (word, bytes) in words.iter_mut().zip(chunks) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

fn bytes(words: [u32; 8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (bytes, word) in chunks.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::ids::hex;

    #[test]
    fn published_vectors() {
        // RFC 7914 §11, the first 32 of the 64 bytes of each; then RFC 6070's inputs with SHA-256.
        let vectors: [(&str, &str, u32, &str); 6] = [
            ("passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
            ("Password", "NaCl", 80_000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"),
            ("password", "salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"),
            ("password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
            ("password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"),
            (
                "passwordPASSWORDpassword",
                "saltSALTsaltSALTsaltSALTsaltSALTsalt",
                4096,
                "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1",
            ),
        ];
        for (password, salt, rounds, expected) in vectors {
            assert_eq!(hex(&derive(password.as_bytes(), salt.as_bytes(), rounds)), expected, "{password} {rounds}");
        }
    }

    #[test]
    fn zero_rounds_are_one() {
        assert_eq!(derive(b"a", b"b", 0), derive(b"a", b"b", 1));
    }
}
