//! The use of a passkey: each test breaks one step and nothing else. Steps of the client data have their tests beside them.

use super::*;
use crate::domain::factor::webauthn::fixture::{
    AT, Authentication, BE, BS, CREDENTIAL_ID, ED, UP, UV, authentication, base64url, credential, int, map, p256_key,
    text,
};
use crate::domain::public_key::{PublicKey, SignatureAlgorithm};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn changed(change: impl FnOnce(&mut Authentication)) -> Result<Assertion, CeremonyFault> {
    let mut authentication = authentication();
    change(&mut authentication);
    authentication.run()
}

fn with_flags(flags: u8) -> Result<Assertion, CeremonyFault> {
    changed(|authentication| authentication.data.flags = flags)
}

fn with_signature(algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>, CeremonyFault> {
    let assertion = changed(|authentication| {
        authentication.algorithm = algorithm;
        authentication.response.signature = signature.to_vec();
    });
    assertion.map(|assertion| assertion.signature)
}

#[test]
fn a_valid_response_gives_what_its_signature_covers() {
    let assertion = authentication().run().unwrap();
    let sent = authentication().sent();
    let digest = Sha256::digest(&sent.client_data_json);
    assert_eq!(assertion.message, [&sent.authenticator_data[..], digest.as_slice()].concat());
    assert_eq!(assertion.message.len(), 37 + 32);
    let mut numbers = [0; 64];
    (numbers[31], numbers[63]) = (1, 2);
    assert_eq!(assertion.signature, numbers);
    assert_eq!((assertion.sign_count, assertion.is_backed_up, assertion.counter_went_back), (6, true, false));
}

#[test]
fn another_type_of_credential_is_refused() {
    let outcome = changed(|authentication| "password".clone_into(&mut authentication.response.kind));
    assert_eq!(outcome, Err(CeremonyFault::CredentialType));
}

#[test]
fn the_two_forms_of_the_id_agree() {
    let outcome = changed(|authentication| authentication.response.id.push('='));
    assert_eq!(outcome, Err(CeremonyFault::CredentialId));
}

// §7.2 steps 5 and 6
#[test]
fn another_credential_than_the_stored_one_is_refused() {
    let outcome = changed(|authentication| {
        authentication.response.id = base64url(b"another");
        authentication.response.raw_id = b"another".to_vec();
    });
    assert_eq!(outcome, Err(CeremonyFault::CredentialId));
}

// §7.2 step 6
#[test]
fn a_user_handle_is_the_one_of_the_stored_user() {
    for demands_user_handle in [true, false] {
        for handle in [&[][..], &[9; 15], &[8; 16]] {
            let outcome = changed(|authentication| {
                authentication.demands_user_handle = demands_user_handle;
                authentication.response.user_handle = Some(handle.to_vec());
            });
            assert_eq!(outcome, Err(CeremonyFault::UserHandle));
        }
    }
}

// §7.2 step 6
#[test]
fn a_user_handle_may_be_missing_if_the_user_is_known() {
    let outcome = |demands_user_handle| {
        changed(|authentication| {
            authentication.demands_user_handle = demands_user_handle;
            authentication.response.user_handle = None;
        })
    };
    assert_eq!(outcome(true), Err(CeremonyFault::UserHandleMissing));
    assert_eq!(outcome(false), authentication().run());
}

#[test]
fn authenticator_data_that_are_cut_off_or_too_long_are_refused() {
    let whole = authentication().data.bytes();
    for length in 0..whole.len() {
        let cut = AssertionResponse { authenticator_data: whole[..length].to_vec(), ..authentication().response };
        assert_eq!(authentication().run_with(&cut), Err(CeremonyFault::AuthenticatorData), "{length} bytes");
    }
    let outcome = changed(|authentication| authentication.data.rest.push(0));
    assert_eq!(outcome, Err(CeremonyFault::AuthenticatorData));
}

#[test]
fn extensions_are_there_if_and_only_if_the_flag_says_so() {
    let extensions = map(&[text("hmac-secret"), int(1)]);
    let outcome = |flags: u8, rest: &[u8]| {
        changed(|authentication| {
            authentication.data.flags |= flags;
            authentication.data.rest = rest.to_vec();
        })
    };
    assert!(outcome(ED, &extensions).is_ok());
    assert_eq!(outcome(0, &extensions), Err(CeremonyFault::AuthenticatorData), "no flag");
    assert_eq!(outcome(ED, &[]), Err(CeremonyFault::AuthenticatorData), "no extensions");
    assert_eq!(outcome(ED, &int(1)), Err(CeremonyFault::AuthenticatorData), "no map");
}

/// §6.1: only a registration has one.
#[test]
fn a_new_credential_is_refused() {
    let outcome = changed(|authentication| {
        authentication.data.flags |= AT;
        authentication.data.rest = credential(CREDENTIAL_ID, &p256_key());
    });
    assert_eq!(outcome, Err(CeremonyFault::CredentialDataUnexpected));
    assert_eq!(with_flags(UP | UV | BE | AT), Err(CeremonyFault::AuthenticatorData), "a flag without data");
}

// §7.2 step 15
#[test]
fn another_rp_id_is_refused() {
    let outcome = changed(|authentication| authentication.data.rp_id = "www.example.org");
    assert_eq!(outcome, Err(CeremonyFault::RelyingParty));
}

// §7.2 steps 16 and 17
#[test]
fn the_user_is_present_and_verified() {
    assert_eq!(with_flags(UV | BE), Err(CeremonyFault::UserPresence));
    assert_eq!(with_flags(UP | BE), Err(CeremonyFault::UserVerification));
}

// §7.2 steps 18 and 19
#[test]
fn eligibility_for_backup_does_not_change() {
    assert_eq!(with_flags(UP | UV | BS), Err(CeremonyFault::BackupState));
    assert_eq!(with_flags(UP | UV), Err(CeremonyFault::BackupEligibility));
    assert_eq!(with_flags(UP | UV | BE).map(|assertion| assertion.is_backed_up), Ok(false));
}

/// §7.2 step 19, the other way round.
#[test]
fn a_credential_bound_to_its_device_stays_so() {
    let stored = StoredPasskey {
        credential_id: CREDENTIAL_ID,
        user_handle: &[9; 16],
        key: &PublicKey { algorithm: SignatureAlgorithm::Es256, jwk: String::new() },
        sign_count: 0,
        is_backup_eligible: false,
    };
    let rp = crate::domain::factor::webauthn::fixture::rp();
    let ceremony = Ceremony { rp: &rp, is_challenge: &|_| true };
    let outcome = |flags| {
        let mut authentication = authentication();
        authentication.data.flags = flags;
        authenticate(&authentication.sent(), &stored, &ceremony, true).map(|assertion| assertion.sign_count)
    };
    assert_eq!(outcome(UP | UV | BE), Err(CeremonyFault::BackupEligibility));
    assert_eq!(outcome(UP | UV), Ok(6));
}

/// §7.2 step 21: the form. Whether it verifies is the caller's to find out.
#[test]
fn a_signature_has_the_form_of_its_algorithm() {
    use SignatureAlgorithm::{EdDsa, Es256, Rs256};
    let der = [0x30, 6, 2, 1, 1, 2, 1, 2];
    assert_eq!(with_signature(Es256, &der).map(|fixed| fixed.len()), Ok(64));
    for sent in [&[][..], &der[..7], &[&der[..], &[0]].concat(), &[1; 64]] {
        assert_eq!(with_signature(Es256, sent), Err(CeremonyFault::SignatureForm));
    }
    assert_eq!(with_signature(EdDsa, &[1; 64]), Ok(vec![1; 64]));
    for length in [0, 63, 65] {
        assert_eq!(with_signature(EdDsa, &vec![1; length]), Err(CeremonyFault::SignatureForm));
    }
    for length in [256, 512] {
        assert_eq!(with_signature(Rs256, &vec![1; length]), Ok(vec![1; length]));
    }
    for length in [0, 255, 513] {
        assert_eq!(with_signature(Rs256, &vec![1; length]), Err(CeremonyFault::SignatureForm));
    }
}

// §7.2 step 22
#[test]
fn a_counter_that_does_not_grow_is_reported() {
    let went_back = |stored, sent| {
        let assertion = changed(|authentication| {
            authentication.stored_count = stored;
            authentication.data.sign_count = sent;
        });
        assertion.unwrap().counter_went_back
    };
    assert!(!went_back(0, 0), "no counter");
    assert!(!went_back(0, 1) && !went_back(5, 6) && !went_back(u32::MAX - 1, u32::MAX));
    assert!(went_back(5, 5) && went_back(5, 4) && went_back(5, 0) && went_back(u32::MAX, 0));
}
