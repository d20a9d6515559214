//! The rounds of PBKDF2 in WebAssembly with SIMD: SHA-256's compression (FIPS 180-4 §6.2.2) for one kind of block, a hash
//! and its padding.
//!
//! It is the `sha2` crate's algorithm in another order. V8 keeps the order of the Wasm code, so the critical path
//! decides the time of a round, and that path goes through `e`. No branch and no index depends on the data, so the time
//! reveals nothing about the password.

#![expect(clippy::inline_always, reason = "inlining lets the compiler compute a round's constants once")]
#![expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]

use core::arch::wasm32::{
    u32x4, u32x4_add, u32x4_extract_lane, u32x4_shl, u32x4_shr, u32x4_shuffle, u64x2_shr, v128, v128_xor,
};

use super::{Chain, Keys, PADDING, State};

/// Round constants (FIPS 180-4 §4.2.2), four at a time.
const CONSTANTS: [v128; 16] = [
    u32x4(0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5),
    u32x4(0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5),
    u32x4(0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3),
    u32x4(0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174),
    u32x4(0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc),
    u32x4(0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da),
    u32x4(0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7),
    u32x4(0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967),
    u32x4(0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13),
    u32x4(0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85),
    u32x4(0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3),
    u32x4(0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070),
    u32x4(0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5),
    u32x4(0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3),
    u32x4(0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208),
    u32x4(0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2),
];

/// Rounds per call. V8's baseline code is five times slower, and V8 switches to optimised code only at the next call of
/// a function. A hash therefore makes many calls. With one call site only, `wasm-opt` would inline the function.
const ROUNDS_PER_CALL: u32 = 256;

/// Runs this many further rounds on the chain.
pub(super) fn extend(chain: &mut Chain, keys: &Keys, rounds: u32) {
    // Without `black_box`, every use of a constant would assemble it again from two numbers.
    let constants = std::hint::black_box(CONSTANTS);
    extend_at_once(chain, keys, &constants, rounds % ROUNDS_PER_CALL);
    for _ in 0..rounds / ROUNDS_PER_CALL {
        extend_at_once(chain, keys, &constants, ROUNDS_PER_CALL);
    }
}

#[inline(never)]
fn extend_at_once(chain: &mut Chain, keys: &Keys, constants: &[v128; 16], rounds: u32) {
    let Keys { inner, outer } = *keys;
    let mut last = chain.last;
    let [mut low, mut high] = vectors(chain.sum);
    for _ in 0..rounds {
        last = compressed(outer, compressed(inner, last, constants), constants);
        let [last_low, last_high] = vectors(last);
        (low, high) = (v128_xor(low, last_low), v128_xor(high, last_high));
    }
    *chain = Chain { last, sum: words(low, high) };
}

/// Compresses one block: a hash and its padding.
#[inline(always)]
fn compressed(from: State, hash: State, constants: &[v128; 16]) -> State {
    let [first, second] = vectors(hash);
    let [third, fourth] = vectors(PADDING);
    let mut message = [first, second, third, fourth];
    let mut state = Working::new(from);
    let [words_0_to_3, words_4_to_7] = halves(hash);
    // The hash exists as single words already; the padding's sums are constants.
    state = state.after_four(sums(words_0_to_3, CONSTANTS[0]));
    state = state.after_four(sums(words_4_to_7, CONSTANTS[1]));
    state = state.after_four(lanes(u32x4_add(third, CONSTANTS[2])));
    state = state.after_four(lanes(u32x4_add(fourth, CONSTANTS[3])));
    macro_rules! rounds_of_the_schedule {
        ($($quarter:literal)*) => { $(
            state = state.after_four(lanes(u32x4_add(next_words(&mut message), constants[$quarter])));
        )* };
    }
    // Unrolled by hand: compiled for size it would stay a loop, which moves the variables in each iteration.
    rounds_of_the_schedule!(4 5 6 7 8 9 10 11 12 13 14 15);
    state.added_to(from)
}

/// The next four words of the message schedule (FIPS 180-4 §6.2.2, step 1). They replace the first four of sixteen.
#[inline(always)]
fn next_words(message: &mut [v128; 4]) -> v128 {
    const NONE: v128 = u32x4(0, 0, 0, 0);
    let [first, second, third, fourth] = *message;
    let fifteen_before = u32x4_shuffle::<1, 2, 3, 4>(first, second);
    let seven_before = u32x4_shuffle::<1, 2, 3, 4>(third, fourth);
    let known = u32x4_add(u32x4_add(first, seven_before), small_sigma_0(fifteen_before));
    // Each word also needs the word two before it. For the last two words, those are the first two.
    let sigmas = small_sigma_1_of_pairs(u32x4_shuffle::<2, 2, 3, 3>(fourth, fourth));
    let first_two = u32x4_add(known, u32x4_shuffle::<0, 2, 4, 4>(sigmas, NONE));
    let sigmas = small_sigma_1_of_pairs(u32x4_shuffle::<0, 0, 1, 1>(first_two, first_two));
    let next = u32x4_add(first_two, u32x4_shuffle::<4, 4, 0, 2>(sigmas, NONE));
    *message = [second, third, fourth, next];
    next
}

