//! Password hashes, and the throttles of guesses.

pub mod credentials;
pub mod throttle;
