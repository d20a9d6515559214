//! Valid responses of an authenticator, in parts, so that a test can break exactly one.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

use crate::domain::factor::webauthn::{
    Assertion, AssertionResponse, Ceremony, CeremonyFault, NewPasskey, RegistrationResponse, RelyingParty,
    StoredPasskey, authenticate, register,
};
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};

pub(super) const CHALLENGE: &[u8] = b"0123456789abcdef0123456789abcdef";
pub(super) const RP_ID: &str = "example.org";
pub(super) const ORIGIN: &str = "https://example.org";
pub(super) const CREDENTIAL_ID: &[u8] = b"the id of a credential";
pub(super) const USER_HANDLE: &[u8] = &[9; 16];

pub(super) const UP: u8 = 0x01;
pub(super) const UV: u8 = 0x04;
pub(super) const BE: u8 = 0x08;
pub(super) const BS: u8 = 0x10;
pub(super) const AT: u8 = 0x40;
pub(super) const ED: u8 = 0x80;

pub(super) fn rp() -> RelyingParty {
    RelyingParty { id: RP_ID.to_owned(), origins: vec!["https://www.example.org".to_owned(), ORIGIN.to_owned()] }
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The first bytes of a CBOR value: its major type, and a number in its shortest form.
pub(super) fn head(major: u8, number: usize) -> Vec<u8> {
    let major = major << 5;
    match number {
        0..24 => vec![major | u8::try_from(number).unwrap()],
        24..0x100 => vec![major | 0x18, u8::try_from(number).unwrap()],
        _ => [&[major | 0x19][..], &u16::try_from(number).unwrap().to_be_bytes()].concat(),
    }
}

pub(super) fn int(number: i64) -> Vec<u8> {
    match usize::try_from(number) {
        Ok(number) => head(0, number),
        Err(_) => head(1, usize::try_from(-1 - number).unwrap()),
    }
}

pub(super) fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len()), content.to_vec()].concat()
}

pub(super) fn text(content: &str) -> Vec<u8> {
    [head(3, content.len()), content.as_bytes().to_vec()].concat()
}

/// Keys and values in turn.
pub(super) fn map(members: &[Vec<u8>]) -> Vec<u8> {
    [head(5, members.len() / 2), members.concat()].concat()
}

pub(super) fn ed25519_key() -> Vec<u8> {
    map(&[int(1), int(1), int(3), int(-8), int(-1), int(6), int(-2), bytes(&[3; 32])])
}

pub(super) fn p256_key() -> Vec<u8> {
    map(&[int(1), int(2), int(3), int(-7), int(-1), int(1), int(-2), bytes(&[3; 32]), int(-3), bytes(&[4; 32])])
}

pub(super) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    map(&[int(1), int(3), int(3), int(-257), int(-1), bytes(modulus), int(-2), bytes(exponent)])
}

pub(super) fn client_data(ceremony_type: &str) -> String {
    let challenge = base64url(CHALLENGE);
    format!(r#"{{"type":"{ceremony_type}","challenge":"{challenge}","origin":"{ORIGIN}","crossOrigin":false}}"#)
}

/// The ceremony that [`CHALLENGE`] belongs to.
fn within<T>(run: impl FnOnce(&Ceremony<'_>) -> T) -> T {
    run(&Ceremony { rp: &rp(), is_challenge: &|challenge| challenge == CHALLENGE })
}

/// The parts of authenticator data.
#[derive(Clone)]
pub(super) struct Data {
    pub(super) rp_id: &'static str,
    pub(super) flags: u8,
    pub(super) sign_count: u32,
    /// Everything behind the counter.
    pub(super) rest: Vec<u8>,
}

impl Data {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let hash = Sha256::digest(self.rp_id);
        [hash.as_slice(), &[self.flags], &self.sign_count.to_be_bytes(), &self.rest].concat()
    }
}

/// A credential with this id and key.
pub(super) fn credential(id: &[u8], key: &[u8]) -> Vec<u8> {
    let length = u16::try_from(id.len()).unwrap().to_be_bytes();
    [&[7; 16][..], &length, id, key].concat()
}

pub(super) fn attestation_object(data: &[u8]) -> Vec<u8> {
    map(&[text("fmt"), text("none"), text("attStmt"), map(&[]), text("authData"), bytes(data)])
}

/// The parts of a registration.
#[derive(Clone)]
pub(super) struct Registration {
    pub(super) data: Data,
    pub(super) response: RegistrationResponse,
}

pub(super) fn registration() -> Registration {
    let rest = credential(CREDENTIAL_ID, &p256_key());
    let response = RegistrationResponse {
        raw_id: CREDENTIAL_ID.to_vec(),
        id: base64url(CREDENTIAL_ID),
        kind: "public-key".to_owned(),
        client_data_json: client_data("webauthn.create").into_bytes(),
        attestation_object: Vec::new(),
        transports: vec!["internal".to_owned()],
    };
    let data = Data { rp_id: RP_ID, flags: UP | UV | BE | BS | AT, sign_count: 5, rest };
    Registration { data, response }
}

impl Registration {
    /// The response, its attestation object made of `data`.
    pub(super) fn sent(&self) -> RegistrationResponse {
        RegistrationResponse { attestation_object: attestation_object(&self.data.bytes()), ..self.response.clone() }
    }

    pub(super) fn run(&self) -> Result<NewPasskey, CeremonyFault> {
        run_registration(&self.sent())
    }
}

pub(super) fn run_registration(response: &RegistrationResponse) -> Result<NewPasskey, CeremonyFault> {
    within(|ceremony| register(response, ceremony))
}

/// The parts of an authentication, and the credential on file.
#[derive(Clone)]
pub(super) struct Authentication {
    pub(super) data: Data,
    pub(super) response: AssertionResponse,
    pub(super) demands_user_handle: bool,
    pub(super) stored_count: u32,
    pub(super) algorithm: SignatureAlgorithm,
}

pub(super) fn authentication() -> Authentication {
    let response = AssertionResponse {
        raw_id: CREDENTIAL_ID.to_vec(),
        id: base64url(CREDENTIAL_ID),
        kind: "public-key".to_owned(),
        client_data_json: client_data("webauthn.get").into_bytes(),
        authenticator_data: Vec::new(),
        signature: [&[0x30, 6, 2, 1, 1, 2, 1, 2][..]].concat(),
        user_handle: Some(USER_HANDLE.to_vec()),
    };
    Authentication {
        data: Data { rp_id: RP_ID, flags: UP | UV | BE | BS, sign_count: 6, rest: Vec::new() },
        response,
        demands_user_handle: true,
        stored_count: 5,
        algorithm: SignatureAlgorithm::Es256,
    }
}

impl Authentication {
    /// The response, its authenticator data made of `data`.
    pub(super) fn sent(&self) -> AssertionResponse {
        AssertionResponse { authenticator_data: self.data.bytes(), ..self.response.clone() }
    }

    pub(super) fn run(&self) -> Result<Assertion, CeremonyFault> {
        self.run_with(&self.sent())
    }

    /// With another response, against the same credential on file.
    pub(super) fn run_with(&self, response: &AssertionResponse) -> Result<Assertion, CeremonyFault> {
        let stored = StoredPasskey {
            credential_id: CREDENTIAL_ID,
            user_handle: USER_HANDLE,
            key: &PublicKey { algorithm: self.algorithm, jwk: String::new() },
            sign_count: self.stored_count,
            is_backup_eligible: true,
        };
        within(|ceremony| authenticate(response, &stored, ceremony, self.demands_user_handle))
    }
}
