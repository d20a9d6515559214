//! Registrations that are refused: challenges that are not valid here, and every deviation of an authenticator.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::{Authenticator, BACKED_UP, Twist, USER_PRESENT, USER_VERIFIED};
use crate::support::passkey::{
    OPTIONS, ORIGIN, PATH, answer, creation_options, interleaving, parsed, present, service_with, sign_in, start,
};
use crate::support::{EMAIL, PASSWORD, Service};

fn new_passkey() -> Authenticator {
    Authenticator::new(SignatureAlgorithm::EdDsa)
}

fn with_challenge(options: &Value, challenge: &Value) -> Value {
    let mut options = options.clone();
    options["challenge"] = challenge.clone();
    options
}

fn assert_nothing_stored(service: &Service) {
    for table in ["passkeys", "used_challenges", "recovery_codes"] {
        assert_eq!(service.db.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

#[tokio::test]
async fn a_challenge_registers_once() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let mut first = new_passkey();
    let options = creation_options(&service, &tokens.access).await;
    let credential = parsed(&first.register(&options, ORIGIN));
    present(&service, &tokens.access, "First", &credential).await.expect(201);
    let tokens = sign_in(&service, &mut first).await.expect(200).tokens();
    let again = parsed(&new_passkey().register(&options, ORIGIN));
    for credential in [again, credential] {
        let refused = present(&service, &tokens.access, "Second", &credential).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 1);
}

#[tokio::test]
async fn of_two_concurrent_answers_to_a_challenge_one_registers() {
    let service = interleaving(&[]);
    let tokens = service.register(EMAIL).await;
    let options = creation_options(&service, &tokens.access).await;
    let [one, other] = [0, 1].map(|_| parsed(&new_passkey().register(&options, ORIGIN)));
    let (one, other) = tokio::join!(
        present(&service, &tokens.access, "One", &one),
        present(&service, &tokens.access, "Other", &other)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 1);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'factor_added'"), 1);
}

#[tokio::test]
async fn challenges_of_others_and_of_other_purposes_register_nothing() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let eve = service.register("eve@example.com").await;
    let options = creation_options(&service, &tokens.access).await;
    let of_eve = creation_options(&service, &eve.access).await["challenge"].clone();
    let of_sign_in = start(&service).await["options"]["challenge"].clone();
    let bytes = BASE64.decode(options["challenge"].as_str().unwrap()).unwrap();
    let tampered = (0..bytes.len()).map(|place| {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        json!(BASE64.encode(bytes))
    });
    let too_long = json!(BASE64.encode([&bytes[..], &[0]].concat()));
    let too_short = json!(BASE64.encode(&bytes[..bytes.len() - 1]));
    for challenge in [of_eve, of_sign_in, too_long, too_short].into_iter().chain(tampered) {
        let credential = parsed(&new_passkey().register(&with_challenge(&options, &challenge), ORIGIN));
        let refused = present(&service, &tokens.access, "Laptop", &credential).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_nothing_stored(&service);
    let credential = parsed(&new_passkey().register(&options, ORIGIN));
    present(&service, &tokens.access, "Laptop", &credential).await.expect(201);
}

#[tokio::test]
async fn a_challenge_is_valid_for_five_minutes() {
    for (seconds, status) in [(299, 201), (300, 401)] {
        let service = service_with(&[]);
        let tokens = service.register(EMAIL).await;
        let options = creation_options(&service, &tokens.access).await;
        let credential = parsed(&new_passkey().register(&options, ORIGIN));
        service.advance(seconds);
        present(&service, &tokens.access, "Laptop", &credential).await.expect(status);
    }
}

#[tokio::test]
async fn the_challenge_of_a_registration_signs_no_user_in() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let mut passkey = new_passkey();
    let options = creation_options(&service, &tokens.access).await;
    let credential = parsed(&passkey.register(&options, ORIGIN));
    let other = creation_options(&service, &tokens.access).await["challenge"].clone();
    present(&service, &tokens.access, "Laptop", &credential).await.expect(201);
    let started = start(&service).await;
    let assertion = passkey.authenticate(&with_challenge(&started["options"], &other), ORIGIN);
    for flow in [&other, &started["flow"]] {
        answer(&service, flow, &assertion).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    sign_in(&service, &mut passkey).await.expect(200);
}

/// The deviations that an attacker in the browser, or on another site, can bring about.
fn twists() -> Vec<Twist> {
    let with_flags = |flags| Twist { flags: Some(flags), ..Twist::default() };
    vec![
        Twist { ceremony_type: Some("webauthn.get"), ..Twist::default() },
        Twist { origin: Some("https://login.example.org.evil.example"), ..Twist::default() },
        Twist { origin: Some("http://login.example.org"), ..Twist::default() },
        Twist { origin: Some("https://login.example.org:8443"), ..Twist::default() },
        Twist { is_cross_origin: true, ..Twist::default() },
        Twist { top_origin: Some("https://evil.example"), ..Twist::default() },
        Twist { rp_id: Some("example.org"), ..Twist::default() },
        with_flags(0),
        with_flags(USER_PRESENT),
        with_flags(USER_VERIFIED),
        with_flags(USER_PRESENT | USER_VERIFIED | BACKED_UP),
        Twist { credential_id: Some(vec![7; 16]), ..Twist::default() },
    ]
}

#[tokio::test]
async fn every_deviation_is_a_fault_of_the_credential_and_stores_nothing() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let options = creation_options(&service, &tokens.access).await;
    for twist in twists() {
        let mut passkey = new_passkey();
        passkey.twist = twist.clone();
        let credential = parsed(&passkey.register(&options, ORIGIN));
        let refused = present(&service, &tokens.access, "Laptop", &credential).await;
        let refused = refused.expect_error(422, "VALIDATION_ERROR");
        assert_eq!(refused.faults(), [("credential".to_owned(), "value_error".to_owned())], "{twist:?}");
        assert_nothing_stored(&service);
    }
    assert!(service.logs("Passkey refused").len() >= twists().len());
    // The challenge is not used up.
    let credential = parsed(&new_passkey().register(&options, ORIGIN));
    present(&service, &tokens.access, "Laptop", &credential).await.expect(201);
}

#[tokio::test]
async fn a_key_that_is_not_on_the_curve_is_refused() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let options = creation_options(&service, &tokens.access).await;
    let mut credential = parsed(&Authenticator::new(SignatureAlgorithm::Es256).register(&options, ORIGIN));
    let object = &mut credential["response"]["attestationObject"];
    let mut bytes = BASE64.decode(object.as_str().unwrap()).unwrap();
    // The coordinate y is the end of the object.
    let start = bytes.len() - 32;
    bytes[start..].fill(7);
    *object = json!(BASE64.encode(bytes));
    let refused = present(&service, &tokens.access, "Laptop", &credential).await.expect(422);
    assert_eq!(refused.faults(), [("credential".to_owned(), "value_error".to_owned())]);
    assert_nothing_stored(&service);
}

