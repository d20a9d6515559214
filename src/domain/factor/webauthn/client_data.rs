//! The client data: the browser's own account of the ceremony, as JSON (Level 3, §5.8.1).
//!
//! Unknown members are ignored, as the specification asks; a member that occurs twice is refused. Unlike its
//! *UTF-8 decode*, a byte order mark is refused: browsers write none.

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::factor::webauthn::fault::CeremonyFault;
use crate::domain::factor::webauthn::{Ceremony, RelyingParty};
use crate::domain::json::{JsonText, Object};

/// `CollectedClientData`, as far as it is checked.
struct ClientData {
    ceremony_type: String,
    challenge: String,
    origin: String,
    is_cross_origin: bool,
    has_top_origin: bool,
}

impl ClientData {
    fn parse(json: &[u8]) -> Option<Self> {
        let mut data = Object::parse(std::str::from_utf8(json).ok()?)?;
        let is_cross_origin = match data.take("crossOrigin") {
            None => false,
            Some(JsonText::Bool(value)) => value,
            Some(_) => return None,
        };
        Some(Self {
            ceremony_type: data.text("type")?,
            challenge: data.text("challenge")?,
            origin: data.text("origin")?,
            is_cross_origin,
            has_top_origin: data.has("topOrigin"),
        })
    }

    fn challenge(&self) -> Option<Vec<u8>> {
        Base64UrlUnpadded::decode_vec(&self.challenge).ok()
    }

    fn is_of(&self, rp: &RelyingParty) -> bool {
        rp.origins.contains(&self.origin)
    }
}

/// The challenge that client data claim to answer, to look the ceremony up. Nothing about it is verified.
#[must_use]
pub fn presented_challenge(client_data_json: &[u8]) -> Option<Vec<u8>> {
    ClientData::parse(client_data_json)?.challenge()
}

/// Verifies the client data of a ceremony of this type.
pub(super) fn verify(json: &[u8], ceremony_type: &str, ceremony: &Ceremony<'_>) -> Result<(), CeremonyFault> {
    // §7.1 steps 5 and 6, §7.2 steps 8 and 9
    let client_data = ClientData::parse(json).ok_or(CeremonyFault::ClientData)?;
    // §7.1 step 7, §7.2 step 10
    if client_data.ceremony_type != ceremony_type {
        return Err(CeremonyFault::CeremonyType);
    }
    // §7.1 step 8, §7.2 step 11
    if !client_data.challenge().is_some_and(|challenge| (ceremony.is_challenge)(&challenge)) {
        return Err(CeremonyFault::Challenge);
    }
    // §7.1 step 9, §7.2 step 12
    if !client_data.is_of(ceremony.rp) {
        return Err(CeremonyFault::Origin);
    }
    // §7.1 step 10, §7.2 step 13
    if client_data.is_cross_origin {
        return Err(CeremonyFault::CrossOrigin);
    }
    // §7.1 step 11, §7.2 step 14
    if client_data.has_top_origin {
        return Err(CeremonyFault::TopOrigin);
    }
    Ok(())
}

#[cfg(test)]
#[path = "client_data_tests.rs"]
mod tests;
