//! Use cases of second factors: enrolling and removing them, the second step of a sign-in, passkeys, and step-up.

pub mod check;
pub mod completion;
pub mod due;
pub mod enrolment;
pub mod passkey_sign_in;
pub mod passkeys;
pub mod removal;
pub mod stepping_up;
pub mod totp;
pub mod upkeep;
