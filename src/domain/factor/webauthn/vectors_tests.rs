//! The examples of the specification: ceremonies of an authenticator that others wrote (Level 3, §16).
//!
//! Most of them lack user verification. The flag lies outside of all that is compared here except for itself and the
//! signature, so it is set; the native tests verify the signature of the unchanged bytes.

use std::collections::BTreeMap;

use crate::domain::factor::webauthn::fixture::{UV, base64url, rp};
use crate::domain::factor::webauthn::{
    Assertion, AssertionResponse, Ceremony, CeremonyFault, NewPasskey, RegistrationResponse, StoredPasskey,
    authenticate, register,
};
use crate::domain::public_key::SignatureAlgorithm;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// SHA-256 of `example.org`: the start of all authenticator data.
const RP_ID_HASH: &str = "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b5";

/// One example: each name with its values, that of the registration first.
struct Vector(BTreeMap<&'static str, Vec<Vec<u8>>>);

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn vector(name: &str) -> Vector {
    let sections = include_str!("w3c_vectors.txt").split("# ");
    let section = sections.into_iter().find(|section| section.lines().next() == Some(name)).unwrap();
    let mut values = BTreeMap::<_, Vec<_>>::new();
    for (key, value) in section.lines().filter_map(|line| line.split_once(' ')) {
        values.entry(key).or_default().push(unhex(value));
    }
    Vector(values)
}

impl Vector {
    fn value(&self, name: &str, at: usize) -> Vec<u8> {
        self.0[name][at].clone()
    }

    fn register(&self, sets_verified: bool) -> Result<NewPasskey, CeremonyFault> {
        let mut object = self.value("attestationObject", 0);
        let hash = unhex(RP_ID_HASH);
        let flags = object.windows(32).position(|window| window == hash).unwrap() + 32;
        object[flags] |= if sets_verified { UV } else { 0 };
        let id_length = usize::from(object[flags + 21]) << 8 | usize::from(object[flags + 22]);
        let raw_id = object[flags + 23..][..id_length].to_vec();
        let response = RegistrationResponse {
            id: base64url(&raw_id),
            raw_id,
            kind: "public-key".to_owned(),
            client_data_json: self.value("clientDataJSON", 0),
            attestation_object: object,
            transports: Vec::new(),
        };
        let challenge = self.value("challenge", 0);
        register(&response, &Ceremony { rp: &rp(), is_challenge: &|presented| presented == challenge })
    }

    fn authenticate(&self, passkey: &NewPasskey) -> Result<Assertion, CeremonyFault> {
        let mut data = self.value("authenticatorData", 0);
        data[32] |= UV;
        let response = AssertionResponse {
            id: base64url(&passkey.credential_id),
            raw_id: passkey.credential_id.clone(),
            kind: "public-key".to_owned(),
            client_data_json: self.value("clientDataJSON", 1),
            authenticator_data: data,
            signature: self.value("signature", 0),
            user_handle: None,
        };
        let stored = StoredPasskey {
            credential_id: &passkey.credential_id,
            user_handle: b"a user",
            key: &passkey.key,
            sign_count: passkey.sign_count,
            is_backup_eligible: passkey.is_backup_eligible,
        };
        let challenge = self.value("challenge", 1);
        let ceremony = Ceremony { rp: &rp(), is_challenge: &|presented| presented == challenge };
        authenticate(&response, &stored, &ceremony, false)
    }
}

#[test]
fn the_examples_of_the_specification_are_accepted() {
    let examples = [
        ("none-es256", SignatureAlgorithm::Es256),
        ("none-es256-long-credential-id", SignatureAlgorithm::Es256),
        ("packed-self-es256", SignatureAlgorithm::Es256),
        ("packed-rs256", SignatureAlgorithm::Rs256),
        ("packed-eddsa", SignatureAlgorithm::EdDsa),
        ("tpm-es256", SignatureAlgorithm::Es256),
    ];
    for (name, algorithm) in examples {
        let vector = vector(name);
        let passkey = vector.register(true).unwrap();
        assert_eq!(passkey.key.algorithm, algorithm, "{name}");
        let assertion = vector.authenticate(&passkey).unwrap();
        assert!(!assertion.counter_went_back, "{name}");
        #[cfg(not(target_arch = "wasm32"))]
        signature::assert_valid(&vector, &passkey, &assertion);
    }
}

#[test]
fn the_longest_id_of_the_examples_is_kept() {
    let passkey = vector("none-es256-long-credential-id").register(true).unwrap();
    assert_eq!(passkey.credential_id.len(), 1023);
}

#[test]
fn examples_beyond_the_policy_are_refused() {
    let faults = [
        ("none-es256", false, CeremonyFault::UserVerification),
        ("none-es256-crossOrigin", true, CeremonyFault::CrossOrigin),
        ("packed-es512", true, CeremonyFault::Algorithm),
    ];
    for (name, sets_verified, fault) in faults {
        assert_eq!(vector(name).register(sets_verified), Err(fault), "{name}");
    }
    // It has `crossOrigin` too, which is checked first.
    let mut outer = vector("none-es256-topOrigin");
    assert_eq!(outer.register(true), Err(CeremonyFault::CrossOrigin));
    let json = String::from_utf8(outer.value("clientDataJSON", 0)).unwrap();
    let json = json.replace("\"crossOrigin\":true", "\"crossOrigin\":false");
    outer.0.get_mut("clientDataJSON").unwrap()[0] = json.into_bytes();
    assert_eq!(outer.register(true), Err(CeremonyFault::TopOrigin));
}

/// Verification with the crates that stand for `WebCrypto` in native tests.
#[cfg(not(target_arch = "wasm32"))]
mod signature {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    pub(super) fn assert_valid(vector: &Vector, passkey: &NewPasskey, assertion: &Assertion) {
        let mut message = assertion.message.clone();
        message[32] = vector.value("authenticatorData", 0)[32];
        let jwk: BTreeMap<String, String> = serde_json::from_str(&passkey.key.jwk).unwrap();
        let member = |name: &str| Base64UrlUnpadded::decode_vec(&jwk[name]).unwrap();
        match passkey.key.algorithm {
            SignatureAlgorithm::Es256 => {
                let point = [vec![4], member("x"), member("y")].concat();
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
                key.verify(&message, &p256::ecdsa::Signature::from_slice(&assertion.signature).unwrap()).unwrap();
            }
            SignatureAlgorithm::EdDsa => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&member("x").try_into().unwrap()).unwrap();
                key.verify(&message, &ed25519_dalek::Signature::from_slice(&assertion.signature).unwrap()).unwrap();
            }
            // No crate of the tests verifies RSA.
            SignatureAlgorithm::Rs256 => assert_eq!(member("n").len(), assertion.signature.len()),
        }
    }
}
