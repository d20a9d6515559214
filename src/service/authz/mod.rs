//! Use cases of authorization: finding the caller, answering questions, granting roles.

pub mod caller;
pub mod check;
pub mod roles;
