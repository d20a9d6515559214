//! Mail: proofs of addresses.

pub(in crate::http) mod email;
pub(in crate::http) mod password;
