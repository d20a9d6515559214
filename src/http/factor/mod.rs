//! Second factors: authenticator apps, recovery codes, passkeys, and step-up.

pub(crate) mod passkeys;
pub(crate) mod sign_in;
pub(crate) mod totp;
