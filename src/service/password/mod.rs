//! Use cases of passwords: changing them, asking for them once more.

pub mod change;
pub(in crate::service) mod reauthenticate;
pub(in crate::service) mod verify;
