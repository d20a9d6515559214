//! PBKDF2-HMAC-SHA256 (RFC 8018 §5.2) for a key of one block. It dominates the CPU time of a login.
//!
//! The `pbkdf2` crate is general; this file implements only the needed case. A round is two compressions of one block
//! each. The HMAC states after the keys (RFC 2104 §2) are computed once. Every message of a round has the same length,
//! so its padding is constant. In WebAssembly with SIMD the rounds are those of `pbkdf2_rounds`; elsewhere they use the
//! `sha2` crate's compression. The tests compare both with the published vectors and the `pbkdf2` crate.

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "pbkdf2_rounds.rs"]
mod rounds;

/// Length of the derived key in bytes: one block of the function.
pub const LENGTH: usize = 32;

/// Block size of SHA-256 in bytes.
const BLOCK: usize = 64;

/// The state of SHA-256, and thus a hash: eight words.
type State = [u32; 8];

/// SHA-256's initial state (FIPS 180-4 §5.3.3).
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The padding after a hash in its block (FIPS 180-4 §5.1.1): a one bit, zeros, and the message length in bits. The
/// message is the key's block and the hash.
const PADDING: State = [0x8000_0000, 0, 0, 0, 0, 0, 0, 8 * (64 + 32)];

/// The HMAC states after the inner and the outer key.
struct Keys {
    inner: State,
    outer: State,
}

/// The input of the next round: the last hash, and the XOR of all hashes so far.
struct Chain {
    last: State,
    sum: State,
}

/// Derives the key. Zero rounds count as one.
#[must_use]
pub fn derive(password: &[u8], salt: &[u8], rounds: u32) -> [u8; LENGTH] {
    let key = key_block(password);
    let first = words(&hmac(&key, salt, &1_u32.to_be_bytes()));
    let (inner_pad, outer_pad) = pads(&key);
    let keys = Keys { inner: after(&inner_pad), outer: after(&outer_pad) };
    let mut chain = Chain { last: first, sum: first };
    rounds::extend(&mut chain, &keys, rounds.saturating_sub(1));
    bytes(chain.sum)
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod rounds {
    use super::{BLOCK, Chain, Keys, LENGTH, PADDING, State, bytes, compress256};

    /// Runs this many further rounds on the chain.
    pub(super) fn extend(chain: &mut Chain, keys: &Keys, rounds: u32) {
        for _ in 0..rounds {
            chain.last = compressed(keys.outer, compressed(keys.inner, chain.last));
            for (sum, word) in chain.sum.iter_mut().zip(chain.last) {
                *sum ^= word;
            }
        }
    }

    fn compressed(mut state: State, hash: State) -> State {
        let mut block = [0; BLOCK];
        let (first_half, second_half) = block.split_at_mut(LENGTH);
        first_half.copy_from_slice(&bytes(hash));
        second_half.copy_from_slice(&bytes(PADDING));
        compress256(&mut state, &[block]);
        state
    }
}

/// The password as HMAC key: hashed if it is longer than a block, padded with zeros.
pub(super) fn key_block(password: &[u8]) -> [u8; BLOCK] {
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

/// HMAC-SHA-256 (RFC 2104) of a message in two parts. Of the first round they are the salt and the block number, so its
/// length varies.
pub(super) fn hmac(key: &[u8; BLOCK], message: &[u8], end: &[u8]) -> [u8; LENGTH] {
    let (inner_pad, outer_pad) = pads(key);
    let inner = Sha256::new().chain_update(inner_pad).chain_update(message).chain_update(end).finalize();
    Sha256::new().chain_update(outer_pad).chain_update(inner).finalize().into()
}

fn pads(key: &[u8; BLOCK]) -> ([u8; BLOCK], [u8; BLOCK]) {
    (key.map(|byte| byte ^ 0x36), key.map(|byte| byte ^ 0x5c))
}

fn after(pad: &[u8; BLOCK]) -> State {
    let mut state = INITIAL;
    compress256(&mut state, std::slice::from_ref(pad));
    state
}

fn words(hash: &[u8; LENGTH]) -> State {
    let mut words = [0; 8];
    let (chunks, _) = hash.as_chunks::<4>();
    for (word, bytes) in words.iter_mut().zip(chunks) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

fn bytes(words: State) -> [u8; LENGTH] {
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
    fn published_vectors_match() {
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

    /// For all lengths and all divisions of the rounds, the result equals that of the `pbkdf2` crate.
    #[test]
    fn results_equal_those_of_the_pbkdf2_crate() {
        let mut numbers = SplitMix(1);
        let mut texts: Vec<(Vec<u8>, Vec<u8>, u32)> =
            (0..400).map(|_| (numbers.bytes(200), numbers.bytes(100), numbers.below(40))).collect();
        // Boundaries: a password that exceeds the key's block, and a salt that exceeds the first message's block.
        for length in [0, 1, 31, 32, 51, 52, 55, 56, 63, 64, 65, 127, 128, 129] {
            texts.push((vec![0xff; length], numbers.bytes(64), 3));
            texts.push((numbers.bytes(64), vec![0xff; length], 3));
        }
        for rounds in [1, 2, 255, 256, 257, 258, 511, 512, 513, 514, 1000, 2049] {
            texts.push((numbers.bytes(64), numbers.bytes(16), rounds));
        }
        for (password, salt, rounds) in texts {
            let mut expected = [0; LENGTH];
            pbkdf2::pbkdf2_hmac::<Sha256>(&password, &salt, rounds, &mut expected);
            assert_eq!(derive(&password, &salt, rounds), expected, "{password:?} {salt:?} {rounds}");
        }
    }

    /// Sebastiano Vigna's generator: the same numbers on every machine, without entropy, which Wasm would import.
    struct SplitMix(u64);

    impl SplitMix {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        fn below(&mut self, bound: u32) -> u32 {
            u32::try_from(self.next() % u64::from(bound)).unwrap()
        }

        fn bytes(&mut self, most: u32) -> Vec<u8> {
            (0..self.below(most + 1)).map(|_| self.next().to_le_bytes()[0]).collect()
        }
    }

    #[test]
    fn zero_rounds_count_as_one() {
        assert_eq!(derive(b"a", b"b", 0), derive(b"a", b"b", 1));
    }
}
