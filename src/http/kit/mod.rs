//! Shared by all capabilities: bodies, fields, queries, paths, headers, access rules, rate limits, the error envelope.

pub(crate) mod access;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod context;
pub(crate) mod cors;
mod credential;
pub(crate) mod envelope;
pub(crate) mod extract;
pub(crate) mod fields;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod lines;
pub(crate) mod named_client;
mod names;
pub(crate) mod oauth_error;
pub(crate) mod operation;
pub(crate) mod page;
pub(crate) mod passkey_options;
pub(crate) mod path;
pub(crate) mod protocol;
pub(crate) mod query;
pub(crate) mod refusal;
mod refusal_log;
pub(crate) mod step_up;
pub(crate) mod table;
