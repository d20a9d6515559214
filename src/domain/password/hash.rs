//! Stored password hashes: PHC strings, which contain the function and its parameters.
//!
//! `$pbkdf2-sha256$i=600000,l=32$<salt>$<hash>` or `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`. OWASP recommends
//! 600,000 rounds, or 19 MiB with two passes (Password Storage Cheat Sheet). A string may come from older settings or
//! another system, so its parameters are read, within bounds. A hash that would run for minutes or exhaust the memory
//! is refused without being run. Both kinds verify regardless of the settings.

use phc::{Ident, Output, ParamsString, PasswordHash as PhcHash, Salt};
use subtle::ConstantTimeEq as _;

use crate::domain::password::Password;
use crate::domain::password::argon2id::Cost;
use crate::domain::password::memory::NotHashed;
use crate::domain::password::work::{HASH_LENGTH, HashFunction, HashWork, MAX_ROUNDS};

/// Length of the salt of a new hash, in bytes (NIST SP 800-132 §5.1 and RFC 9106 §3.1 recommend 16).
pub const SALT_LENGTH: usize = 16;

/// The Argon2 version of RFC 9106. Hashes of the previous version are refused: its later passes overwrite the memory
/// instead of mixing it, which makes attacks easier (RFC 9106 §7.2).
const ARGON2_VERSION: u32 = 19;

/// A parsed password hash: function, parameters, salt and output.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    work: HashWork,
    salt: Vec<u8>,
    hash: [u8; HASH_LENGTH],
}

/// The text is not a password hash that this service can verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored password hash is no PBKDF2-SHA256 or Argon2id PHC string within bounds")]
pub struct MalformedHash;

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PasswordHash").field("work", &self.work).finish_non_exhaustive()
    }
}

impl PasswordHash {
    /// Hashes a password with this salt, function and cost.
    ///
    /// # Errors
    /// [`NotHashed`] if memory runs out or the salt is too short for Argon2id.
    pub fn derive(password: &Password, salt: &[u8], work: HashWork) -> Result<Self, NotHashed> {
        Ok(Self { work, salt: salt.to_vec(), hash: work.run(password, salt)? })
    }

    /// The hash of no known password: its output is random. Verifying it is as much work as any other of this function and
    /// cost.
    #[must_use]
    pub fn of_no_password(salt: &[u8], random: [u8; HASH_LENGTH], work: HashWork) -> Self {
        Self { work, salt: salt.to_vec(), hash: random }
    }

    /// Parses a PHC string in its canonical form.
    ///
    /// # Errors
    /// [`MalformedHash`] for an unknown function or version, missing or extra parameters, wrong lengths, and
    /// parameters out of bounds.
    pub fn parse(text: &str) -> Result<Self, MalformedHash> {
        let phc = PhcHash::new(text).map_err(|_| MalformedHash)?;
        let work = read_work(&phc).ok_or(MalformedHash)?;
        let salt = phc.salt.ok_or(MalformedHash)?;
        let hash = phc.hash.ok_or(MalformedHash)?;
        let hash = hash.as_bytes().try_into().map_err(|_| MalformedHash)?;
        let read = Self { work, salt: salt.as_ref().to_vec(), hash };
        // One hash has one canonical text. Missing, extra or reordered parameters, another version or another spelling
        // would not be written back as they were read.
        if read.to_phc()? == text { Ok(read) } else { Err(MalformedHash) }
    }

    /// The canonical PHC string, for storage.
    ///
    /// # Errors
    /// [`MalformedHash`] if a PHC string cannot hold a salt of this length; [`SALT_LENGTH`] bytes always fit.
    pub fn to_phc(&self) -> Result<String, MalformedHash> {
        let (version, params) = written_work(self.work).map_err(|_| MalformedHash)?;
        let phc = PhcHash {
            algorithm: Ident::new(self.work.function().name()).map_err(|_| MalformedHash)?,
            version,
            params,
            salt: Some(Salt::new(&self.salt).map_err(|_| MalformedHash)?),
            hash: Some(Output::new(&self.hash).map_err(|_| MalformedHash)?),
        };
        Ok(phc.to_string())
    }

    /// Is this the hash of this password? The comparison takes constant time. A password that cannot match is hashed too,
    /// so that it takes as long as a wrong one.
    ///
    /// # Errors
    /// [`NotHashed`] if memory runs out or the salt is too short for Argon2id.
    pub fn verify(&self, password: &Password) -> Result<bool, NotHashed> {
        let presented = self.work.run(password, &self.salt)?;
        Ok(bool::from(presented.ct_eq(&self.hash)) && password.can_match())
    }

    /// The function and cost of verifying.
    #[must_use]
    pub const fn work(&self) -> HashWork {
        self.work
    }
}

fn read_work(phc: &PhcHash) -> Option<HashWork> {
    let decimal = |name| phc.params.get_decimal(name);
    match HashFunction::named(phc.algorithm.as_str())? {
        HashFunction::Pbkdf2Sha256 => {
            let rounds = decimal("i").filter(|rounds| (1..=MAX_ROUNDS).contains(rounds))?;
            Some(HashWork::Pbkdf2Sha256 { rounds })
        }
        HashFunction::Argon2id => Cost::new(decimal("m")?, decimal("t")?, decimal("p")?).map(HashWork::Argon2id),
    }
}

fn written_work(work: HashWork) -> Result<(Option<u32>, ParamsString), phc::Error> {
    let mut params = ParamsString::new();
    let version = match work {
        HashWork::Pbkdf2Sha256 { rounds } => {
            params.add_decimal("i", rounds)?;
            params.add_str("l", "32")?;
            None
        }
        HashWork::Argon2id(cost) => {
            let (memory_kib, passes, lanes) = cost.parameters();
            params.add_decimal("m", memory_kib)?;
            params.add_decimal("t", passes)?;
            params.add_decimal("p", lanes)?;
            Some(ARGON2_VERSION)
        }
    };
    Ok((version, params))
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
