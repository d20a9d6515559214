//! Machines: API keys, the scopes and tokens of service accounts, and the errors of OAuth.

pub mod api_key;
pub mod oauth;
pub mod scope;
pub mod service_token;
