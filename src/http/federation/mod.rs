//! Signing in with other providers.

pub(in crate::http) mod identities;
pub(in crate::http) mod sign_in;
