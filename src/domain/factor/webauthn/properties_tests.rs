//! Arbitrary and mutated input never panics, and a mutated response is not accepted as another credential.

use proptest::prelude::*;

use crate::domain::factor::webauthn::cbor::Reader;
use crate::domain::factor::webauthn::cose::public_key;
use crate::domain::factor::webauthn::der::fixed_signature;
use crate::domain::factor::webauthn::fixture::{
    attestation_object, authentication, ed25519_key, p256_key, registration, rsa_key, run_registration,
};
use crate::domain::factor::webauthn::{AssertionResponse, RegistrationResponse, presented_challenge};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

/// A few changes: a place, and another byte there, a byte inserted, a byte removed, or the rest removed.
fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8, any::<u8>()), 1..5)
}

fn mutated(valid: &[u8], mutations: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for (place, kind, byte) in mutations {
        let place = place.index(bytes.len() + 1);
        match kind {
            0 => bytes.insert(place, *byte),
            1 => bytes.truncate(place),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            _ if place < bytes.len() => bytes[place] = *byte,
            _ => {}
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn no_parser_panics(bytes in bytes()) {
        let mut reader = Reader::new(&bytes);
        let outcome = reader.skip();
        prop_assert!(reader.position() <= bytes.len());
        prop_assert!(outcome.is_err() || reader.position() > 0);
        let _ = Reader::new(&bytes).scalar();
        let _ = public_key(&bytes);
        let _ = presented_challenge(&bytes);
        prop_assert!(fixed_signature(&bytes).is_none_or(|fixed| fixed.len() == 64));
    }

    #[test]
    fn arbitrary_responses_are_refused(first in bytes(), second in bytes(), third in bytes()) {
        let valid = registration().sent();
        for response in [
            RegistrationResponse { client_data_json: first.clone(), ..valid.clone() },
            RegistrationResponse { attestation_object: second.clone(), ..valid.clone() },
            RegistrationResponse { attestation_object: attestation_object(&third), ..valid },
        ] {
            prop_assert!(run_registration(&response).is_err());
        }
        let valid = authentication().sent();
        for response in [
            AssertionResponse { client_data_json: first, ..valid.clone() },
            AssertionResponse { authenticator_data: second, ..valid.clone() },
            AssertionResponse { signature: third, ..valid },
        ] {
            let _ = authentication().run_with(&response);
        }
    }

    #[test]
    fn mutated_registrations_keep_the_id(in_object in mutations(), in_data in mutations(), in_json in mutations()) {
        let parts = registration();
        let valid = parts.sent();
        let responses = [
            RegistrationResponse { attestation_object: mutated(&valid.attestation_object, &in_object), ..valid.clone() },
            RegistrationResponse {
                attestation_object: attestation_object(&mutated(&parts.data.bytes(), &in_data)),
                ..valid.clone()
            },
            RegistrationResponse { client_data_json: mutated(&valid.client_data_json, &in_json), ..valid.clone() },
        ];
        for response in responses {
            if let Ok(passkey) = run_registration(&response) {
                prop_assert_eq!(&passkey.credential_id, &valid.raw_id);
            }
        }
    }

    #[test]
    fn mutated_assertions_sign_what_was_sent(in_data in mutations(), in_json in mutations(), in_der in mutations()) {
        let valid = authentication().sent();
        let response = AssertionResponse {
            authenticator_data: mutated(&valid.authenticator_data, &in_data),
            client_data_json: mutated(&valid.client_data_json, &in_json),
            signature: mutated(&valid.signature, &in_der),
            ..valid.clone()
        };
        let _ = authentication().run_with(&response);
        let response = AssertionResponse { authenticator_data: response.authenticator_data, ..valid };
        if let Ok(assertion) = authentication().run_with(&response) {
            prop_assert!(assertion.message.starts_with(&response.authenticator_data));
        }
    }

    #[test]
    fn mutated_keys_give_json(choice in 0_usize..3, mutations in mutations()) {
        let keys = [ed25519_key(), p256_key(), rsa_key(&[0xff; 256], &[1, 0, 1])];
        if let Ok(key) = public_key(&mutated(&keys[choice], &mutations)) {
            let members: std::collections::BTreeMap<String, String> = serde_json::from_str(&key.jwk).unwrap();
            prop_assert!(members.contains_key("kty"));
        }
    }
}
