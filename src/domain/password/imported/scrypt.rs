//! scrypt (RFC 7914), with the memory of Argon2id.
//!
//! The `scrypt` crate allocates its memory for each hash, which WebAssembly would never give back.

#![expect(clippy::inline_always, reason = "the compiler works for size, and would call each step")]

use argon2::Block;

use crate::domain::password::imported::pbkdf2;
use crate::domain::password::imported::refusal::HashRefusal;
use crate::domain::password::memory::{self, MAX_MEMORY_KIB, NotHashed};

/// Maximum block size factor: four times the usual one.
const MAX_BLOCK_SIZE: u32 = 32;
/// Maximum parallelisation. Lanes are computed one after another. OWASP's parameters have up to 10.
const MAX_LANES: u32 = 16;

/// 64 bytes, the block of Salsa20, as little-endian words. The shared memory has words of 64 bits.
type Chunk = [u64; 8];
/// Chunks in one block of the shared memory.
const CHUNKS_PER_BLOCK: usize = Block::SIZE / size_of::<Chunk>();

/// The parameters of one hash, valid and within the bounds above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    log_n: u32,
    block_size: u32,
    lanes: u32,
}

impl Cost {
    /// Accepts parameters that RFC 7914 §6 allows and that need no more memory than Argon2id may: `log_n` is the binary
    /// logarithm of N, `block_size` is r, and `lanes` is p.
    pub(super) const fn new(log_n: u32, block_size: u32, lanes: u32) -> Result<Self, HashRefusal> {
        if log_n == 0 || block_size == 0 || lanes == 0 {
            return Err(HashRefusal::Malformed);
        }
        if log_n > 31 || block_size > MAX_BLOCK_SIZE || lanes > MAX_LANES {
            return Err(HashRefusal::TooCostly);
        }
        let bytes = (128 * block_size as u64) << log_n;
        if bytes > 1024 * MAX_MEMORY_KIB as u64 {
            return Err(HashRefusal::TooCostly);
        }
        if log_n >= 16 * block_size { Err(HashRefusal::Malformed) } else { Ok(Self { log_n, block_size, lanes }) }
    }

    /// The same with N itself, which must be a power of two.
    pub(super) const fn with_n(n: u32, block_size: u32, lanes: u32) -> Result<Self, HashRefusal> {
        if n == u32::MAX {
            return Err(HashRefusal::TooCostly);
        }
        if n.is_power_of_two() { Self::new(n.ilog2(), block_size, lanes) } else { Err(HashRefusal::Malformed) }
    }

    /// The number of 64-byte chunks to mix, to which the function's time is proportional. The bounds exclude an overflow.
    pub(super) const fn chunks(self) -> u32 {
        (4 * self.block_size * self.lanes) << self.log_n
    }

    /// The shared blocks that N vectors take.
    const fn memory(self) -> usize {
        ((2 * self.block_size as usize) << self.log_n).div_ceil(CHUNKS_PER_BLOCK)
    }
}

/// Fills `key` with the hash of a password.
pub(super) fn derive(password: &[u8], salt: &[u8], cost: Cost, key: &mut [u8]) -> Result<(), NotHashed> {
    let lane = 128 * cost.block_size as usize;
    let mut bytes = vec![0; lane * cost.lanes as usize];
    pbkdf2::one_round(password, salt, &mut bytes);
    memory::with_blocks(cost.memory(), |memory| {
        bytes.chunks_mut(lane).for_each(|lane| mix(lane, 1 << cost.log_n, memory));
        Ok(())
    })?;
    pbkdf2::one_round(password, &bytes, key);
    bytes.fill(0);
    // The optimiser may remove writes that are never read.
    std::hint::black_box(bytes);
    Ok(())
}

/// `scryptROMix` (RFC 7914 §5).
fn mix(lane: &mut [u8], n: usize, memory: &mut [Block]) {
    let mut chunks: Vec<Chunk> = lane.as_chunks().0.iter().map(words).collect();
    let mut spare = chunks.clone();
    for step in 0..n {
        for (chunk, index) in chunks.iter().zip(step * chunks.len()..) {
            if let Some(stored) = slot(memory, index) {
                *stored = *chunk;
            }
        }
        mix_blocks(&mut chunks, &mut spare);
    }
    for _ in 0..n {
        // `Integerify`: the last chunk begins with a number, of which N takes the lowest bits.
        let step = chunks.last().map_or(0, |[number, ..]| low(*number) as usize) & (n - 1);
        let first = step * chunks.len();
        for (chunk, index) in chunks.iter_mut().zip(first..) {
            if let Some(stored) = slot(memory, index) {
                add(chunk, stored);
            }
        }
        mix_blocks(&mut chunks, &mut spare);
    }
    let words = chunks.as_flattened().iter().flat_map(|word| word.to_le_bytes());
    lane.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    chunks.fill([0; 8]);
    spare.fill([0; 8]);
    // The optimiser may remove writes that are never read.
    std::hint::black_box((chunks, spare));
}

/// The place of a chunk in the shared memory, which is large enough for all of them.
#[inline(always)]
fn slot(memory: &mut [Block], index: usize) -> Option<&mut Chunk> {
    let block = memory.get_mut(index / CHUNKS_PER_BLOCK)?;
    block.as_mut().as_chunks_mut().0.get_mut(index % CHUNKS_PER_BLOCK)
}

