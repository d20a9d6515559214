//! Accounts over HTTP: the caller's own account, and all accounts for administrators.

pub(crate) mod admin;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod users;
