//! Use cases of machines: API keys of users, and service accounts with their keys.

pub mod new_key;
pub mod service_accounts;
pub mod service_keys;
pub mod user_keys;
