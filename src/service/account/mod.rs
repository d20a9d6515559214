//! Use cases of accounts: registration, profile, export, deletion, administration.

pub mod admin;
pub mod delete;
pub mod export;
pub mod import;
pub(in crate::service) mod pending;
pub mod profile;
pub mod register;
