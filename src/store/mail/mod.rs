//! Mail: the proofs of addresses, the outbox, and the counts of mails that strangers asked for.

pub mod counts;
pub mod hand_over;
pub mod outbox;
pub mod proofs;
pub mod reset;
pub mod sign_in;
pub mod verification;
