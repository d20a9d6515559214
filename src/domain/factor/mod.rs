//! Second factors: authenticator apps with their QR codes, recovery codes, passkeys, and the sign-ins that wait for one.

mod base32;
pub mod challenge;
pub mod demand;
pub mod pending;
pub mod qr;
pub mod recovery_code;
pub mod totp;
pub mod usage;
pub mod webauthn;
