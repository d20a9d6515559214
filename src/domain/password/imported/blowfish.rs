//! Blowfish with the expensive key schedule of bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", §3).
//!
//! The `blowfish` crate has the same schedule. In a Wasm that is compiled for size it takes a quarter more time and 1 kB
//! gzip more. As in every Blowfish, look-ups depend on the key.

#![expect(clippy::indexing_slicing, reason = "a byte indexes 256 words, and constants index the others")]
#![expect(clippy::inline_always, reason = "the compiler works for size, and would call each round")]

use crate::domain::password::imported::blowfish_pi::PI;

/// Words of the key that the schedule uses: one for each subkey, so 72 bytes.
pub(super) const KEY_WORDS: usize = 18;

/// A key, repeated to the length of the subkeys.
pub(super) type Key = [u32; KEY_WORDS];

/// Subkeys and boxes. They are wiped when they are dropped.
pub(super) struct Blowfish {
    subkeys: Key,
    boxes: [[u32; 256]; 4],
}

impl Blowfish {
    /// The state before the first key: the digits of π.
    pub(super) fn new() -> Self {
        let mut state = Self { subkeys: [0; KEY_WORDS], boxes: [[0; 256]; 4] };
        let words = state.subkeys.iter_mut().chain(state.boxes.as_flattened_mut());
        words.zip(PI).for_each(|(word, digits)| *word = digits);
        state
    }

    /// `ExpandKey` of the paper. Without a salt, its words are zero.
    pub(super) fn expand(&mut self, key: &Key, salt: [[u32; 2]; 2]) {
        for (subkey, word) in self.subkeys.iter_mut().zip(key) {
            *subkey ^= word;
        }
        let mut salts = Alternating(salt);
        let mut last = [0, 0];
        for index in 0..KEY_WORDS / 2 {
            last = self.encrypt(salts.added_to(last));
            [self.subkeys[2 * index], self.subkeys[2 * index + 1]] = last;
        }
        for which in 0..4 {
            for index in 0..128 {
                last = self.encrypt(salts.added_to(last));
                [self.boxes[which][2 * index], self.boxes[which][2 * index + 1]] = last;
            }
        }
    }

    /// Encrypts one block of two words.
    #[inline(always)]
    pub(super) fn encrypt(&self, [mut left, mut right]: [u32; 2]) -> [u32; 2] {
        for pair in 0..8 {
            left ^= self.subkeys[2 * pair];
            right ^= self.of_boxes(left);
            right ^= self.subkeys[2 * pair + 1];
            left ^= self.of_boxes(right);
        }
        [right ^ self.subkeys[17], left ^ self.subkeys[16]]
    }

    #[inline(always)]
    fn of_boxes(&self, word: u32) -> u32 {
        let byte = |shift| (word >> shift) as usize & 0xff;
        let sum = self.boxes[0][byte(24)].wrapping_add(self.boxes[1][byte(16)]);
        (sum ^ self.boxes[2][byte(8)]).wrapping_add(self.boxes[3][byte(0)])
    }
}

impl Drop for Blowfish {
    fn drop(&mut self) {
        self.subkeys = [0; KEY_WORDS];
        self.boxes = [[0; 256]; 4];
        // The optimiser may remove writes that are never read.
        std::hint::black_box(self);
    }
}

/// The two halves of the salt, which the blocks take in turn.
struct Alternating([[u32; 2]; 2]);

impl Alternating {
    #[inline(always)]
    fn added_to(&mut self, [left, right]: [u32; 2]) -> [u32; 2] {
        let [next, after] = self.0;
        self.0 = [after, next];
        [left ^ next[0], right ^ next[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Plain Blowfish: a key without a salt. The key's length divides that of the subkeys.
    fn encrypted(key: [u8; 8], block: [u32; 2]) -> [u32; 2] {
        let words = [&key[..4], &key[4..]].map(|half| u32::from_be_bytes(half.try_into().unwrap()));
        let mut state = Blowfish::new();
        state.expand(&std::array::from_fn(|index| words[index % 2]), [[0; 2]; 2]);
        state.encrypt(block)
    }

    #[test]
    fn vectors_of_the_author() {
        // Eric Young's set, which schneier.com publishes as vectors.txt: key, clear text, cipher text.
        let vectors: [([u8; 8], [u32; 2], [u32; 2]); 4] = [
            ([0; 8], [0, 0], [0x4ef9_9745, 0x6198_dd78]),
            ([0xff; 8], [0xffff_ffff, 0xffff_ffff], [0x5186_6fd5, 0xb85e_cb8a]),
            ([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef], [0x1111_1111, 0x1111_1111], [0x61f9_c380, 0x2281_b096]),
            ([0x7c, 0xa1, 0x10, 0x45, 0x4a, 0x1a, 0x6e, 0x57], [0x01a1_d6d0, 0x3977_6742], [0x59c6_8245, 0xeb05_282b]),
        ];
        for (key, clear, expected) in vectors {
            assert_eq!(encrypted(key, clear), expected, "{key:x?}");
        }
    }
}
