//! Use cases of passwords: verification, re-authentication, change.

pub mod change;
pub mod reauthenticate;
pub(in crate::service) mod verify;
