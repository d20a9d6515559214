//! Use cases of authorization: the caller, permission checks, roles.

pub mod admission;
pub mod caller;
pub mod check;
pub mod presented;
pub mod roles;
pub mod step_up;
