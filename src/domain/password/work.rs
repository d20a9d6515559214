//! The work of hashing a password: the function and its cost.
//!
//! The work of both functions must be comparable, because a stored hash may be of another kind than new ones. A refusal
//! must take as long as one for an unknown address. The module `hash` owns the stored format.

use crate::domain::password::Password;
use crate::domain::password::argon2id;
use crate::domain::password::argon2id::Cost;
use crate::domain::password::memory::NotHashed;
use crate::domain::password::pbkdf2;

/// Length of every hash in bytes, that of SHA-256. A longer hash would cost only the defender.
pub const HASH_LENGTH: usize = 32;
/// The service logs a warning below this many rounds, because such hashes are only for tests.
pub const WEAK_ROUNDS: u32 = 100_000;
/// Maximum number of rounds; more would exhaust a request's CPU time.
pub const MAX_ROUNDS: u32 = 10_000_000;

/// This many rounds of PBKDF2 take as long as [`EQUIVALENT_BLOCKS`] of Argon2id, measured in workerd. The ratio differs
/// slightly between processors, so work converted between the functions is accurate only to a few per cent.
const EQUIVALENT_ROUNDS: u32 = 5;
const EQUIVALENT_BLOCKS: u32 = 2;

/// A password hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashFunction {
    /// PBKDF2-HMAC-SHA256 (RFC 8018 §5.2).
    Pbkdf2Sha256,
    /// Argon2id (RFC 9106), version 19.
    Argon2id,
}

impl HashFunction {
    /// The name in PHC strings and in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "pbkdf2-sha256",
            Self::Argon2id => "argon2id",
        }
    }

    /// The function with this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Pbkdf2Sha256, Self::Argon2id].into_iter().find(|function| function.name() == name)
    }
}

/// A hash function with its cost parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashWork {
    /// PBKDF2-HMAC-SHA256 with its number of rounds.
    Pbkdf2Sha256 {
        /// Iteration count of RFC 8018 §5.2; at least 1.
        rounds: u32,
    },
    /// Argon2id with memory, passes and lanes.
    Argon2id(Cost),
}

impl HashWork {
    /// The function without its cost.
    #[must_use]
    pub const fn function(self) -> HashFunction {
        match self {
            Self::Pbkdf2Sha256 { .. } => HashFunction::Pbkdf2Sha256,
            Self::Argon2id(_) => HashFunction::Argon2id,
        }
    }

    /// Hashes a password with this salt.
    ///
    /// # Errors
    /// [`NotHashed`], with Argon2id only: memory ran out, or the salt is too short.
    pub fn run(self, password: &Password, salt: &[u8]) -> Result<[u8; HASH_LENGTH], NotHashed> {
        match self {
            Self::Pbkdf2Sha256 { rounds } => Ok(pbkdf2::derive(password.as_bytes(), salt, rounds)),
            Self::Argon2id(cost) => argon2id::derive(password.as_bytes(), salt, cost),
        }
    }

    /// Should a hash of this work be replaced by one of the `wanted` work? Always if the function differs, in either
    /// direction: an operator who changes the setting wants the old function's hashes to disappear. With the same
    /// function, a stronger hash stays.
    #[must_use]
    pub const fn is_replaced_by(self, wanted: Self) -> bool {
        match (self, wanted) {
            (Self::Pbkdf2Sha256 { rounds }, Self::Pbkdf2Sha256 { rounds: wanted }) => rounds < wanted,
            (Self::Argon2id(cost), Self::Argon2id(wanted)) => cost.is_weaker_than(wanted),
            (Self::Pbkdf2Sha256 { .. }, Self::Argon2id(_)) | (Self::Argon2id(_), Self::Pbkdf2Sha256 { .. }) => true,
        }
    }

    /// The rest of this work after other work was done; `None` if that took at least as long.
    #[must_use]
    pub fn without(self, done: Self) -> Option<Self> {
        match (self, done) {
            (Self::Argon2id(cost), Self::Argon2id(done)) => cost.without(done.blocks()).map(Self::Argon2id),
            (Self::Argon2id(_), Self::Pbkdf2Sha256 { .. }) | (Self::Pbkdf2Sha256 { .. }, _) => {
                self.without_rounds(done.in_rounds())
            }
        }
    }