/// `scryptBlockMix` (RFC 7914 §4): results at even places come first.
fn mix_blocks(chunks: &mut [Chunk], spare: &mut [Chunk]) {
    let (even, odd) = spare.split_at_mut(chunks.len() / 2);
    let mut last = chunks.last().copied().unwrap_or_default();
    for (([first, second], even), odd) in chunks.as_chunks().0.iter().zip(even).zip(odd) {
        add(&mut last, first);
        salsa20_8(&mut last);
        *even = last;
        add(&mut last, second);
        salsa20_8(&mut last);
        *odd = last;
    }
    chunks.copy_from_slice(spare);
}

/// The Salsa20 core with eight rounds (RFC 7914 §3). Its words are variables, because elements of an array would stay in
/// memory.
#[expect(clippy::many_single_char_names, reason = "the words of a square")]
fn salsa20_8(chunk: &mut Chunk) {
    let [ab, cd, ef, gh, ij, kl, mn, op] = *chunk;
    let (mut a, mut b, mut c, mut d) = (low(ab), high(ab), low(cd), high(cd));
    let (mut e, mut f, mut g, mut h) = (low(ef), high(ef), low(gh), high(gh));
    let (mut i, mut j, mut k, mut l) = (low(ij), high(ij), low(kl), high(kl));
    let (mut m, mut n, mut o, mut p) = (low(mn), high(mn), low(op), high(op));
    macro_rules! quarter_rounds {
        ($($w:ident $x:ident $y:ident $z:ident;)*) => { $(
            $x ^= $w.wrapping_add($z).rotate_left(7);
            $y ^= $x.wrapping_add($w).rotate_left(9);
            $z ^= $y.wrapping_add($x).rotate_left(13);
            $w ^= $z.wrapping_add($y).rotate_left(18);
        )* };
    }
    for _ in 0..4 {
        quarter_rounds! { a e i m; f j n b; k o c g; p d h l; }
        quarter_rounds! { a b c d; f g h e; k l i j; p m n o; }
    }
    let sum = |pair, first: u32, second: u32| {
        u64::from(high(pair).wrapping_add(second)) << 32 | u64::from(low(pair).wrapping_add(first))
    };
    *chunk = [
        sum(ab, a, b),
        sum(cd, c, d),
        sum(ef, e, f),
        sum(gh, g, h),
        sum(ij, i, j),
        sum(kl, k, l),
        sum(mn, m, n),
        sum(op, o, p),
    ];
}

#[inline(always)]
fn add(chunk: &mut Chunk, other: &Chunk) {
    chunk.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the other half is not asked for")]
const fn low(pair: u64) -> u32 {
    pair as u32
}

#[inline(always)]
const fn high(pair: u64) -> u32 {
    low(pair >> 32)
}

fn words(bytes: &[u8; 64]) -> Chunk {
    let mut words = Chunk::default();
    words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::ids::hex;

    fn hashed(password: &[u8], salt: &[u8], cost: Cost) -> String {
        let mut key = [0; 64];
        derive(password, salt, cost, &mut key).unwrap();
        hex(&key)
    }

    #[test]
    fn the_vector_of_the_core() {
        // RFC 7914 §8.
        let input = "7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df846116dcd3b1d\
                     ee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e";
        let bytes = crate::domain::password::imported::encoding::hexadecimal(input).unwrap();
        let mut chunk = words(bytes.as_slice().try_into().unwrap());
        salsa20_8(&mut chunk);
        assert_eq!(
            hex(&chunk.map(u64::to_le_bytes).concat()),
            "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29\
             b4393168e3c9e6bcfe6bc5b7a06d96bae424cc102c91745c24ad673dc7618f81"
        );
    }

    #[test]
    fn vectors_of_the_rfc() {
        // RFC 7914 §12.
        assert_eq!(
            hashed(b"", b"", Cost::new(4, 1, 1).unwrap()),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
             fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        );
        assert_eq!(
            hashed(b"password", b"NaCl", Cost::new(10, 8, 16).unwrap()),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
             2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        );
    }

    #[test]
    fn parameters_have_bounds() {
        use HashRefusal::{Malformed, TooCostly};
        for (log_n, block_size, lanes) in [(1, 1, 1), (14, 8, 5), (14, 16, 1), (16, 8, 2), (14, 32, 16), (15, 1, 1)] {
            let cost = Cost::new(log_n, block_size, lanes).unwrap();
            assert_eq!(cost, Cost::with_n(1 << log_n, block_size, lanes).unwrap());
            assert!(cost.memory() <= MAX_MEMORY_KIB as usize, "{cost:?}");
        }
        let wrong = [
            (0, 8, 1, Malformed),
            (14, 0, 1, Malformed),
            (14, 8, 0, Malformed),
            // RFC 7914 §2: N is less than 2 to the power of 16 r.
            (16, 1, 1, Malformed),
            (17, 8, 1, TooCostly),
            (16, 9, 1, TooCostly),
            (14, 33, 1, TooCostly),
            (14, 8, 17, TooCostly),
            (63, 8, 1, TooCostly),
            (u32::MAX, u32::MAX, u32::MAX, TooCostly),
        ];
        for (log_n, block_size, lanes, refusal) in wrong {
            assert_eq!(Cost::new(log_n, block_size, lanes), Err(refusal), "{log_n} {block_size} {lanes}");
        }
        for (n, refusal) in
            [(0, Malformed), (1, Malformed), (1000, Malformed), (1 << 31, TooCostly), (u32::MAX, TooCostly)]
        {
            assert_eq!(Cost::with_n(n, 8, 1), Err(refusal), "{n}");
        }
    }
}
