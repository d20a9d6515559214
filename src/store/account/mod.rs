//! Users: registration, profile, administration, export, erasure.

pub mod admin;
pub mod erasure;
pub mod export;
pub mod import;
pub mod list;
pub mod pending;
pub mod registration;
pub mod user_data;
pub mod users;
