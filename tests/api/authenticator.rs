//! The authenticator of the tests, held to the verification of the service: honest answers are accepted, and each twist
//! is refused for its own reason.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use edge_auth::domain::factor::webauthn::{
    Assertion, AssertionResponse, Ceremony, CeremonyFault, NewPasskey, RegistrationResponse, RelyingParty,
    StoredPasskey, authenticate, cose_id, presented_challenge, register,
};
use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::{Authenticator, BACKED_UP, BACKUP_ELIGIBLE, Twist, USER_PRESENT, USER_VERIFIED};

const ORIGIN: &str = "https://login.example.org";
const CHALLENGE: &[u8] = &[7; 32];
const USER_HANDLE: &[u8] = &[9; 16];

const PRESENT_AND_VERIFIED: u8 = USER_PRESENT | USER_VERIFIED;

fn creation_options(excluded: &[&[u8]]) -> Value {
    let descriptor = |id: &&[u8]| json!({"type": "public-key", "id": BASE64.encode(id)});
    json!({
        "challenge": BASE64.encode(CHALLENGE),
        "rp": {"id": "example.org", "name": "Example"},
        "user": {"id": BASE64.encode(USER_HANDLE), "name": "ada@example.com", "displayName": "Ada"},
        "pubKeyCredParams": SignatureAlgorithm::ALL.map(|one| json!({"type": "public-key", "alg": cose_id(one)})),
        "excludeCredentials": excluded.iter().map(descriptor).collect::<Vec<_>>(),
    })
}

