//! AES-256 (FIPS 197) of single blocks, for hashes of Firebase.
//!
//! A hash encrypts four blocks with a key that the password gives. So it is written for size: 2.5 kB gzip less than the
//! `aes` crate, for less than a millisecond. The substitution is computed without a table, since the time of a look-up would
//! depend on the key.

#![expect(clippy::indexing_slicing, reason = "indices are below the constant lengths of the arrays")]

/// 14 rounds, and the key that is added before them.
const ROUND_KEYS: usize = 15;

type Block = [u8; 16];

/// The round keys of one key.
pub(super) struct Aes256([[u8; 4]; 4 * ROUND_KEYS]);

impl Aes256 {
    /// The key expansion of FIPS 197 §5.2.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let mut words = [[0; 4]; 4 * ROUND_KEYS];
        words.as_flattened_mut()[..32].copy_from_slice(key);
        let mut constant = 1;
        for index in 8..words.len() {
            let mut word = words[index - 1];
            if index % 8 == 0 {
                word.rotate_left(1);
            }
            if index % 4 == 0 {
                word = word.map(substituted);
            }
            if index % 8 == 0 {
                word[0] ^= constant;
                constant = doubled(constant);
            }
            add(&mut word, &words[index - 8]);
            words[index] = word;
        }
        Self(words)
    }

    /// Encrypts one block (FIPS 197 §5.1).
    pub(super) fn encrypted(&self, mut block: Block) -> Block {
        let round_keys: &[Block] = self.0.as_flattened().as_chunks().0;
        for (round, key) in round_keys.iter().enumerate() {
            if round > 0 {
                // Rows are shifted: the bytes of a column lie next to each other.
                block = std::array::from_fn(|index| substituted(block[5 * index % 16]));
            }
            if (1..ROUND_KEYS - 1).contains(&round) {
                block.as_chunks_mut().0.iter_mut().for_each(mix);
            }
            add(&mut block, key);
        }
        block
    }
}

fn add(bytes: &mut [u8], others: &[u8]) {
    bytes.iter_mut().zip(others).for_each(|(byte, other)| *byte ^= other);
}

/// `MixColumns`: a column times the matrix of FIPS 197 §5.1.3.
fn mix(column: &mut [u8; 4]) {
    let all = column.iter().fold(0, |all, byte| all ^ byte);
    let before = *column;
    for (index, byte) in column.iter_mut().enumerate() {
        *byte ^= all ^ doubled(before[index] ^ before[(index + 1) % 4]);
    }
}

/// `SBox` (FIPS 197 §5.1.1): the inverse in the field of 256 elements, and an affine transformation.
fn substituted(byte: u8) -> u8 {
    // The inverse is the power of 254: the product of those of 2, 4, 8 … 128.
    let (mut power, mut inverse) = (byte, 1);
    for _ in 0..7 {
        power = product(power, power);
        inverse = product(inverse, power);
    }
    (1..5).fold(inverse ^ 0x63, |sum, bits| sum ^ inverse.rotate_left(bits))
}

/// The product in the field (FIPS 197 §4.2), in constant time.
fn product(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = doubled(a);
    }
    product
}

const fn doubled(byte: u8) -> u8 {
    byte << 1 ^ 0x1b & (byte >> 7).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::ids::hex;

    #[test]
    fn published_vectors_match() {
        // FIPS 197 appendix C.3.
        let key = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let block = std::array::from_fn(|index| u8::try_from(0x11 * index).unwrap());
        assert_eq!(hex(&Aes256::new(&key).encrypted(block)), "8ea2b7ca516745bfeafc49904b496089");
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn results_equal_those_of_the_aes_crate() {
        use aes_gcm::aes::Aes256 as Reference;
        use aes_gcm::aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

        let mut key = [0x5a; 32];
        let mut block = [0; 16];
        for round in 0..100 {
            let mut expected = block.into();
            Reference::new(&key.into()).encrypt_block(&mut expected);
            block = Aes256::new(&key).encrypted(block);
            assert_eq!(block[..], expected[..], "{round}");
            key[..16].copy_from_slice(&block);
            key.rotate_left(7);
        }
    }
}
