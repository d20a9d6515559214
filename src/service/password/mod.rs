//! Use cases of passwords: verification, re-authentication, change.

pub mod change;
pub(in crate::service) mod reauthenticate;
pub(in crate::service) mod verify;
