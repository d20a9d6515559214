//! Argon2id (RFC 9106) and the bounds of its parameters.
//!
//! The `argon2` crate implements the function; the tests compare it with the published vectors. Its memory is the
//! buffer of the module `memory`.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::domain::password::memory::{self, MAX_MEMORY_KIB, NotHashed};

/// Length of a hash in bytes.
pub const LENGTH: usize = 32;

/// Maximum passes over the memory; with the maximum memory they take less than half a second.
pub const MAX_PASSES: u32 = 10;
/// Maximum number of lanes. They are computed sequentially, so more lanes do not take more time.
pub const MAX_LANES: u32 = 4;

/// The parameters of one hash, valid and within the bounds above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// The parameters of new hashes: 19 MiB, two passes, one lane (OWASP, Password Storage Cheat Sheet).
    pub const RECOMMENDED: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// Accepts parameters that RFC 9106 §3.1 allows and that do not exceed the maximums above.
    #[must_use]
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let is_within_bounds = memory_kib <= MAX_MEMORY_KIB && passes <= MAX_PASSES && lanes <= MAX_LANES;
        // The bounds are checked first, so that the product below cannot overflow.
        if is_within_bounds && passes > 0 && lanes > 0 && memory_kib >= 8 * lanes {
            Some(Self { memory_kib, passes, lanes })
        } else {
            None
        }
    }

    /// Memory (`m`), passes (`t`) and lanes (`p`).
    #[must_use]
    pub const fn parameters(self) -> (u32, u32, u32) {
        (self.memory_kib, self.passes, self.lanes)
    }

    /// The number of 1 KiB blocks to compute, to which the function's time is proportional.
    #[must_use]
    pub const fn blocks(self) -> u32 {
        self.memory_kib * self.passes
    }

    /// The parameters for this many blocks less, or `None` if the rest is too small to run.
    #[must_use]
    pub const fn without(self, blocks: u32) -> Option<Self> {
        let saved_kib = blocks.div_ceil(self.passes);
        Self::new(self.memory_kib.saturating_sub(saved_kib), self.passes, self.lanes)
    }

    /// Does this use less memory, which hinders special hardware, or less work than `wanted`?
    #[must_use]
    pub const fn is_weaker_than(self, wanted: Self) -> bool {
        self.memory_kib < wanted.memory_kib || self.blocks() < wanted.blocks()
    }
}

/// Hashes a password with the shared buffer.
///
/// # Errors
/// [`NotHashed`] if memory runs out or the salt is too short.
pub fn derive(password: &[u8], salt: &[u8], cost: Cost) -> Result<[u8; LENGTH], NotHashed> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(LENGTH)).map_err(NotHashed)?;
    let mut hash = [0; LENGTH];
    fill(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params), password, salt, &mut hash)?;
    Ok(hash)
}

/// Fills `hash` with the output of any Argon2 function, with the shared buffer.
///
/// # Errors
/// [`NotHashed`] if memory runs out or the salt is too short.
pub(super) fn fill(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], hash: &mut [u8]) -> Result<(), NotHashed> {
    memory::with_blocks(argon2.params().block_count(), |blocks| {
        argon2.hash_password_into_with_memory(password, salt, hash, blocks)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::Block;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::domain::ids::hex;

    const SALT: &[u8] = b"somesalt";

    fn cost(memory_kib: u32, passes: u32, lanes: u32) -> Cost {
        Cost::new(memory_kib, passes, lanes).unwrap()
    }

    #[test]
    fn vectors_of_the_reference_implementation() {
        // github.com/P-H-C/phc-winner-argon2, src/test.c, "Test Argon2id", version 19.
        let vectors = [
            ("password", cost(65536, 2, 1), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"),
            ("password", cost(256, 2, 1), "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
            ("password", cost(256, 2, 2), "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"),
            ("password", cost(65536, 1, 1), "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98"),
            (
                "differentpassword",
                cost(65536, 2, 1),
                "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde",
            ),
        ];
        for (password, cost, expected) in vectors {
            assert_eq!(hex(&derive(password.as_bytes(), SALT, cost).unwrap()), expected, "{password} {cost:?}");
        }
    }

    #[test]
    fn the_vector_of_the_rfc() {
        // RFC 9106 §5.3 uses a secret and associated data. This service does not, but the test checks the crate.
        let data = argon2::AssociatedData::new(&[4; 12]).unwrap();
        let params = argon2::ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(data).build().unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into_with_memory(&[1; 32], &[2; 16], &mut tag, vec![Block::new(); 32]).unwrap();
        assert_eq!(hex(&tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    #[test]
    fn parameters_have_bounds() {
        assert_eq!(Cost::new(19_456, 2, 1), Some(Cost::RECOMMENDED));
        for (memory_kib, passes, lanes) in [(8, 1, 1), (32, 1, 4), (MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES)] {
            assert_eq!(cost(memory_kib, passes, lanes).parameters(), (memory_kib, passes, lanes));
        }
        let wrong = [
            (7, 1, 1),
            (31, 1, 4),
            (19_456, 0, 1),
            (19_456, 2, 0),
            (MAX_MEMORY_KIB + 1, 1, 1),
            (19_456, MAX_PASSES + 1, 1),
            (19_456, 2, MAX_LANES + 1),
            (u32::MAX, u32::MAX, u32::MAX),
        ];
        for (memory_kib, passes, lanes) in wrong {
            assert_eq!(Cost::new(memory_kib, passes, lanes), None, "{memory_kib} {passes} {lanes}");
        }
    }

    #[test]
    fn less_memory_or_less_work_is_weaker() {
        for weaker in [cost(19_455, 2, 1), cost(19_456, 1, 1), cost(12_288, 3, 1), cost(9_216, 10, 1)] {
            assert!(weaker.is_weaker_than(Cost::RECOMMENDED), "{weaker:?}");
        }
        for enough in [Cost::RECOMMENDED, cost(47_104, 1, 1), cost(65_536, 3, 4)] {
            assert!(!enough.is_weaker_than(Cost::RECOMMENDED), "{enough:?}");
        }
    }

    #[test]
    fn work_done_is_subtracted_from_the_wanted_work() {
        let wanted = Cost::RECOMMENDED;
        assert_eq!(wanted.without(0), Some(wanted));
        for done in [1, 2, 1000, 19_456, 38_000] {
            let left = wanted.without(done).unwrap();
            assert_eq!(left.blocks(), wanted.blocks() - done.next_multiple_of(2));
        }
        for done in [wanted.blocks() - 15, wanted.blocks(), u32::MAX] {
            assert_eq!(wanted.without(done), None, "the rest is too small to run");
        }
    }
}
