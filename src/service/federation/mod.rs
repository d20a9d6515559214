//! Signing in with other providers: OpenID providers and GitHub.

pub mod assertion;
pub mod cache;
pub mod callback;
mod calls;
pub mod confirm;
pub mod exchange;
pub mod identities;
mod opening;
mod seal;
pub mod start;
