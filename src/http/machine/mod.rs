//! API keys of users, and service accounts with their keys.

pub(crate) mod api_keys;
mod fields;
pub(crate) mod oauth;
pub(crate) mod service_accounts;
pub(crate) mod service_keys;