#[tokio::test]
async fn malformed_credentials_are_faults() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let options = creation_options(&service, &tokens.access).await;
    let right = parsed(&new_passkey().register(&options, ORIGIN));
    let without = |member: &str| {
        let mut credential = right.clone();
        credential["response"].as_object_mut().unwrap().remove(member);
        credential
    };
    let mut padded = right.clone();
    padded["response"]["attestationObject"] =
        json!(format!("{}==", right["response"]["attestationObject"].as_str().unwrap()));
    let mut other_type = right.clone();
    other_type["type"] = json!("password");
    let faulty = [json!({}), without("clientDataJSON"), without("attestationObject"), padded, other_type];
    for credential in faulty {
        let refused = present(&service, &tokens.access, "Laptop", &credential).await.expect(422);
        assert_eq!(refused.faults()[0].0, "credential", "{credential}");
    }
    let body = json!({"name": "Laptop", "credential": "text"});
    service.call("POST", PATH, &tokens.access, Some(&body)).await.expect(422);
    service.call("POST", PATH, &tokens.access, Some(&json!({"credential": right}))).await.expect(422);
    assert_nothing_stored(&service);
}

#[tokio::test]
async fn an_old_session_needs_the_password_for_options_and_registration() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    service.advance(601);
    let refused = service.call("POST", OPTIONS, &tokens.access, None).await;
    let refused = refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(refused.body["error"]["details"]["methods"], json!(["password"]));
    let wrong = json!({"password": "wrong password"});
    let refused = service.call("POST", OPTIONS, &tokens.access, Some(&wrong)).await;
    refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let right = json!({"password": PASSWORD});
    let options = service.call("POST", OPTIONS, &tokens.access, Some(&right)).await.expect(200).body;
    let credential = parsed(&new_passkey().register(&options, ORIGIN));
    present(&service, &tokens.access, "Laptop", &credential).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let body = json!({"name": "Laptop", "credential": credential, "password": PASSWORD});
    service.call("POST", PATH, &tokens.access, Some(&body)).await.expect(201);
}

#[tokio::test]
async fn a_session_without_a_second_factor_adds_no_further_passkey() {
    let service = service_with(&[]);
    let (tokens, mut passkey, _) = crate::support::passkey::account(&service).await;
    let refused = service.call("POST", OPTIONS, &tokens.access, None).await;
    let refused = refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let options = refused.body["error"]["details"]["passkey_options"].clone();
    let assertion = parsed(&passkey.authenticate(&options, ORIGIN));
    let step_up = json!({"passkey": assertion});
    let fresh = service.call("POST", "/auth/step-up", &tokens.access, Some(&step_up)).await.expect(200).body;
    creation_options(&service, fresh["access_token"].as_str().unwrap()).await;
}
