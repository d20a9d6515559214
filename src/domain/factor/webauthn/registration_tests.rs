//! The registration: each test breaks one step and nothing else. Steps of the client data have their tests beside them.

use super::*;
use crate::domain::factor::webauthn::fixture::{
    AT, BE, BS, CREDENTIAL_ID, ED, RP_ID, Registration, UP, UV, attestation_object, base64url, bytes, credential,
    ed25519_key, int, map, p256_key, registration, rsa_key, run_registration, text,
};
use crate::domain::public_key::SignatureAlgorithm;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn changed(change: impl FnOnce(&mut Registration)) -> Result<NewPasskey, CeremonyFault> {
    let mut registration = registration();
    change(&mut registration);
    registration.run()
}

fn with_flags(flags: u8) -> Result<NewPasskey, CeremonyFault> {
    changed(|registration| registration.data.flags = flags)
}

/// With another attestation object around the valid authenticator data.
fn with_object(object: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Result<NewPasskey, CeremonyFault> {
    let Registration { data, response } = registration();
    run_registration(&RegistrationResponse { attestation_object: object(data.bytes()), ..response })
}

/// With an id of so many bytes, everywhere.
fn with_id_of(length: usize) -> Result<NewPasskey, CeremonyFault> {
    let id = vec![1; length];
    changed(|registration| {
        registration.data.rest = credential(&id, &p256_key());
        registration.response.id = base64url(&id);
        registration.response.raw_id = id;
    })
}

#[test]
fn a_valid_registration_gives_the_passkey() {
    let passkey = registration().run().unwrap();
    let expected = NewPasskey {
        credential_id: CREDENTIAL_ID.to_vec(),
        key: public_key(&p256_key()).unwrap(),
        sign_count: 5,
        is_backup_eligible: true,
        is_backed_up: true,
        transports: vec!["internal"],
        aaguid: [7; 16],
    };
    assert_eq!(passkey, expected);
}

#[test]
fn each_algorithm_is_accepted() {
    let keys = [ed25519_key(), p256_key(), rsa_key(&[0xff; 256], &[1, 0, 1])];
    for (key, algorithm) in keys.into_iter().zip(SignatureAlgorithm::ALL) {
        let passkey = changed(|registration| registration.data.rest = credential(CREDENTIAL_ID, &key));
        assert_eq!(passkey.unwrap().key.algorithm, algorithm);
    }
}

#[test]
fn another_type_of_credential_is_refused() {
    for kind in ["", "password", "Public-Key"] {
        let outcome = changed(|registration| registration.response.kind = kind.to_owned());
        assert_eq!(outcome, Err(CeremonyFault::CredentialType));
    }
}

#[test]
fn the_two_forms_of_the_id_agree() {
    let id = base64url(CREDENTIAL_ID);
    for other in [String::new(), format!("{id}="), format!("{id}AA"), base64url(b"another")] {
        let outcome = changed(|registration| registration.response.id = other);
        assert_eq!(outcome, Err(CeremonyFault::CredentialId));
    }
}

#[test]
fn the_id_is_the_one_in_the_authenticator_data() {
    let outcome = changed(|registration| {
        registration.response.id = base64url(b"another");
        registration.response.raw_id = b"another".to_vec();
    });
    assert_eq!(outcome, Err(CeremonyFault::CredentialId));
}

// §7.1 step 13
#[test]
fn the_attestation_object_is_a_map_with_its_three_members() {
    let members =
        |data: &[u8]| [[text("fmt"), text("none")], [text("attStmt"), map(&[])], [text("authData"), bytes(data)]];
    let without = |place: usize| {
        with_object(|data| {
            let mut rest = members(&data).to_vec();
            rest.remove(place);
            map(&rest.concat())
        })
    };
    for place in 0..3 {
        assert_eq!(without(place), Err(CeremonyFault::AttestationObject), "without member {place}");
        let twice = with_object(|data| map(&[&members(&data).concat()[..], &members(&data)[place]].concat()));
        assert_eq!(twice, Err(CeremonyFault::AttestationObject), "member {place} twice");
        let of_another_type = with_object(|data| {
            let mut members = members(&data);
            members[place][1] = int(1);
            map(&members.concat())
        });
        assert_eq!(of_another_type, Err(CeremonyFault::AttestationObject), "member {place} of another type");
    }
    assert_eq!(with_object(|_| Vec::new()), Err(CeremonyFault::AttestationObject));
    assert_eq!(with_object(|data| data), Err(CeremonyFault::AttestationObject));
}

#[test]
fn other_members_and_any_statement_are_ignored() {
    let certificate = [vec![0x81], bytes(&[0x30; 300])].concat();
    let statement = map(&[text("alg"), int(-7), text("sig"), bytes(&[1; 70]), text("x5c"), certificate]);
    let outcome = with_object(|data| {
        let members = [text("authData"), bytes(&data), text("attStmt"), statement, text("fmt"), text("packed")];
        map(&[&members[..], &[int(5), vec![0xf5]]].concat())
    });
    assert_eq!(outcome, registration().run());
}

#[test]
fn an_attestation_object_that_is_cut_off_or_too_long_is_refused() {
    let whole = attestation_object(&registration().data.bytes());
    for length in 0..whole.len() {
        let outcome = with_object(|_| whole[..length].to_vec());
        assert_eq!(outcome, Err(CeremonyFault::AttestationObject), "{length} bytes");
    }
    assert_eq!(with_object(|_| [&whole[..], &[0]].concat()), Err(CeremonyFault::AttestationObject));
}

#[test]
fn a_malformed_statement_is_refused() {
    let deep = [[vec![0xa1], int(1)].concat().repeat(9), int(1)].concat();
    let huge = [vec![0xbb], u64::MAX.to_be_bytes().to_vec()].concat();
    let twice = map(&[text("sig"), int(1), text("sig"), int(1)]);
    for statement in [deep, huge, twice, vec![0xbf, 0xff], vec![0x80]] {
        let object = |data: Vec<u8>| {
            map(&[text("fmt"), text("none"), text("authData"), bytes(&data), text("attStmt"), statement])
        };
        assert_eq!(with_object(object), Err(CeremonyFault::AttestationObject));
    }
}

/// §6.1: the flags say which parts follow, and nothing else does.
#[test]
fn authenticator_data_that_are_cut_off_or_too_long_are_refused() {
    let whole = registration().data.bytes();
    for length in 0..whole.len() {
        let outcome = with_object(|_| attestation_object(&whole[..length]));
        assert_eq!(outcome, Err(CeremonyFault::AuthenticatorData), "{length} bytes");
    }
    let outcome = changed(|registration| registration.data.rest.push(0));
    assert_eq!(outcome, Err(CeremonyFault::AuthenticatorData));
}

#[test]
fn extensions_are_there_if_and_only_if_the_flag_says_so() {
    let extensions = map(&[text("credProtect"), int(2)]);
    let add = |registration: &mut Registration| registration.data.rest.extend(&extensions);
    assert_eq!(changed(add), Err(CeremonyFault::AuthenticatorData), "no flag");
    let flags = registration().data.flags | ED;
    assert_eq!(with_flags(flags), Err(CeremonyFault::AuthenticatorData), "no extensions");
    let flagged = |rest: &[u8]| {
        changed(|registration| {
            registration.data.flags = flags;
            registration.data.rest.extend(rest);
        })
    };
    assert_eq!(flagged(&extensions), registration().run());
    for rest in [&[&extensions[..], &[0]].concat()[..], &[0x80], &[0xbf, 0xff], &[0xa2, 1, 1, 1, 1], &[0xa1, 1]] {
        assert_eq!(flagged(rest), Err(CeremonyFault::AuthenticatorData), "{rest:02x?}");
    }
}

#[test]
fn a_registration_without_a_credential_is_refused() {
    let outcome = changed(|registration| {
        registration.data.flags &= !AT;
        registration.data.rest.clear();
    });
    assert_eq!(outcome, Err(CeremonyFault::CredentialDataMissing));
    assert_eq!(with_flags(UP | UV), Err(CeremonyFault::AuthenticatorData), "data without their flag");
}

// §7.1 step 14
#[test]
fn another_rp_id_is_refused() {
    for other in ["", "www.example.org", "EXAMPLE.org", "https://example.org"] {
        assert_ne!(other, RP_ID);
        let outcome = changed(|registration| registration.data.rp_id = other);
        assert_eq!(outcome, Err(CeremonyFault::RelyingParty));
    }
}

// §7.1 steps 15 and 16
#[test]
fn the_user_is_present_and_verified() {
    assert_eq!(with_flags(UV | AT), Err(CeremonyFault::UserPresence));
    assert_eq!(with_flags(UP | AT), Err(CeremonyFault::UserVerification));
    assert!(with_flags(UP | UV | AT).is_ok());
}

// §7.1 step 17
#[test]
fn only_an_eligible_credential_is_backed_up() {
    assert_eq!(with_flags(UP | UV | AT | BS), Err(CeremonyFault::BackupState));
    for (flags, eligible, backed_up) in [(0, false, false), (BE, true, false), (BE | BS, true, true)] {
        let passkey = with_flags(UP | UV | AT | flags).unwrap();
        assert_eq!((passkey.is_backup_eligible, passkey.is_backed_up), (eligible, backed_up));
    }
}

#[test]
fn reserved_flags_are_ignored() {
    assert_eq!(with_flags(registration().data.flags | 0x22), registration().run());
}

/// §7.1 step 20. The bounds of keys have their tests beside them.
#[test]
fn the_key_is_of_an_offered_algorithm_and_its_type() {
    let es384 = map(&[int(1), int(2), int(3), int(-35), int(-1), int(2), int(-2), bytes(&[3; 48])]);
    let mixed = map(&[int(1), int(2), int(3), int(-8), int(-1), int(6), int(-2), bytes(&[3; 32])]);
    let short = map(&[int(1), int(1), int(3), int(-8), int(-1), int(6), int(-2), bytes(&[3; 31])]);
    let faults = [CeremonyFault::Algorithm, CeremonyFault::KeyType, CeremonyFault::KeyParameters];
    for (key, fault) in [es384, mixed, short].into_iter().zip(faults) {
        let outcome = changed(|registration| registration.data.rest = credential(CREDENTIAL_ID, &key));
        assert_eq!(outcome, Err(fault));
    }
}

// §7.1 step 25
#[test]
fn an_id_has_1_to_1023_bytes() {
    assert!(with_id_of(1).is_ok() && with_id_of(1023).is_ok());
    assert_eq!(with_id_of(0), Err(CeremonyFault::CredentialIdLength));
    assert_eq!(with_id_of(1024), Err(CeremonyFault::CredentialIdLength));
}

#[test]
fn known_transports_are_kept_once_and_sorted() {
    let sent = ["usb", "nfc", "usb", "cable", "", "USB", "smart-card", "internal", "hybrid", "ble", "ble"];
    let passkey = changed(|registration| registration.response.transports = sent.map(str::to_owned).to_vec()).unwrap();
    assert_eq!(passkey.transports, ["ble", "hybrid", "internal", "nfc", "smart-card", "usb"]);
    let passkey = changed(|registration| registration.response.transports.clear()).unwrap();
    assert!(passkey.transports.is_empty());
}
