//! The use of a passkey (Level 3, §7.2), up to its signature, which the caller has to have verified.

use sha2::{Digest as _, Sha256};

use crate::domain::factor::webauthn::authenticator_data::AuthenticatorData;
use crate::domain::factor::webauthn::der::fixed_signature;
use crate::domain::factor::webauthn::fault::CeremonyFault;
use crate::domain::factor::webauthn::{Ceremony, client_data, verify_id};
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};

/// The `PublicKeyCredential` of `navigator.credentials.get()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionResponse {
    /// `rawId`: the id of the credential.
    pub raw_id: Vec<u8>,
    /// `id`: the same in base64url, as it was sent.
    pub id: String,
    /// `type`: must be `public-key`.
    pub kind: String,
    /// `clientDataJSON`: the browser's account of the ceremony.
    pub client_data_json: Vec<u8>,
    /// `authenticatorData`: the authenticator's account, which is signed.
    pub authenticator_data: Vec<u8>,
    /// `signature`: over the authenticator data and a digest of the client data.
    pub signature: Vec<u8>,
    /// `userHandle`: the `user.id` of the registration, if the authenticator stores it.
    pub user_handle: Option<Vec<u8>>,
}

/// The passkey on file with the id of the response.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are those of the registration")]
pub struct StoredPasskey<'a> {
    pub credential_id: &'a [u8],
    /// The `user.id` that the registration was started with.
    pub user_handle: &'a [u8],
    pub key: &'a PublicKey,
    pub sign_count: u32,
    pub is_backup_eligible: bool,
}

/// An assertion that is valid if its signature is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The signed bytes: the authenticator data, and the SHA-256 digest of the client data.
    pub message: Vec<u8>,
    /// As `WebCrypto` takes it: r and s in 64 bytes for ES256, others as they were sent.
    pub signature: Vec<u8>,
    /// The signature counter, to be stored.
    pub sign_count: u32,
    /// Is the passkey synced at present?
    pub is_backed_up: bool,
    /// The counter did not grow: perhaps a second copy of the key is in use. Level 3 leaves the consequence to the
    /// relying party.
    pub counter_went_back: bool,
}

/// Verifies an assertion except for its signature. `demands_user_handle`: no user was named before, so the response
/// must name one.
///
/// # Errors
/// The first step that refuses the credential.
pub fn authenticate(
    response: &AssertionResponse,
    stored: &StoredPasskey<'_>,
    ceremony: &Ceremony<'_>,
    demands_user_handle: bool,
) -> Result<Assertion, CeremonyFault> {
    verify_id(&response.kind, &response.id, &response.raw_id)?;
    verify_owner(response, stored, demands_user_handle)?;
    // Steps 8 to 14.
    client_data::verify(&response.client_data_json, "webauthn.get", ceremony)?;
    let data = AuthenticatorData::parse(&response.authenticator_data)?;
    // Steps 15 to 18.
    data.verify(ceremony.rp)?;
    // §6.1: an assertion never has a new credential.
    if data.credential.is_some() {
        return Err(CeremonyFault::CredentialDataUnexpected);
    }
    // §7.2 step 19
    if data.is_backup_eligible() != stored.is_backup_eligible {
        return Err(CeremonyFault::BackupEligibility);
    }
    // §7.2 steps 20 and 21
    let mut message = response.authenticator_data.clone();
    message.extend(Sha256::digest(&response.client_data_json));
    let signature = signature(stored.key.algorithm, &response.signature).ok_or(CeremonyFault::SignatureForm)?;
    // §7.2 step 22
    let is_counted = data.sign_count != 0 || stored.sign_count != 0;
    let counter_went_back = is_counted && data.sign_count <= stored.sign_count;
    Ok(Assertion {
        message,
        signature,
        sign_count: data.sign_count,
        is_backed_up: data.is_backed_up(),
        counter_went_back,
    })
}

/// Is this the stored credential, and of the stored user?
fn verify_owner(
    response: &AssertionResponse,
    stored: &StoredPasskey<'_>,
    demands_user_handle: bool,
) -> Result<(), CeremonyFault> {
    // §7.2 steps 5 and 6
    if response.raw_id != stored.credential_id {
        return Err(CeremonyFault::CredentialId);
    }
    match &response.user_handle {
        Some(handle) if handle != stored.user_handle => Err(CeremonyFault::UserHandle),
        None if demands_user_handle => Err(CeremonyFault::UserHandleMissing),
        Some(_) | None => Ok(()),
    }
}

/// The signature as `WebCrypto` takes it. `None` if it does not have the form of its algorithm.
fn signature(algorithm: SignatureAlgorithm, sent: &[u8]) -> Option<Vec<u8>> {
    let has_length = match algorithm {
        SignatureAlgorithm::Es256 => return fixed_signature(sent),
        SignatureAlgorithm::EdDsa => sent.len() == 64,
        // As long as a modulus of 2048 to 4096 bits.
        SignatureAlgorithm::Rs256 => (256..=512).contains(&sent.len()),
    };
    has_length.then(|| sent.to_vec())
}

#[cfg(test)]
#[path = "authentication_tests.rs"]
mod tests;
