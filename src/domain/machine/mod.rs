//! Machines: API keys, and the scopes of service accounts.

pub mod api_key;
pub mod scope;
