//! API keys and service accounts.

mod names;
pub mod presented;
pub mod revocation;
pub mod service_accounts;
pub mod service_keys;
pub mod user_keys;
