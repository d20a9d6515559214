//! The options of WebAuthn as JSON (W3C WebAuthn Level 3 §5.1.8 to §5.1.10), as browsers parse them by
//! `parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON`.

use serde::Serialize;

use crate::domain::factor::demand::{CredentialHint, PasskeyCreation, PasskeyRequest};
use crate::domain::factor::webauthn::cose_id;
use crate::domain::public_key::SignatureAlgorithm;

const TYPE: &str = "public-key";

#[derive(Serialize)]
struct DescriptorBody {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    transports: Vec<String>,
}

impl From<CredentialHint> for DescriptorBody {
    fn from(hint: CredentialHint) -> Self {
        Self { kind: TYPE, id: hint.id, transports: hint.transports }
    }
}

/// The options of a sign-in: `PublicKeyCredentialRequestOptionsJSON`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct RequestBody {
    challenge: String,
    timeout: i64,
    rp_id: String,
    allow_credentials: Vec<DescriptorBody>,
    user_verification: &'static str,
}

impl From<PasskeyRequest> for RequestBody {
    fn from(request: PasskeyRequest) -> Self {
        Self {
            challenge: request.challenge,
            timeout: request.timeout_ms,
            rp_id: request.rp_id,
            allow_credentials: request.allowed.into_iter().map(DescriptorBody::from).collect(),
            user_verification: "required",
        }
    }
}

#[derive(Serialize)]
struct RelyingPartyBody {
    id: String,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserBody {
    id: String,
    name: String,
    display_name: String,
}

#[derive(Serialize)]
struct ParameterBody {
    #[serde(rename = "type")]
    kind: &'static str,
    alg: i64,
}

/// A passkey that can be found without an address is asked for, and one that cannot is taken.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SelectionBody {
    resident_key: &'static str,
    require_resident_key: bool,
    user_verification: &'static str,
}

/// The options of a registration: `PublicKeyCredentialCreationOptionsJSON`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct CreationBody {
    rp: RelyingPartyBody,
    user: UserBody,
    challenge: String,
    pub_key_cred_params: Vec<ParameterBody>,
    timeout: i64,
    exclude_credentials: Vec<DescriptorBody>,
    authenticator_selection: SelectionBody,
    attestation: &'static str,
}

impl From<PasskeyCreation> for CreationBody {
    fn from(creation: PasskeyCreation) -> Self {
        let parameter = |algorithm: SignatureAlgorithm| ParameterBody { kind: TYPE, alg: cose_id(algorithm) };
        Self {
            rp: RelyingPartyBody { id: creation.rp.id, name: creation.rp_name },
            user: UserBody { id: creation.user_handle, name: creation.user_name, display_name: creation.display_name },
            challenge: creation.challenge,
            pub_key_cred_params: SignatureAlgorithm::ALL.map(parameter).into(),
            timeout: creation.timeout_ms,
            exclude_credentials: creation.excluded.into_iter().map(DescriptorBody::from).collect(),
            authenticator_selection: SelectionBody {
                resident_key: "preferred",
                require_resident_key: false,
                user_verification: "required",
            },
            attestation: "none",
        }
    }
}
