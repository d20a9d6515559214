//! The registration of a passkey (Level 3, §7.1).

use crate::domain::factor::webauthn::authenticator_data::AuthenticatorData;
use crate::domain::factor::webauthn::cbor::{Key, Malformed, Reader};
use crate::domain::factor::webauthn::cose::public_key;
use crate::domain::factor::webauthn::fault::CeremonyFault;
use crate::domain::factor::webauthn::{Ceremony, client_data, verify_id};
use crate::domain::public_key::PublicKey;

/// The longest id of a credential, in bytes (§7.1 step 25).
const MAX_ID_BYTES: usize = 1023;

/// The ways to reach an authenticator that are worth a hint at sign-in (Level 3, §5.8.4), in the order of the alphabet.
const TRANSPORTS: [&str; 6] = ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"];

/// The `PublicKeyCredential` of `navigator.credentials.create()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationResponse {
    /// `rawId`: the id of the credential.
    pub raw_id: Vec<u8>,
    /// `id`: the same in base64url, as it was sent.
    pub id: String,
    /// `type`: must be `public-key`.
    pub kind: String,
    /// `clientDataJSON`: the browser's account of the ceremony.
    pub client_data_json: Vec<u8>,
    /// `attestationObject`: the authenticator's account, in CBOR.
    pub attestation_object: Vec<u8>,
    /// `transports`: hints of the browser.
    pub transports: Vec<String>,
}

/// A passkey to be stored, unless its id is taken (§7.1 step 26).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// 1 to 1023 bytes.
    pub credential_id: Vec<u8>,
    /// The key that verifies its signatures.
    pub key: PublicKey,
    /// The signature counter. Synced passkeys leave it at 0.
    pub sign_count: u32,
    /// May it be synced? This never changes.
    pub is_backup_eligible: bool,
    /// Is it synced at present?
    pub is_backed_up: bool,
    /// Known ones only, each once, in the order of the alphabet.
    pub transports: Vec<&'static str>,
    /// The model of the authenticator, by its own account: nothing attests it.
    pub aaguid: [u8; 16],
}

/// Verifies a registration.
///
/// # Errors
/// The first step that refuses the credential.
pub fn register(response: &RegistrationResponse, ceremony: &Ceremony<'_>) -> Result<NewPasskey, CeremonyFault> {
    verify_id(&response.kind, &response.id, &response.raw_id)?;
    // Steps 5 to 11. Step 12 is for attestation.
    client_data::verify(&response.client_data_json, "webauthn.create", ceremony)?;
    // §7.1 step 13
    let data = authenticator_data(&response.attestation_object);
    let data = AuthenticatorData::parse(data.map_err(|Malformed| CeremonyFault::AttestationObject)?)?;
    // Steps 14 to 17. Steps 18 and 19 are for policies about backups: there is none.
    data.verify(ceremony.rp)?;
    let credential = data.credential.as_ref().ok_or(CeremonyFault::CredentialDataMissing)?;
    // §7.1 step 20. The attestation, steps 21 to 24, is not asked for.
    let key = public_key(credential.key)?;
    // §7.1 step 25
    if credential.id.is_empty() || credential.id.len() > MAX_ID_BYTES {
        return Err(CeremonyFault::CredentialIdLength);
    }
    if credential.id != response.raw_id {
        return Err(CeremonyFault::CredentialId);
    }
    // §7.1 step 27
    let is_sent = |name: &&str| response.transports.iter().any(|sent| sent == name);
    Ok(NewPasskey {
        credential_id: credential.id.to_vec(),
        key,
        sign_count: data.sign_count,
        is_backup_eligible: data.is_backup_eligible(),
        is_backed_up: data.is_backed_up(),
        transports: TRANSPORTS.into_iter().filter(is_sent).collect(),
        aaguid: *credential.aaguid,
    })
}

/// The authenticator data of an attestation object (Level 3, §6.5.4). The format and the statement are read and dropped.
fn authenticator_data(attestation_object: &[u8]) -> Result<&[u8], Malformed> {
    let (mut has_format, mut has_statement, mut data) = (false, false, None);
    let mut reader = Reader::new(attestation_object);
    reader.map(&mut |reader, key| {
        match key {
            Key::Text("fmt") => has_format = reader.text().map(|_| true)?,
            Key::Text("attStmt") => has_statement = reader.skip_map().map(|()| true)?,
            Key::Text("authData") => data = Some(reader.bytes()?),
            Key::Text(_) | Key::Integer(_) => reader.skip()?,
        }
        Ok(())
    })?;
    reader.finish()?;
    data.filter(|_| has_format && has_statement).ok_or(Malformed)
}

#[cfg(test)]
#[path = "registration_tests.rs"]
mod tests;
