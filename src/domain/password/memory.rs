//! The memory of functions that need much of it: Argon2id, and scrypt for imported hashes.
//!
//! Every hash reuses one buffer. The buffer is no hidden state: it is wiped after each hash and never read, so the
//! functions stay pure. WebAssembly never returns memory. With one buffer per hash, the allocator's fragmentation would
//! decide how much of the isolate's 128 MB a thousand logins take. The shared buffer has only two sizes, and grows at
//! most once.

use std::cell::Cell;

use argon2::{Block, Error};

/// Maximum memory in KiB: half of an isolate's memory. The allocator may not be able to extend the smaller buffer, so
/// both together take 83 MiB at most. The maximum admits RFC 9106's second recommendation (§4), the default of PHP and
/// of Python's argon2-cffi, so their hashes can be migrated.
pub const MAX_MEMORY_KIB: u32 = 64 * 1024;

/// The sizes of the buffer in blocks of 1 KiB: the memory of new Argon2id hashes, and the maximum.
const SIZES: [usize; 2] = [19 * 1024, MAX_MEMORY_KIB as usize];

/// The password was not hashed: memory ran out, or the salt is shorter than RFC 9106 §3.1 requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash function was not run: {0}")]
pub struct NotHashed(pub(super) Error);

thread_local! {
    /// Hashing is synchronous, so one buffer is enough. A hash takes the buffer out, so it cannot be borrowed twice.
    static MEMORY: Cell<Vec<Block>> = const { Cell::new(Vec::new()) };
}

/// Runs a function with `count` blocks of the buffer, which it may have left in any state.
///
/// # Errors
/// [`NotHashed`] if memory runs out, or with the function's own error.
pub(super) fn with_blocks<T>(
    count: usize,
    function: impl FnOnce(&mut [Block]) -> Result<T, Error>,
) -> Result<T, NotHashed> {
    let mut memory = MEMORY.take();
    let outcome = run_in(&mut memory, count, function);
    MEMORY.set(memory);
    outcome.map_err(NotHashed)
}

fn run_in<T>(
    memory: &mut Vec<Block>,
    count: usize,
    function: impl FnOnce(&mut [Block]) -> Result<T, Error>,
) -> Result<T, Error> {
    let blocks = room_for(memory, count)?;
    let outcome = function(&mut *blocks);
    // An attacker who reads the remaining memory can run Argon2's last pass backwards, and then a guess costs one BLAKE2b
    // instead of the full work. In a quiet isolate the memory would stay for hours. Wiping takes a tenth of the hash's
    // time (2 ms); the reference implementation wipes it too.
    blocks.fill(Block::new());
    outcome
}

/// Borrows `count` blocks of the buffer. It has the smaller size or, once that was too small, the maximum.
fn room_for(memory: &mut Vec<Block>, count: usize) -> Result<&mut [Block], Error> {
    if memory.len() < count {
        let size = SIZES.into_iter().find(|size| *size >= count).ok_or(Error::MemoryTooMuch)?;
        // Free the old buffer first: its content is not needed, and both together could exceed the isolate's memory.
        *memory = Vec::new();
        memory.try_reserve_exact(size).map_err(|_| Error::OutOfMemory)?;
        memory.resize(size, Block::new());
    }
    memory.get_mut(..count).ok_or(Error::OutOfMemory)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::password::argon2id::{Cost, derive};

    const SALT: &[u8] = b"somesalt";

    /// Expects wiped memory, and leaves it in use.
    #[expect(clippy::unnecessary_wraps, reason = "hash functions can fail")]
    fn use_up(blocks: &mut [Block]) -> Result<usize, Error> {
        assert!(blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
        for block in blocks.iter_mut() {
            block.as_mut().fill(7);
        }
        Ok(blocks.len())
    }

    #[test]
    fn one_buffer_serves_every_hash_and_is_wiped() {
        let mut memory = Vec::new();
        let mut sizes = Vec::new();
        for count in [8, 19 * 1024, 256, 19 * 1024 + 4, 64 * 1024, 19 * 1024, 8] {
            assert_eq!(run_in(&mut memory, count, use_up), Ok(count));
            sizes.push(memory.len());
            assert!(memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)), "{count}");
        }
        assert_eq!(sizes, [19_456, 19_456, 19_456, 65_536, 65_536, 65_536, 65_536]);
    }

    #[test]
    fn more_than_the_maximum_is_refused_without_allocation() {
        let mut memory = Vec::new();
        for count in [64 * 1024 + 1, usize::MAX] {
            assert_eq!(run_in(&mut memory, count, use_up), Err(Error::MemoryTooMuch));
        }
        assert_eq!(memory.capacity(), 0);
    }

    #[test]
    fn the_smaller_size_is_that_of_new_hashes() {
        assert_eq!(SIZES[0], Cost::RECOMMENDED.parameters().0 as usize);
    }

    #[test]
    fn a_failed_hash_returns_an_error_and_keeps_the_buffer() {
        // As WebAssembly, all tests share one thread: an earlier test may have left a larger buffer.
        drop(MEMORY.take());
        let cost = Cost::new(256, 1, 1).unwrap();
        let before = derive(b"password", SALT, cost).unwrap();
        assert_eq!(derive(b"password", b"short", cost), Err(NotHashed(Error::SaltTooShort)));
        assert_eq!(derive(b"password", SALT, cost), Ok(before));
        assert_eq!(MEMORY.take().len(), 19_456);
    }
}
