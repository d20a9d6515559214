//! Password hashes that other systems made: which of them are admitted, their cost, and their verification.
//!
//! An imported user signs in with the old password, and the first sign-in replaces the hash. Most other systems hash the
//! UTF-8 that they get, without normalisation. So a PHC string of theirs may belong to other bytes than one of this
//! service, and the stored text of an imported hash has a prefix (module `stored`).
//!
//! `forms` owns the texts of each system, `function` the functions behind them. Every size in a text is bounded before
//! anything is allocated or computed, since the texts come from a request.

mod aes;
mod bcrypt;
mod blowfish;
mod blowfish_pi;
mod encoding;
mod firebase;
mod forms;
mod function;
mod pbkdf2;
mod refusal;
mod scrypt;

use subtle::ConstantTimeEq as _;

use crate::domain::password::Password;
use crate::domain::password::imported::function::Function;
use crate::domain::password::memory::NotHashed;

pub use crate::domain::password::imported::refusal::HashRefusal;

/// A parsed hash of another system: function, parameters, salt and output.
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedHash {
    function: Function,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl std::fmt::Debug for ImportedHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ImportedHash").field("function", &self.function).finish_non_exhaustive()
    }
}

impl ImportedHash {
    /// Parses the text of a hash that can be verified within the bounds of a request, however weak it is.
    ///
    /// # Errors
    /// [`HashRefusal`] for every other text.
    pub fn parse(text: &str) -> Result<Self, HashRefusal> {
        let read = forms::read(text)?;
        if read.cost() > function::MAX_COST { Err(HashRefusal::TooCostly) } else { Ok(read) }
    }

    /// Parses a hash that may be imported: neither a fast one, nor one of more than `max_cost`, in rounds of
    /// PBKDF2-SHA256 that take as long.
    ///
    /// # Errors
    /// [`HashRefusal`] says which of the rules the text breaks.
    pub fn admit(text: &str, max_cost: u32) -> Result<Self, HashRefusal> {
        let read = Self::parse(text)?;
        match read.cost() {
            _ if read.function.is_fast() => Err(HashRefusal::TooFast),
            cost if cost > max_cost => Err(HashRefusal::TooCostly),
            _ => Ok(read),
        }
    }

    /// The number of PBKDF2-SHA256 rounds that take as long as verifying.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.function.cost()
    }

    /// Is this the hash of this password? The comparison takes constant time. A password that cannot match is hashed too,
    /// so that it takes as long as a wrong one.
    ///
    /// # Errors
    /// [`NotHashed`] if memory runs out.
    pub fn verify(&self, password: &Password) -> Result<bool, NotHashed> {
        let mut presented = vec![0; self.hash.len()];
        self.function.run(password, &self.salt, &mut presented)?;
        Ok(bool::from(presented.ct_eq(&self.hash)) && password.can_match())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "refused_tests.rs"]
mod refused_tests;
