//! Password hashes, and the throttles of guesses.

pub mod confirmation;
pub mod credentials;
pub(in crate::store) mod new_hash;
mod places;
pub mod refusal;
pub mod throttle;
