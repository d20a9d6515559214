//! What is done to hash a password: which function, and how much of it.
//!
//! Two kinds of work must be comparable, since a stored hash may be of another kind than new ones: whoever is refused
//! shall have waited as long as for an address that has none. Which hashes are stored how is `password_hash`'s.

use crate::domain::password::Password;
use crate::domain::password::argon2id;
use crate::domain::password::argon2id::{Cost, NotHashed};
use crate::domain::password::pbkdf2;

/// Bytes of a hash, whatever made it: SHA-256's own length; more would cost the defender only.
pub const HASH_LENGTH: usize = 32;
/// Below this many rounds the service warns: such hashes are for tests.
pub const WEAK_ROUNDS: u32 = 100_000;
/// More rounds than this are refused: they would exhaust a request's CPU time.
pub const MAX_ROUNDS: u32 = 10_000_000;

/// So many rounds of PBKDF2 take as long as so many blocks of Argon2id, measured in workerd. The ratio is a little
/// different on every processor, so what is made up of the other kind's work is right to some per cent, not exactly.
const EXCHANGE: (u32, u32) = (5, 2);

/// A function that turns passwords into what may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashFunction {
    /// PBKDF2-HMAC-SHA256 (RFC 8018 §5.2).
    Pbkdf2Sha256,
    /// Argon2id (RFC 9106).
    Argon2id,
}

impl HashFunction {
    /// Its name in PHC strings and in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "pbkdf2-sha256",
            Self::Argon2id => "argon2id",
        }
    }

    /// The function of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Pbkdf2Sha256, Self::Argon2id].into_iter().find(|function| function.name() == name)
    }
}

/// A function with the parameters that say how long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashWork {
    /// PBKDF2-HMAC-SHA256.
    Pbkdf2Sha256 {
        /// How often the compression of a hash is repeated; at least once.
        rounds: u32,
    },
    /// Argon2id.
    Argon2id(Cost),
}

impl HashWork {
    /// Which function it is.
    #[must_use]
    pub const fn function(self) -> HashFunction {
        match self {
            Self::Pbkdf2Sha256 { .. } => HashFunction::Pbkdf2Sha256,
            Self::Argon2id(_) => HashFunction::Argon2id,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`NotHashed`]; not with PBKDF2.
    pub fn run(self, password: &Password, salt: &[u8]) -> Result<[u8; HASH_LENGTH], NotHashed> {
        match self {
            Self::Pbkdf2Sha256 { rounds } => Ok(pbkdf2::derive(password.as_bytes(), salt, rounds)),
            Self::Argon2id(cost) => argon2id::derive(password.as_bytes(), salt, cost),
        }
    }

    /// Is a hash that this made to be replaced when another work is wanted? Yes if the function is another one, in
    /// either direction: an operator who changes the setting wants the other function's hashes to go. Of the same
    /// function, a stronger one stays.
    #[must_use]
    pub const fn is_replaced_by(self, wanted: Self) -> bool {
        match (self, wanted) {
            (Self::Pbkdf2Sha256 { rounds }, Self::Pbkdf2Sha256 { rounds: wanted }) => rounds < wanted,
            (Self::Argon2id(cost), Self::Argon2id(wanted)) => cost.is_weaker_than(wanted),
            (Self::Pbkdf2Sha256 { .. }, Self::Argon2id(_)) | (Self::Argon2id(_), Self::Pbkdf2Sha256 { .. }) => true,
        }
    }

    /// What of this work is left after other work was done. Nothing, if that was as much or more.
    #[must_use]
    pub fn without(self, done: Self) -> Option<Self> {
        match self {
            Self::Pbkdf2Sha256 { rounds } => {
                let rounds = rounds.saturating_sub(done.in_rounds());
                (rounds > 0).then_some(Self::Pbkdf2Sha256 { rounds })
            }
            Self::Argon2id(cost) => cost.without(done.in_blocks()).map(Self::Argon2id),
        }
    }

    /// How many rounds of PBKDF2 take as long. Within the bounds of both no number here comes near the end of its type.
    const fn in_rounds(self) -> u32 {
        match self {
            Self::Pbkdf2Sha256 { rounds } => rounds,
            Self::Argon2id(cost) => cost.blocks() * EXCHANGE.0 / EXCHANGE.1,
        }
    }

    /// How many blocks of Argon2id take as long.
    const fn in_blocks(self) -> u32 {
        match self {
            Self::Pbkdf2Sha256 { rounds } => rounds * EXCHANGE.1 / EXCHANGE.0,
            Self::Argon2id(cost) => cost.blocks(),
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
    fn what_is_left_of_the_same_function_is_exact() {
        assert_eq!(pbkdf2(1000).without(pbkdf2(1)), Some(pbkdf2(999)));
        assert_eq!(pbkdf2(1000).without(pbkdf2(1000)), None);
        assert_eq!(pbkdf2(1000).without(pbkdf2(MAX_ROUNDS)), None);
        assert_eq!(ARGON2ID.without(argon2id(9_728, 2)), Some(argon2id(9_728, 2)));
        assert_eq!(ARGON2ID.without(ARGON2ID), None);
    }

    #[test]
    fn what_the_other_function_did_counts_by_the_time_it_takes() {
        assert_eq!(pbkdf2(600_000).without(ARGON2ID), Some(pbkdf2(600_000 - 38_912 * 5 / 2)));
        assert_eq!(ARGON2ID.without(pbkdf2(50_000)), Some(argon2id(19_456 - 10_000, 2)));
        assert_eq!(pbkdf2(10_000).without(ARGON2ID), None);
        assert_eq!(ARGON2ID.without(pbkdf2(600_000)), None);
        // The largest numbers there are stay within their types.
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