    /// The rest of this work after work of as many PBKDF2 rounds was done; `None` if that took at least as long.
    #[must_use]
    pub fn without_rounds(self, done: u32) -> Option<Self> {
        match self {
            Self::Pbkdf2Sha256 { rounds } => {
                let rounds = rounds.saturating_sub(done);
                (rounds > 0).then_some(Self::Pbkdf2Sha256 { rounds })
            }
            Self::Argon2id(cost) => {
                // No stored hash costs more than the maximum, which excludes an overflow.
                cost.without(done.min(MAX_ROUNDS) * EQUIVALENT_BLOCKS / EQUIVALENT_ROUNDS).map(Self::Argon2id)
            }
        }
    }

    /// The number of PBKDF2 rounds that take as long. The bounds of both functions exclude an overflow.
    #[must_use]
    pub const fn in_rounds(self) -> u32 {
        match self {
            Self::Pbkdf2Sha256 { rounds } => rounds,
            Self::Argon2id(cost) => cost.blocks() * EQUIVALENT_ROUNDS / EQUIVALENT_BLOCKS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const ARGON2ID: HashWork = HashWork::Argon2id(Cost::RECOMMENDED);

    const fn pbkdf2(rounds: u32) -> HashWork {
        HashWork::Pbkdf2Sha256 { rounds }
    }

    fn argon2id(memory_kib: u32, passes: u32) -> HashWork {
        HashWork::Argon2id(Cost::new(memory_kib, passes, 1).unwrap())
    }

    #[test]
    fn a_function_has_one_name() {
        for function in [HashFunction::Pbkdf2Sha256, HashFunction::Argon2id] {
            assert_eq!(HashFunction::named(function.name()), Some(function));
        }
        for name in ["", "pbkdf2", "pbkdf2-sha512", "argon2", "argon2i", "argon2d", "Argon2id", " argon2id"] {
            assert_eq!(HashFunction::named(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_weaker_hash_or_one_of_the_other_function_is_replaced() {
        assert!(pbkdf2(999).is_replaced_by(pbkdf2(1000)));
        assert!(argon2id(19_455, 2).is_replaced_by(ARGON2ID));
        assert!(pbkdf2(MAX_ROUNDS).is_replaced_by(ARGON2ID));
        assert!(argon2id(65_536, 10).is_replaced_by(pbkdf2(1)));
        for (stored, wanted) in [(1000, 1000), (1001, 1000)] {
            assert!(!pbkdf2(stored).is_replaced_by(pbkdf2(wanted)));
        }
        assert!(!ARGON2ID.is_replaced_by(ARGON2ID));
        assert!(!argon2id(65_536, 3).is_replaced_by(ARGON2ID));
    }

    #[test]
    fn remaining_work_of_the_same_function_is_exact() {
        assert_eq!(pbkdf2(1000).without(pbkdf2(1)), Some(pbkdf2(999)));
        assert_eq!(pbkdf2(1000).without(pbkdf2(1000)), None);
        assert_eq!(pbkdf2(1000).without(pbkdf2(MAX_ROUNDS)), None);
        assert_eq!(ARGON2ID.without(argon2id(9_728, 2)), Some(argon2id(9_728, 2)));
        assert_eq!(ARGON2ID.without(ARGON2ID), None);
    }

    #[test]
    fn work_of_the_other_function_is_converted_by_time() {
        assert_eq!(pbkdf2(600_000).without(ARGON2ID), Some(pbkdf2(600_000 - 38_912 * 5 / 2)));
        assert_eq!(ARGON2ID.without(pbkdf2(50_000)), Some(argon2id(19_456 - 10_000, 2)));
        assert_eq!(pbkdf2(10_000).without(ARGON2ID), None);
        assert_eq!(ARGON2ID.without(pbkdf2(600_000)), None);
        // The largest possible numbers do not overflow.
        assert_eq!(ARGON2ID.without(pbkdf2(MAX_ROUNDS)), None);
        assert_eq!(pbkdf2(MAX_ROUNDS).without(argon2id(65_536, 10)), Some(pbkdf2(MAX_ROUNDS - 1_638_400)));
    }

    #[test]
    fn both_functions_hash() {
        let password = Password::presented("password", crate::domain::unicode::for_tests::normalize);
        let hashes = [pbkdf2(1), argon2id(8, 1)].map(|work| work.run(&password, b"somesalt").unwrap());
        assert_ne!(hashes[0], hashes[1]);
    }
}
