//! The two ceremonies of Web Authentication, for a relying party (W3C `WebAuthn` Level 3, §7.1 and §7.2).
//!
//! Owned here: every step that compares and parses. Comments name the step; its number is that of Level 3.
//! Not owned: signatures, which the runtime verifies. [`authenticate()`] returns the message and the signature for that.
//! Until then an assertion proves nothing.
//!
//! The policy is fixed. User presence and user verification are required, no frame of another origin may take part, and
//! attestation is not asked for, so its statement is ignored.
//! All input is hostile: each parser is bounded by the length of its input, and never allocates by an announced length.

mod authentication;
mod authenticator_data;
mod cbor;
mod client_data;
mod cose;
mod der;
mod fault;
mod registration;

#[cfg(test)]
mod fixture;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod properties_tests;
#[cfg(test)]
mod vectors_tests;

use base64ct::{Base64UrlUnpadded, Encoding as _};

pub use authentication::{Assertion, AssertionResponse, StoredPasskey, authenticate};
pub use client_data::presented_challenge;
pub use cose::cose_id;
pub use fault::CeremonyFault;
pub use registration::{NewPasskey, RegistrationResponse, register};

/// The service, as browsers and authenticators know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The RP ID, a domain: `example.org`.
    pub id: String,
    /// The origins whose pages may run a ceremony, each exactly as a browser serializes it: `https://example.org`.
    pub origins: Vec<String>,
}

/// The expectations of one ceremony.
#[derive(Clone, Copy)]
pub struct Ceremony<'a> {
    /// The service that started the ceremony.
    pub rp: &'a RelyingParty,
    /// Are these the bytes of the challenge that the ceremony was started with?
    pub is_challenge: &'a dyn Fn(&[u8]) -> bool,
}

/// The type of the credential, and its id in both forms. Level 3 leaves these checks to the browser, which is not trusted
/// here.
fn verify_id(kind: &str, id: &str, raw_id: &[u8]) -> Result<(), CeremonyFault> {
    if kind != "public-key" {
        return Err(CeremonyFault::CredentialType);
    }
    if id != Base64UrlUnpadded::encode_string(raw_id) {
        return Err(CeremonyFault::CredentialId);
    }
    Ok(())
}
