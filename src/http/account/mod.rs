//! Accounts over HTTP: one's own, and all of them for administrators.

pub(crate) mod admin;
pub(crate) mod export;
pub(crate) mod users;
