//! Universities and departments over HTTP.

pub(in crate::http) mod invitations;
pub(crate) mod universities;