fn request_options(allowed: &[&[u8]]) -> Value {
    let descriptor = |id: &&[u8]| json!({"type": "public-key", "id": BASE64.encode(id)});
    json!({
        "challenge": BASE64.encode(CHALLENGE),
        "rpId": "example.org",
        "allowCredentials": allowed.iter().map(descriptor).collect::<Vec<_>>(),
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn within<T>(run: impl FnOnce(&Ceremony<'_>) -> T) -> T {
    let rp = RelyingParty { id: "example.org".to_owned(), origins: vec![ORIGIN.to_owned()] };
    run(&Ceremony { rp: &rp, is_challenge: &|challenge| challenge == CHALLENGE })
}

fn registered(authenticator: &mut Authenticator) -> Result<NewPasskey, CeremonyFault> {
    let credential = authenticator.register(&creation_options(&[]), ORIGIN);
    let credential: Value = serde_json::from_str(&credential).unwrap();
    let response = &credential["response"];
    let transports = response["transports"].as_array().unwrap();
    let response = RegistrationResponse {
        raw_id: bytes(&credential["rawId"]),
        id: text(&credential["id"]),
        kind: text(&credential["type"]),
        client_data_json: bytes(&response["clientDataJSON"]),
        attestation_object: bytes(&response["attestationObject"]),
        transports: transports.iter().map(text).collect(),
    };
    within(|ceremony| register(&response, ceremony))
}

fn authenticated(authenticator: &mut Authenticator, passkey: &NewPasskey) -> Result<Assertion, CeremonyFault> {
    let credential = authenticator.authenticate(&request_options(&[&passkey.credential_id]), ORIGIN);
    let credential: Value = serde_json::from_str(&credential).unwrap();
    let response = &credential["response"];
    let response = AssertionResponse {
        raw_id: bytes(&credential["rawId"]),
        id: text(&credential["id"]),
        kind: text(&credential["type"]),
        client_data_json: bytes(&response["clientDataJSON"]),
        authenticator_data: bytes(&response["authenticatorData"]),
        signature: bytes(&response["signature"]),
        user_handle: response.get("userHandle").map(bytes),
    };
    let stored = StoredPasskey {
        credential_id: &passkey.credential_id,
        user_handle: USER_HANDLE,
        key: &passkey.key,
        sign_count: passkey.sign_count,
        is_backup_eligible: passkey.is_backup_eligible,
    };
    assert!(presented_challenge(&response.client_data_json).is_some());
    within(|ceremony| authenticate(&response, &stored, ceremony, true))
}

/// Verifies the signature with the crates that stand for `WebCrypto`.
fn is_signed(passkey: &NewPasskey, assertion: &Assertion) -> bool {
    use p256::ecdsa::signature::Verifier as _;
    let key: Value = serde_json::from_str(&passkey.key.jwk).unwrap();
    let (message, signature) = (&assertion.message, &assertion.signature);
    if passkey.key.algorithm == SignatureAlgorithm::EdDsa {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes(&key["x"]).try_into().unwrap()).unwrap();
        return key.verify(message, &ed25519_dalek::Signature::from_slice(signature).unwrap()).is_ok();
    }
    let point = [vec![4], bytes(&key["x"]), bytes(&key["y"])].concat();
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
    key.verify(message, &p256::ecdsa::Signature::from_slice(signature).unwrap()).is_ok()
}

#[test]
fn honest_answers_are_accepted() {
    for algorithm in [SignatureAlgorithm::EdDsa, SignatureAlgorithm::Es256] {
        let mut authenticator = Authenticator::new(algorithm);
        let passkey = registered(&mut authenticator).unwrap();
        assert_eq!((passkey.key.algorithm, &passkey.credential_id), (algorithm, &authenticator.credential_id));
        // Signatures differ in length and in leading zeros.
        for count in 1..=50 {
            let assertion = authenticated(&mut authenticator, &passkey).unwrap();
            assert_eq!((assertion.sign_count, assertion.counter_went_back), (count, false));
            assert!(is_signed(&passkey, &assertion));
        }
    }
}

#[test]
fn a_broken_signature_has_the_right_form() {
    for algorithm in [SignatureAlgorithm::EdDsa, SignatureAlgorithm::Es256] {
        let mut authenticator = Authenticator::new(algorithm);
        let passkey = registered(&mut authenticator).unwrap();
        authenticator.twist.breaks_signature = true;
        let assertion = authenticated(&mut authenticator, &passkey).unwrap();
        assert!(!is_signed(&passkey, &assertion));
    }
}

#[test]
fn each_twist_is_refused_in_both_ceremonies() {
    let twists = [
        (Twist { ceremony_type: Some("payment.get"), ..Twist::default() }, CeremonyFault::CeremonyType),
        (Twist { challenge: Some(vec![8; 32]), ..Twist::default() }, CeremonyFault::Challenge),
        (Twist { origin: Some("https://evil.example"), ..Twist::default() }, CeremonyFault::Origin),
        (Twist { is_cross_origin: true, ..Twist::default() }, CeremonyFault::CrossOrigin),
        (Twist { top_origin: Some(ORIGIN), ..Twist::default() }, CeremonyFault::TopOrigin),
        (Twist { rp_id: Some("evil.example"), ..Twist::default() }, CeremonyFault::RelyingParty),
        (Twist { flags: Some(USER_VERIFIED), ..Twist::default() }, CeremonyFault::UserPresence),
        (Twist { flags: Some(USER_PRESENT), ..Twist::default() }, CeremonyFault::UserVerification),
        (Twist { flags: Some(PRESENT_AND_VERIFIED | BACKED_UP), ..Twist::default() }, CeremonyFault::BackupState),
        (Twist { credential_id: Some(vec![1; 16]), ..Twist::default() }, CeremonyFault::CredentialId),
    ];
    for (twist, fault) in twists {
        let mut authenticator = Authenticator::new(SignatureAlgorithm::EdDsa);
        let passkey = registered(&mut authenticator).unwrap();
        authenticator.twist = twist.clone();
        assert_eq!(authenticated(&mut authenticator, &passkey), Err(fault), "{twist:?}");
        assert_eq!(registered(&mut authenticator), Err(fault), "{twist:?}");
    }
}

#[test]
fn twists_of_an_assertion_are_told_apart() {
    let mut authenticator = Authenticator::new(SignatureAlgorithm::Es256);
    let passkey = registered(&mut authenticator).unwrap();
    let mut outcome = |twist: Twist| {
        authenticator.twist = twist;
        authenticated(&mut authenticator, &passkey)
    };
    let other_user = Twist { user_handle: Some(vec![1; 16]), ..Twist::default() };
    assert_eq!(outcome(other_user), Err(CeremonyFault::UserHandle));
    let no_user = Twist { omits_user_handle: true, ..Twist::default() };
    assert_eq!(outcome(no_user), Err(CeremonyFault::UserHandleMissing));
    let synced = Twist { flags: Some(PRESENT_AND_VERIFIED | BACKUP_ELIGIBLE), ..Twist::default() };
    assert_eq!(outcome(synced), Err(CeremonyFault::BackupEligibility));
    let reset = Twist { counter: Some(0), ..Twist::default() };
    assert!(!outcome(reset).unwrap().counter_went_back, "0 means no counter, here and at the registration");
}

#[test]
#[should_panic(expected = "InvalidStateError")]
fn an_excluded_passkey_is_not_replaced() {
    let mut authenticator = Authenticator::new(SignatureAlgorithm::EdDsa);
    let known = authenticator.credential_id.clone();
    authenticator.register(&creation_options(&[&known]), ORIGIN);
}

#[test]
#[should_panic(expected = "SecurityError")]
fn a_page_of_another_domain_gets_no_passkey() {
    Authenticator::new(SignatureAlgorithm::EdDsa).register(&creation_options(&[]), "https://evil.example");
}
