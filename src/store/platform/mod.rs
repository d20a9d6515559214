//! Operation of the database: readiness check and clean-up.

pub mod clean_up;
pub mod health;
