//! Use cases of machines: API keys of users, service accounts with their keys, and the OAuth endpoints.

pub mod client;
pub mod client_credentials;
pub mod introspection;
pub mod named_client;
pub mod new_key;
pub mod revocation;
pub mod service_accounts;
pub mod service_keys;
pub mod user_keys;
pub mod verified_keys;
