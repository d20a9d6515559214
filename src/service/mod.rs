//! The use cases: one read, one pure decision, one batch of writes.
//!
//! Each use case documents its round trips to the database, and a test holds it to them.

pub mod account;
mod attribution;
pub mod audit;
pub mod authz;
#[cfg(feature = "campus")]
pub mod campus;
mod context;
pub mod factor;
pub mod federation;
pub mod keys;
pub mod machine;
pub mod mail;
pub mod password;
pub mod platform;
pub mod session;
pub mod tenant;

pub use context::{Context, Error, ErrorKind};
pub use session::tokens::TokenPair;
