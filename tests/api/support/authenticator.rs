//! A browser and its authenticator in software: from the options of the service to the JSON that a page would send back.
//!
//! It reads options as `PublicKeyCredential.parseCreationOptionsFromJSON` and its counterpart do, refuses (by a panic)
//! those that a browser would refuse, and answers in the form of `toJSON()` (`WebAuthn` Level 3, §5.1).
//! A [`Twist`] breaks one thing of the next answers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::Signer as _;
use edge_auth::domain::factor::webauthn::cose_id;
use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::crypto::random;

/// The flags of authenticator data (`WebAuthn` Level 3, §6.1).
pub const USER_PRESENT: u8 = 1;
pub const USER_VERIFIED: u8 = 1 << 2;
pub const BACKUP_ELIGIBLE: u8 = 1 << 3;
pub const BACKED_UP: u8 = 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;

/// The deviations from an honest answer. Bytes and texts replace the right ones.
#[derive(Debug, Clone, Default)]
pub struct Twist {
    /// `type` of the client data.
    pub ceremony_type: Option<&'static str>,
    pub challenge: Option<Vec<u8>>,
    pub origin: Option<&'static str>,
    pub is_cross_origin: bool,
    pub top_origin: Option<&'static str>,
    pub rp_id: Option<&'static str>,
    /// Without the one for a new credential, which follows from the ceremony.
    pub flags: Option<u8>,
    pub counter: Option<u32>,
    /// In `id` and `rawId`; the authenticator data keep the true one.
    pub credential_id: Option<Vec<u8>>,
    pub user_handle: Option<Vec<u8>>,
    /// As an authenticator does that stores none.
    pub omits_user_handle: bool,
    /// Changes one byte of the signature behind its DER frame.
    pub breaks_signature: bool,
}

enum PrivateKey {
    EdDsa(ed25519_dalek::SigningKey),
    Es256(p256::ecdsa::SigningKey),
}

impl PrivateKey {
    fn generate(algorithm: SignatureAlgorithm) -> Self {
        match algorithm {
            SignatureAlgorithm::EdDsa => Self::EdDsa(ed25519_dalek::SigningKey::from_bytes(&random())),
            // A random number is almost never outside of the field.
            SignatureAlgorithm::Es256 => Self::Es256(p256::ecdsa::SigningKey::from_slice(&random::<32>()).unwrap()),
            SignatureAlgorithm::Rs256 => panic!("no crate of the tests signs RSA"),
        }
    }

    /// The public half in COSE (RFC 9053 §7).
    fn cose(&self) -> Vec<u8> {
        match self {
            Self::EdDsa(key) => {
                let x = key.verifying_key().to_bytes();
                [&[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 32][..], &x].concat()
            }
            Self::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let start = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32];
                [&start[..], point.x().unwrap(), &[0x22, 0x58, 32], point.y().unwrap()].concat()
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EdDsa(key) => key.sign(message).to_bytes().to_vec(),
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                let fixed = signature.to_bytes();
                let content = [der_integer(&fixed[..32]), der_integer(&fixed[32..])].concat();
                [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
            }
        }
    }
}

