//! Users: registration, profile, administration, export, erasure.

pub mod admin;
pub mod erasure;
pub mod export;
pub(in crate::store) mod free_address;
pub mod list;
pub mod registrations;
pub mod user_data;
pub mod users;
