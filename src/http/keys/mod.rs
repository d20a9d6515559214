//! The key set for resource servers, the metadata of the service, and the operator's control of signing keys.

pub(crate) mod discovery;
pub(crate) mod key_set;
pub(crate) mod operator;
