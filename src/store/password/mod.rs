//! Password hashes and the throttle.

pub mod credentials;
pub mod throttle;
