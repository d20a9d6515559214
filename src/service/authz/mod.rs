//! Use cases of authorization: the caller, permission checks, roles.

pub mod admission;
pub mod bookmark;
pub mod caller;
pub mod check;
pub mod near;
pub mod presented;
pub mod replica;
pub mod roles;
pub mod step_up;
