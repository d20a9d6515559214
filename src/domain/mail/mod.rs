//! Mail: the letters, the proofs of an address that they carry, the providers that take them, and the limits of mails
//! that strangers ask for.

pub mod english;
#[cfg(test)]
mod english_tests;
pub mod letter;
pub mod limits;
pub mod proof;
pub mod provider;
pub mod sender;
