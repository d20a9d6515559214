//! The database itself: its health, its clean-up.

pub mod clean_up;
pub mod health;
