//! Roles over HTTP.

pub(crate) mod roles;
