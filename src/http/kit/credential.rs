//! Credentials of WebAuthn in a body, as `PublicKeyCredential.toJSON()` returns them (W3C WebAuthn Level 3 §5.1).

use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::domain::factor::webauthn::{AssertionResponse, RegistrationResponse};
use crate::domain::json::{JsonText, Object};
use crate::domain::problem::FaultKind;
use crate::http::kit::fields::{Fields, Invalid};

/// The members of a credential that both ceremonies have.
struct Credential {
    id: String,
    raw_id: Vec<u8>,
    kind: String,
    response: Object,
}

impl Fields {
    /// A required credential of a registration.
    pub(in crate::http) fn registration(&mut self, field: &'static str) -> Result<RegistrationResponse, Invalid> {
        let credential = self.object(field)?;
        let read = credential_of(credential).and_then(|mut credential| {
            let client_data_json = bytes(&mut credential.response, "clientDataJSON")?;
            let attestation_object = bytes(&mut credential.response, "attestationObject")?;
            let transports = match credential.response.take("transports") {
                Some(JsonText::Array(items)) => items.into_iter().filter_map(into_text).collect(),
                _ => Vec::new(),
            };
            let Credential { id, raw_id, kind, .. } = credential;
            Some(RegistrationResponse { raw_id, id, kind, client_data_json, attestation_object, transports })
        });
        self.credential(field, read)
    }

    /// A required credential of a sign-in.
    pub(in crate::http) fn assertion(&mut self, field: &'static str) -> Result<AssertionResponse, Invalid> {
        let credential = self.object(field)?;
        let read = credential_of(credential).and_then(|mut credential| {
            let client_data_json = bytes(&mut credential.response, "clientDataJSON")?;
            let authenticator_data = bytes(&mut credential.response, "authenticatorData")?;
            let signature = bytes(&mut credential.response, "signature")?;
            let user_handle = match credential.response.take("userHandle") {
                None | Some(JsonText::Null) => None,
                Some(value) => Some(decoded(value)?),
            };
            let Credential { id, raw_id, kind, .. } = credential;
            Some(AssertionResponse { raw_id, id, kind, client_data_json, authenticator_data, signature, user_handle })
        });
        self.credential(field, read)
    }

    fn credential<T>(&mut self, field: &'static str, read: Option<T>) -> Result<T, Invalid> {
        match read {
            Some(credential) => Ok(credential),
            None => self.note(field, FaultKind::ValueError, "value must be a credential as toJSON() returns it"),
        }
    }
}

fn credential_of(mut credential: Object) -> Option<Credential> {
    let raw_id = bytes(&mut credential, "rawId")?;
    let id = into_text(credential.take("id")?)?;
    let kind = into_text(credential.take("type")?)?;
    let Some(JsonText::Object(response)) = credential.take("response") else { return None };
    (!credential.has_duplicates && !response.has_duplicates).then_some(Credential { id, raw_id, kind, response })
}

fn bytes(object: &mut Object, name: &str) -> Option<Vec<u8>> {
    decoded(object.take(name)?)
}

fn decoded(value: JsonText) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(&into_text(value)?).ok()
}

fn into_text(value: JsonText) -> Option<String> {
    if let JsonText::Text(text) = value { Some(text) } else { None }
}