fn der_integer(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap();
    let sign = if number[start] >= 0x80 { &[0][..] } else { &[] };
    let digits = [sign, &number[start..]].concat();
    [&[0x02, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
}

/// An authenticator with room for one passkey.
pub struct Authenticator {
    algorithm: SignatureAlgorithm,
    key: PrivateKey,
    pub credential_id: Vec<u8>,
    rp_id: String,
    user_handle: Vec<u8>,
    /// The flags of its answers: a passkey that is bound to its device, and a verified user.
    pub flags: u8,
    /// The number of assertions so far.
    pub counter: u32,
    pub twist: Twist,
}

impl Authenticator {
    /// With `EdDSA` or ES256.
    pub fn new(algorithm: SignatureAlgorithm) -> Self {
        Self {
            algorithm,
            key: PrivateKey::generate(algorithm),
            credential_id: random::<16>().to_vec(),
            rp_id: String::new(),
            user_handle: Vec::new(),
            flags: USER_PRESENT | USER_VERIFIED,
            counter: 0,
            twist: Twist::default(),
        }
    }

    /// `navigator.credentials.create()` on a page of this origin: a new passkey in place of the last one.
    pub fn register(&mut self, options: &Value, origin: &str) -> String {
        let algorithms = options["pubKeyCredParams"].as_array().unwrap();
        let is_wanted = |entry: &Value| entry["type"] == "public-key" && entry["alg"] == cose_id(self.algorithm);
        assert!(algorithms.iter().any(is_wanted), "the algorithm is not offered");
        let texts = [&options["rp"]["name"], &options["user"]["name"], &options["user"]["displayName"]];
        assert!(texts.into_iter().all(Value::is_string), "a required text is missing");
        let is_known = lists(&options["excludeCredentials"], &self.credential_id);
        assert!(!is_known, "InvalidStateError: the authenticator has an excluded passkey");
        self.key = PrivateKey::generate(self.algorithm);
        self.credential_id = random::<16>().to_vec();
        self.rp_id = rp_id(&options["rp"]["id"], origin);
        self.user_handle = bytes(&options["user"]["id"]);
        assert!((1..=64).contains(&self.user_handle.len()), "a user handle has 1 to 64 bytes");
        let client_data = self.client_data("webauthn.create", options, origin);
        let id_length = u16::try_from(self.credential_id.len()).unwrap().to_be_bytes();
        let credential = [&[0; 16][..], &id_length, &self.credential_id, &self.key.cose()].concat();
        let data = [self.data(HAS_CREDENTIAL), credential].concat();
        let start = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58";
        let object = [&start[..], &[u8::try_from(data.len()).unwrap()], &data].concat();
        let response = json!({
            "clientDataJSON": BASE64.encode(client_data),
            "attestationObject": BASE64.encode(object),
            "authenticatorData": BASE64.encode(data),
            "publicKeyAlgorithm": cose_id(self.algorithm),
            "transports": ["hybrid", "internal"],
        });
        self.credential(&response)
    }

    /// `navigator.credentials.get()` on a page of this origin.
    pub fn authenticate(&mut self, options: &Value, origin: &str) -> String {
        assert_eq!(rp_id(&options["rpId"], origin), self.rp_id, "no passkey for this RP ID");
        let allowed = &options["allowCredentials"];
        let allows_all = allowed.as_array().is_none_or(Vec::is_empty);
        assert!(allows_all || lists(allowed, &self.credential_id), "NotAllowedError: no allowed passkey");
        self.counter += 1;
        let client_data = self.client_data("webauthn.get", options, origin);
        let data = self.data(0);
        let mut signature = self.key.sign(&[&data[..], Sha256::digest(&client_data).as_slice()].concat());
        if self.twist.breaks_signature {
            // Within r, and never its first byte: the DER stays valid.
            signature[20] ^= 1;
        }
        let user_handle = self.twist.user_handle.as_ref().unwrap_or(&self.user_handle);
        let mut response = json!({
            "clientDataJSON": BASE64.encode(client_data),
            "authenticatorData": BASE64.encode(data),
            "signature": BASE64.encode(signature),
        });
        if !self.twist.omits_user_handle {
            response["userHandle"] = BASE64.encode(user_handle).into();
        }
        self.credential(&response)
    }

    /// The members of the client data, in the order that Level 3, §5.8.1.1 fixes.
    fn client_data(&self, ceremony_type: &str, options: &Value, origin: &str) -> Vec<u8> {
        let twist = &self.twist;
        let challenge = twist.challenge.clone().unwrap_or_else(|| bytes(&options["challenge"]));
        assert!(challenge.len() >= 16, "a challenge has at least 16 bytes");
        let json = format!(
            r#"{{"type":{},"challenge":"{}","origin":{},"crossOrigin":{}{}}}"#,
            json!(twist.ceremony_type.unwrap_or(ceremony_type)),
            BASE64.encode(challenge),
            json!(twist.origin.unwrap_or(origin)),
            twist.is_cross_origin,
            twist.top_origin.map(|top| format!(r#","topOrigin":{}"#, json!(top))).unwrap_or_default()
        );
        json.into_bytes()
    }

    /// The authenticator data up to the counter.
    fn data(&self, more_flags: u8) -> Vec<u8> {
        let hash = Sha256::digest(self.twist.rp_id.unwrap_or(&self.rp_id));
        let flags = self.twist.flags.unwrap_or(self.flags) | more_flags;
        let counter = self.twist.counter.unwrap_or(self.counter);
        [hash.as_slice(), &[flags], &counter.to_be_bytes()].concat()
    }

    fn credential(&self, response: &Value) -> String {
        let id = BASE64.encode(self.twist.credential_id.as_ref().unwrap_or(&self.credential_id));
        let credential = json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        });
        credential.to_string()
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap()).unwrap()
}

/// Does a list of descriptors have this credential?
fn lists(descriptors: &Value, id: &[u8]) -> bool {
    let is_this = |descriptor: &Value| descriptor["type"] == "public-key" && bytes(&descriptor["id"]) == id;
    descriptors.as_array().is_some_and(|descriptors| descriptors.iter().any(is_this))
}

/// The RP ID, by default the host of the page. A browser takes the host or a domain above it.
fn rp_id(wanted: &Value, origin: &str) -> String {
    let host = origin.split_once("://").unwrap().1.split(':').next().unwrap();
    let rp_id = wanted.as_str().unwrap_or(host);
    assert!(host == rp_id || host.ends_with(&format!(".{rp_id}")), "SecurityError: {rp_id} on {origin}");
    rp_id.to_owned()
}
