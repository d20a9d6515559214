//! Second factors: secrets of authenticator apps, recovery codes, passkeys, and the challenges that were answered.
//!
//! A factor is used in the batch that it opens something in: the statement that opens carries the guard of the factor, and
//! the statement that uses the factor up asks whether it was opened. So a code works once, also when two uses race.

pub mod challenges;
pub mod changes;
pub mod due;
pub mod passkeys;
pub mod recovery_codes;
pub mod removal;
pub mod review;
pub mod sign_in;
pub mod state;
pub mod step_up;
pub mod totp;
pub mod usage;
pub mod user_handle;
