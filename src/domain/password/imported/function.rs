//! The functions of imported hashes, and the time that they take.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::domain::password::Password;
use crate::domain::password::argon2id;
use crate::domain::password::imported::bcrypt::{self, Input};
use crate::domain::password::imported::firebase;
use crate::domain::password::imported::pbkdf2::{self, Digest};
use crate::domain::password::imported::scrypt;
use crate::domain::password::memory::{MAX_MEMORY_KIB, NotHashed};
use crate::domain::password::work::MAX_ROUNDS;

/// The maximum cost of a hash, whatever the settings: that of this service's own hashes.
pub(super) const MAX_COST: u32 = MAX_ROUNDS;
/// Fewer rounds of PBKDF2, or less than their time, are too weak to be kept.
const MIN_ROUNDS: u32 = 10_000;

/// PBKDF2-SHA256 rounds that take as long as one double round of bcrypt. This and the others were measured in V8 on an idle
/// processor, with the code compiled as it is released: 600,000 rounds took 194 ms of CPU, bcrypt with a cost of 10 67 ms.
const OF_BCRYPT: u64 = 200;
/// The same for ten rounds of PBKDF2 with SHA-1: 100,000 took 56 ms.
const OF_TEN_SHA1: u64 = 17;
/// The same for ten rounds of PBKDF2 with SHA-512: 100,000 took 75 ms.
const OF_TEN_SHA512: u64 = 23;
/// The same for a thousand chunks of scrypt: N = 2^14 with r = 8 took 42 ms, N = 2^16 176 ms.
const OF_THOUSAND_CHUNKS: u64 = 255;
/// The same for ten blocks of Argon2 in little memory, which the processor's caches hold: 4 MiB with three passes took 9 ms.
const OF_TEN_BLOCKS: u64 = 21;
/// Added to it for 64 MiB, and in proportion for less: three passes took 201 ms. With the memory of this service's own
/// hashes, both give the ratio of `work`.
const OF_TEN_DISTANT_BLOCKS: u64 = 13;

/// A function with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Function {
    Bcrypt { cost: u32, input: Input },
    Pbkdf2 { digest: Digest, rounds: u32 },
    Scrypt { cost: scrypt::Cost, input: Text },
    Argon2 { algorithm: Algorithm, version: Version, params: Params },
    Firebase { cost: scrypt::Cost },
}

/// The text that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// The password as it was typed.
    Typed,
    /// The password after NFKC, as in this service.
    Normalised,
}

impl Function {
    /// Fills `hash` with the hash of a password.
    pub(super) fn run(&self, password: &Password, salt: &[u8], hash: &mut [u8]) -> Result<(), NotHashed> {
        let typed = password.as_typed();
        match self {
            Self::Bcrypt { cost, input } => {
                bcrypt::derive(typed, salt, *cost, *input, hash);
                Ok(())
            }
            Self::Pbkdf2 { digest, rounds } => pbkdf2::derive(typed, salt, *digest, *rounds, hash),
            Self::Scrypt { cost, input: Text::Typed } => scrypt::derive(typed, salt, *cost, hash),
            Self::Scrypt { cost, input: Text::Normalised } => scrypt::derive(password.as_bytes(), salt, *cost, hash),
            Self::Argon2 { algorithm, version, params } => {
                argon2id::fill(&Argon2::new(*algorithm, *version, params.clone()), typed, salt, hash)
            }
            Self::Firebase { cost } => firebase::derive(typed, salt, *cost, hash),
        }
    }

    /// The number of PBKDF2-SHA256 rounds that take as long, or the largest number.
    pub(super) fn cost(&self) -> u32 {
        let rounds = match self {
            Self::Bcrypt { cost, .. } => OF_BCRYPT << cost,
            Self::Pbkdf2 { digest: Digest::Sha256, rounds } => u64::from(*rounds),
            Self::Pbkdf2 { digest: Digest::Sha1, rounds } => u64::from(*rounds) * OF_TEN_SHA1 / 10,
            Self::Pbkdf2 { digest: Digest::Sha512, rounds } => u64::from(*rounds) * OF_TEN_SHA512 / 10,
            Self::Scrypt { cost, .. } | Self::Firebase { cost } => u64::from(cost.chunks()) * OF_THOUSAND_CHUNKS / 1000,
            Self::Argon2 { params, .. } => {
                let (memory, most) = (u64::from(params.m_cost()), u64::from(MAX_MEMORY_KIB));
                let of_ten = OF_TEN_BLOCKS * most + OF_TEN_DISTANT_BLOCKS * memory;
                memory.saturating_mul(of_ten).saturating_mul(u64::from(params.t_cost())) / (10 * most)
            }
        };
        u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    /// Would an attacker guess this hash too fast? Of PBKDF2 the rounds count, and of others their time: for an attacker
    /// with graphics cards those others are slower still.
    pub(super) fn is_fast(&self) -> bool {
        match self {
            Self::Pbkdf2 { rounds, .. } => *rounds < MIN_ROUNDS,
            Self::Bcrypt { .. } | Self::Scrypt { .. } | Self::Argon2 { .. } | Self::Firebase { .. } => {
                self.cost() < MIN_ROUNDS
            }
        }
    }
}
