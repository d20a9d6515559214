//! ID tokens: honest ones are accepted, and each twist is refused for its own reason.

use serde_json::{Value, json};

use super::*;
use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::unicode::for_tests::normalize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ISSUER: &str = "https://id.acme.example";
const NONCE: &str = "n-0S6_WzA2Mj-1Q0";
const START: i64 = 1_795_208_100;
const NOW: i64 = START + 200;

/// The claims of an honest token, with these in place of its own; `null` removes one.
fn claims(changes: &[(&str, Value)]) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": "24400320", "aud": "edge-auth", "exp": NOW + 3600, "iat": NOW - 1, "nonce": NONCE,
        "auth_time": START + 10, "email": "Ada@Example.com", "email_verified": true, "name": "Ada Lovelace",
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ", "acr": "urn:acme:bronze",
    });
    for (name, value) in changes {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(*name);
        } else {
            claims[*name] = value.clone();
        }
    }
    claims
}

fn text(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| Base64UrlUnpadded::encode_string(part.as_bytes()));
    format!("{header}.{claims}.{}", Base64UrlUnpadded::encode_string(&[7; 64]))
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client_id: "edge-auth",
        audiences: &[],
        is_native: false,
        nonce: NONCE,
        started_at: Timestamp::from_seconds(START),
        needs_sign_in_after_start: false,
        now: Timestamp::from_seconds(NOW),
    }
}