#[inline(always)]
fn small_sigma_0(words: v128) -> v128 {
    let rotated_by_7 = v128_xor(u32x4_shr(words, 7), u32x4_shl(words, 25));
    let rotated_by_18 = v128_xor(u32x4_shr(words, 18), u32x4_shl(words, 14));
    v128_xor(v128_xor(rotated_by_7, rotated_by_18), u32x4_shr(words, 3))
}

/// `σ1` of two words. Each word is doubled to a 64-bit number, so that shifting the number rotates the word.
#[inline(always)]
fn small_sigma_1_of_pairs(pairs: v128) -> v128 {
    v128_xor(v128_xor(u64x2_shr(pairs, 17), u64x2_shr(pairs, 19)), u32x4_shr(pairs, 10))
}

/// The working variables (FIPS 180-4 §6.2.2, step 2).
#[derive(Clone, Copy)]
struct Working {
    state: State,
    /// `b ^ c`, which was `a ^ b` in the previous round.
    b_xor_c: u32,
}

impl Working {
    #[inline(always)]
    fn new(state: State) -> Self {
        Self { state, b_xor_c: state[1] ^ state[2] }
    }

    #[inline(always)]
    fn after_four(self, [first, second, third, fourth]: [u32; 4]) -> Self {
        self.after_one(first).after_one(second).after_one(third).after_one(fourth)
    }

    /// One round, with the sum of its word and its constant. The next round depends on `e` and `a`, so the path from
    /// their predecessors is kept short. `d` is added before `e` is known, and subtracted again for `a`. The majority
    /// is the sum of two terms without common bits, one of which does not depend on `a`.
    #[inline(always)]
    fn after_one(self, sum: u32) -> Self {
        let Self { state: [a, b, c, d, e, f, g, h], b_xor_c } = self;
        let chosen = g ^ (e & (f ^ g));
        let sigma_1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let next_e = h.wrapping_add(sum).wrapping_add(d).wrapping_add(chosen).wrapping_add(sigma_1);
        let sigma_0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority_without_d = (b & c).wrapping_sub(d).wrapping_add(a & b_xor_c);
        let next_a = next_e.wrapping_add(majority_without_d.wrapping_add(sigma_0));
        Self { state: [next_a, a, b, c, next_e, e, f, g], b_xor_c: a ^ b }
    }

    /// The state after the block (FIPS 180-4 §6.2.2, step 4).
    #[inline(always)]
    fn added_to(self, from: State) -> State {
        let [a, b, c, d, e, f, g, h] = self.state;
        [
            from[0].wrapping_add(a),
            from[1].wrapping_add(b),
            from[2].wrapping_add(c),
            from[3].wrapping_add(d),
            from[4].wrapping_add(e),
            from[5].wrapping_add(f),
            from[6].wrapping_add(g),
            from[7].wrapping_add(h),
        ]
    }
}

#[inline(always)]
fn vectors([a, b, c, d, e, f, g, h]: State) -> [v128; 2] {
    [u32x4(a, b, c, d), u32x4(e, f, g, h)]
}

#[inline(always)]
fn halves([a, b, c, d, e, f, g, h]: State) -> [[u32; 4]; 2] {
    [[a, b, c, d], [e, f, g, h]]
}

fn words(low: v128, high: v128) -> State {
    let [a, b, c, d] = lanes(low);
    let [e, f, g, h] = lanes(high);
    [a, b, c, d, e, f, g, h]
}

#[inline(always)]
fn sums([first, second, third, fourth]: [u32; 4], constants: v128) -> [u32; 4] {
    let [a, b, c, d] = lanes(constants);
    [first.wrapping_add(a), second.wrapping_add(b), third.wrapping_add(c), fourth.wrapping_add(d)]
}

#[inline(always)]
fn lanes(words: v128) -> [u32; 4] {
    [
        u32x4_extract_lane::<0>(words),
        u32x4_extract_lane::<1>(words),
        u32x4_extract_lane::<2>(words),
        u32x4_extract_lane::<3>(words),
    ]
}
