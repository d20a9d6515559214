//! Users.

pub mod admin;
pub mod erasure;
pub mod export;
pub mod owned;
pub mod users;
