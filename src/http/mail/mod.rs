//! Mail: proofs of addresses.

pub(in crate::http) mod address;
pub(in crate::http) mod email;
pub(in crate::http) mod password;
