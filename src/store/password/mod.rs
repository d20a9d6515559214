//! Password hashes, and the throttles of guesses.

pub mod credentials;
mod places;
pub mod refusal;
pub mod throttle;
