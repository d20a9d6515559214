//! API keys and service accounts.

pub mod networks;
pub mod presented;
pub mod revocation;
pub mod service_accounts;
pub mod service_keys;
pub mod user_keys;