fn check_text(claims: &str, expected: &Expected<'_>) -> Result<Assertion, IdTokenFault> {
    let text = text(r#"{"alg":"RS256","kid":"1"}"#, claims);
    IdToken::parse(&text).and_then(|token| token.check(expected, normalize))
}

fn check(changes: &[(&str, Value)], expected: &Expected<'_>) -> Result<Assertion, IdTokenFault> {
    check_text(&claims(changes).to_string(), expected)
}

/// The fault of an honest token with this claim changed.
fn fault(name: &str, value: Value) -> Option<IdTokenFault> {
    check(&[(name, value)], &expected()).err()
}

fn header_fault(header: &str) -> Option<IdTokenFault> {
    IdToken::parse(&text(header, "{}")).err()
}

#[test]
fn an_honest_token_asserts_a_user() {
    let expected_assertion = Assertion {
        issuer: ISSUER.into(),
        subject: "24400320".into(),
        email: Some(Email::stored("ada@example.com")),
        is_email_verified: true,
        name: FullName::parse("Ada Lovelace").unwrap(),
        hosted_domain: None,
        auth_time: Some(Timestamp::from_seconds(START + 10)),
    };
    assert_eq!(check(&[], &expected()), Ok(expected_assertion));
}

#[test]
fn a_token_has_three_parts_and_says_how_it_was_signed() {
    let whole = text(r#"{"alg":"ES256","kid":"k1","typ":"JWT","jku":"https://evil.example","jwk":{},"x5u":1}"#, "{}");
    let token = IdToken::parse(&whole).ok().unwrap();
    assert_eq!((token.algorithm(), token.key_id()), (SignatureAlgorithm::Es256, Some("k1")));
    assert_eq!(token.signed_text(), &whole[..whole.rfind('.').unwrap()]);
    assert_eq!(token.signature(), [7; 64]);
    for header in [r#"{"alg":"EdDSA"}"#, r#"{"alg":"RS256","typ":"jwt","kid":null}"#] {
        assert!(IdToken::parse(&text(header, "{}")).is_ok_and(|token| token.key_id().is_none()), "{header}");
    }
    let e = "e30";
    for other in [
        "",
        ".",
        "..",
        e,
        "e30.e30",
        ".e30.e30",
        "e30.e30.e30.e30",
        "e30.e30.e30.e30.e30",
        "e30.e30.e3",
        "e30.e30.=",
        " e30.e30.e30",
        "e30.e30.e30\n",
    ] {
        assert_eq!(IdToken::parse(other).err(), Some(IdTokenFault::Malformed), "{other:?}");
    }
    let [header, rest] = [whole.split('.').next().unwrap(), whole.split_once('.').unwrap().1];
    for other in
        [format!("{header}=.{rest}"), format!("{}.{rest}", header.replace('J', "+")), format!("{header}.{rest}.")]
    {
        assert_eq!(IdToken::parse(&other).err(), Some(IdTokenFault::Malformed), "{other}");
    }
    let not_utf8 = format!("{header}.{}.", Base64UrlUnpadded::encode_string(b"{\"sub\":\"\xff\"}"));
    assert_eq!(IdToken::parse(&not_utf8).err(), Some(IdTokenFault::Malformed));
}

#[test]
fn a_token_is_at_most_16_kib_long() {
    let padding = "x".repeat(MAX_LENGTH);
    let of = |length: usize| format!("{}.", text(r#"{"alg":"RS256"}"#, &padding[..length]).rsplit_once('.').unwrap().0);
    let fits = (0..MAX_LENGTH).rev().step_by(3).find(|length| of(*length).len() <= MAX_LENGTH).unwrap();
    assert!(IdToken::parse(&of(fits)).is_ok());
    assert_eq!(IdToken::parse(&of(fits + 3)).err(), Some(IdTokenFault::Malformed));
}

#[test]
fn the_algorithm_is_one_of_three() {
    for alg in ["none", "None", "", "HS256", "HS512", "RS384", "RS512", "PS256", "ES384", "ES256K", "rs256", "Ed25519"]
    {
        assert_eq!(header_fault(&format!(r#"{{"alg":"{alg}"}}"#)), Some(IdTokenFault::UnknownAlgorithm), "{alg}");
    }
    let unsigned = text(r#"{"alg":"none"}"#, "{}");
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    assert_eq!(IdToken::parse(&unsigned).err(), Some(IdTokenFault::UnknownAlgorithm));
}

#[test]
fn a_header_is_an_object_of_the_right_type_without_extensions() {
    for header in [
        "",
        "{}",
        "null",
        r#"["RS256"]"#,
        r#"{"alg":1}"#,
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"RS256","kid":1}"#,
    ] {
        assert_eq!(header_fault(header), Some(IdTokenFault::Malformed), "{header}");
    }
    for crit in ["[]", "null", r#"["b64"]"#, r#"["exp"]"#] {
        let header = format!(r#"{{"alg":"RS256","crit":{crit}}}"#);
        assert_eq!(header_fault(&header), Some(IdTokenFault::UnknownExtension), "{crit}");
    }
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt", "JOSE", ""] {
        let header = format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#);
        assert_eq!(header_fault(&header), Some(IdTokenFault::WrongType), "{typ}");
    }
}

#[test]
fn the_nonce_is_that_of_the_flow() {
    for nonce in
        [json!("n-0S6_WzA2Mj-1Q1"), json!("n-0S6_WzA2Mj-1Q"), json!("n-0s6_wza2mj-1q0"), json!(""), Value::Null]
    {
        assert_eq!(fault("nonce", nonce.clone()), Some(IdTokenFault::WrongNonce), "{nonce}");
    }
    let empty = Expected { nonce: "", ..expected() };
    assert_eq!(check(&[("nonce", Value::Null)], &empty).err(), Some(IdTokenFault::WrongNonce), "none is no empty one");
}

#[test]
fn a_subject_has_1_to_255_bytes_without_control_characters() {
    for subject in ["0", "auth0|5f7c8ec7c33c6c004bbafe82", "AItOawmwtWwcT0k51BayewNvutrJUqsvl6qs7A4", &"s".repeat(255)]
    {
        assert_eq!(check(&[("sub", json!(subject))], &expected()).unwrap().subject, subject);
    }
    for subject in
        [Value::Null, json!(""), json!("s".repeat(256)), json!("é".repeat(128)), json!("a\nb"), json!("a\u{0}")]
    {
        assert_eq!(fault("sub", subject.clone()), Some(IdTokenFault::NoSubject), "{subject}");
    }
}

#[test]
fn an_address_counts_as_verified_only_if_the_provider_says_so() {
    let read = |email: Value, verified: Value| {
        let assertion = check(&[("email", email), ("email_verified", verified)], &expected()).unwrap();
        (assertion.email.map(|email| email.as_str().to_owned()), assertion.is_email_verified)
    };
    let ada = || json!("Ada@Bücher.example");
    let stored = Some("ada@xn--bcher-kva.example".to_owned());
    for verified in [json!(true), json!("true")] {
        assert_eq!(read(ada(), verified), (stored.clone(), true));
    }
    for verified in
        [json!(false), json!("false"), Value::Null, json!(1), json!("True"), json!("yes"), json!([true]), json!({})]
    {
        assert_eq!(read(ada(), verified.clone()), (stored.clone(), false), "{verified}");
    }
    for email in
        [Value::Null, json!(""), json!("ada"), json!("ada@localhost"), json!("ada@example.com, eve@example.com")]
    {
        assert_eq!(read(email.clone(), json!(true)), (None, false), "{email}");
    }
}

#[test]
fn a_name_and_a_hosted_domain_are_taken_if_they_are_usable() {
    let name = |name: Value| check(&[("name", name)], &expected()).unwrap().name.map(|name| name.as_str().to_owned());
    assert_eq!(name(json!("  Grace Hopper ")).as_deref(), Some("Grace Hopper"));
    for other in [Value::Null, json!(""), json!(" "), json!("a\u{0}b"), json!("\u{202e}a"), json!("n".repeat(201))] {
        assert_eq!(name(other.clone()), None, "{other}");
    }
    let hosted = |domain: Value| check(&[("hd", domain)], &expected()).unwrap().hosted_domain;
    assert_eq!(hosted(json!("acme.example")).as_deref(), Some("acme.example"));
    for other in [Value::Null, json!(""), json!("d".repeat(254))] {
        assert_eq!(hosted(other), None);
    }
}

#[test]
fn claims_are_one_object_of_the_right_types_without_repetitions() {
    for (name, wrong) in [
        ("iss", json!(1)),
        ("iss", Value::Null),
        ("sub", json!(24_400_320)),
        ("aud", Value::Null),
        ("aud", json!(1)),
        ("aud", json!({})),
        ("aud", json!(["edge-auth", 1])),
        ("azp", json!(["edge-auth"])),
        ("exp", Value::Null),
        ("exp", json!("1795208300")),
        ("iat", Value::Null),
        ("iat", json!(true)),
        ("nbf", json!("1")),
        ("auth_time", json!("1")),
        ("nonce", json!(1)),
        ("email", json!(["ada@example.com"])),
        ("name", json!({"given": "Ada"})),
        ("hd", json!(false)),
    ] {
        assert_eq!(fault(name, wrong.clone()), Some(IdTokenFault::Malformed), "{name} {wrong}");
    }
    let honest = claims(&[("nbf", json!(NOW)), ("azp", json!("edge-auth")), ("hd", json!("acme.example"))]);
    assert!(check_text(&honest.to_string(), &expected()).is_ok());
    for (name, value) in honest.as_object().unwrap() {
        let text = honest.to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
        assert!(check_text(&text, &expected()).is_err(), "{name} twice");
    }
    for text in ["", "null", "[]", "1", "\"x\"", "{", &format!("[{honest}]"), &format!("{honest}{honest}")] {
        assert_eq!(check_text(text, &expected()).err(), Some(IdTokenFault::Malformed), "{text}");
    }
}

#[test]
fn faults_have_names_for_the_log() {
    use IdTokenFault as F;
    let faults = [
        (F::Malformed, "malformed"),
        (F::UnknownExtension, "unknown_extension"),
        (F::WrongType, "wrong_type"),
        (F::UnknownAlgorithm, "unknown_algorithm"),
        (F::UnknownKey, "unknown_key"),
        (F::WrongSignature, "wrong_signature"),
        (F::WrongIssuer, "wrong_issuer"),
        (F::WrongAudience, "wrong_audience"),
        (F::WrongParty, "wrong_azp"),
        (F::Expired, "expired"),
        (F::NotYetValid, "not_yet_valid"),
        (F::TooOld, "too_old"),
        (F::WrongNonce, "wrong_nonce"),
        (F::NoSubject, "no_subject"),
        (F::StaleSignIn, "stale_sign_in"),
    ];
    for (fault, name) in faults {
        assert_eq!(fault.as_str(), name);
    }
}

#[path = "id_token_claims_tests.rs"]
mod claims;

#[path = "id_token_user_info_tests.rs"]
mod user_info;
