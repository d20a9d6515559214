//! Mail: the proofs of addresses, the outbox, and the counts of mails that strangers asked for.

pub mod address;
pub mod counts;
pub mod hand_over;
pub mod notices;
pub mod outbox;
pub mod proofs;
pub mod reset;
pub mod sign_in;
pub(in crate::store) mod taken;
pub mod undo;
pub mod verification;
