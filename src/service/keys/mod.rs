//! Signing keys of access tokens: the isolate's copy of the key ring, signing, verifying, and the changes of the ring.

pub mod copy;
pub mod held;
pub mod making;
pub mod operations;
pub mod signing;
pub mod upkeep;
pub mod verifying;
