//! Universities and departments over HTTP.

pub(crate) mod universities;
