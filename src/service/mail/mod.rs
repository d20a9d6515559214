//! Use cases of mail: asking for a proof of an address, verifying an address, resetting a password, and sending.

pub mod address;
pub mod asking;
pub mod hand_over;
pub mod outbox;
pub mod presented;
pub mod reset;
pub mod undo;
pub mod verification;
