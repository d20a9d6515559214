//! Use cases of accounts: registering, changing, exporting, erasing, administering.

pub mod admin;
pub mod delete;
pub mod export;
pub mod profile;
pub mod register;
