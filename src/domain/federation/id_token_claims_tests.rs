//! ID tokens: the parties and the times.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn native(audiences: &[String]) -> Expected<'_> {
    Expected { is_native: true, audiences, ..expected() }
}

#[test]
fn the_issuer_is_exactly_the_provider() {
    for issuer in [
        "https://id.acme.example/",
        "http://id.acme.example",
        "id.acme.example",
        "https://evil.example",
        "",
        "accounts.google.com",
    ] {
        assert_eq!(fault("iss", json!(issuer)), Some(IdTokenFault::WrongIssuer), "{issuer}");
    }
}

#[test]
fn google_has_two_forms_of_its_issuer_that_are_one() {
    let google = Expected { issuer: GOOGLE_ISSUER, ..expected() };
    for issuer in [GOOGLE_ISSUER, "accounts.google.com"] {
        assert_eq!(check(&[("iss", json!(issuer))], &google).unwrap().issuer, GOOGLE_ISSUER);
    }
    for issuer in ["http://accounts.google.com", "https://accounts.google.com/", "accounts.google.com.evil.example"] {
        assert_eq!(check(&[("iss", json!(issuer))], &google).err(), Some(IdTokenFault::WrongIssuer), "{issuer}");
    }
}

/// Every combination of audiences, of `azp` and of the kind of flow.
#[test]
fn the_parties_of_a_token_are_the_client_and_trusted_ones() {
    let trusted = ["ios".to_owned(), "android".to_owned()];
    let audiences = [
        json!("edge-auth"),
        json!(["edge-auth"]),
        json!("ios"),
        json!(["ios"]),
        json!(["edge-auth", "ios"]),
        json!(["ios", "android"]),
        json!("other"),
        json!(["edge-auth", "other"]),
        json!([]),
        json!(""),
    ];
    let web = Expected { is_native: false, ..native(&trusted) };
    let native = native(&trusted);
    for aud in audiences {
        let list = if aud.is_array() { aud.as_array().unwrap().clone() } else { vec![aud.clone()] };
        let is_trusted = |party: &Value| ["edge-auth", "ios", "android"].iter().any(|name| party == name);
        let all_trusted = !list.is_empty() && list.iter().all(is_trusted);
        for azp in [Value::Null, json!("edge-auth"), json!("ios"), json!("other"), json!("")] {
            for (flow, party_fits) in [(&web, azp == "edge-auth"), (&native, is_trusted(&azp))] {
                let for_client = all_trusted && (flow.is_native || list.contains(&json!("edge-auth")));
                let party_fits = if azp.is_null() { list.len() == 1 } else { party_fits };
                let expected = match (for_client, party_fits) {
                    (false, _) => Some(IdTokenFault::WrongAudience),
                    (true, false) => Some(IdTokenFault::WrongParty),
                    (true, true) => None,
                };
                let found = check(&[("aud", aud.clone()), ("azp", azp.clone())], flow).err();
                assert_eq!(found, expected, "{aud} {azp} native: {}", flow.is_native);
            }
        }
    }
}

/// A token that another client of the same provider got, and that its owner presents here.
#[test]
fn a_token_for_another_client_is_refused() {
    assert_eq!(fault("aud", json!("another-app")), Some(IdTokenFault::WrongAudience));
    assert_eq!(check(&[("aud", json!("another-app"))], &native(&[])).err(), Some(IdTokenFault::WrongAudience));
    assert_eq!(fault("azp", json!("another-app")), Some(IdTokenFault::WrongParty));
    assert_eq!(fault("aud", json!("EDGE-AUTH")), Some(IdTokenFault::WrongAudience));
}

/// Times at the edge, one second apart: the first is accepted, the second refused.
#[test]
fn times_are_compared_with_a_minute_of_skew() {
    let steps = Expected { needs_sign_in_after_start: true, ..expected() };
    for (flow, name, good, bad, reason) in [
        (&expected(), "exp", NOW - 59, NOW - 60, IdTokenFault::Expired),
        (&expected(), "iat", NOW + 60, NOW + 61, IdTokenFault::NotYetValid),
        (&expected(), "nbf", NOW + 60, NOW + 61, IdTokenFault::NotYetValid),
        (&expected(), "iat", START - 60, START - 61, IdTokenFault::TooOld),
        (&steps, "auth_time", START - 60, START - 61, IdTokenFault::StaleSignIn),
    ] {
        assert!(check(&[(name, json!(good))], flow).is_ok(), "{name} {good}");
        assert_eq!(check(&[(name, json!(bad))], flow).err(), Some(reason), "{name} {bad}");
    }
    assert!(check(&[("nbf", json!(0))], &expected()).is_ok());
    assert!(check(&[("auth_time", json!(START - 86_400))], &expected()).is_ok(), "a sign-in may use an older session");
    assert_eq!(check(&[("auth_time", Value::Null)], &steps).err(), Some(IdTokenFault::StaleSignIn));
    assert!(check(&[("auth_time", Value::Null)], &expected()).is_ok());
}

#[test]
fn a_native_app_presents_a_token_within_5_minutes() {
    let long = Expected { started_at: Timestamp::from_seconds(NOW - 590), ..expected() };
    let native = Expected { is_native: true, ..long };
    for (flow, iat, fits) in [
        (&long, NOW - 301, true),
        (&native, NOW - 300, true),
        (&native, NOW - 301, false),
        (&native, NOW + 60, true),
        (&native, NOW + 61, false),
    ] {
        assert_eq!(check(&[("iat", json!(iat))], flow).is_ok(), fits, "{iat}");
    }
    let late = Expected { is_native: true, ..expected() };
    assert_eq!(check(&[("iat", json!(START - 61))], &late).err(), Some(IdTokenFault::TooOld), "before the flow");
}

#[test]
fn times_may_have_fractions_and_any_size() {
    for (name, value, expected_fault) in [
        ("exp", "1795208240.001", None),
        ("exp", "1795208240.0", Some(IdTokenFault::Expired)),
        ("exp", "1e300", None),
        ("exp", "-1e300", Some(IdTokenFault::Expired)),
        ("exp", "18446744073709551616", None),
        ("exp", "0", Some(IdTokenFault::Expired)),
        ("exp", "1e400", Some(IdTokenFault::Malformed)),
        ("iat", "1795208299.75", None),
        ("iat", "1.7952083e9", None),
        ("iat", "1e300", Some(IdTokenFault::NotYetValid)),
        ("iat", "-1e300", Some(IdTokenFault::TooOld)),
        ("nbf", "1e300", Some(IdTokenFault::NotYetValid)),
    ] {
        let text = claims(&[(name, json!("@"))]).to_string().replace("\"@\"", value);
        assert_eq!(check_text(&text, &expected()).err(), expected_fault, "{name} {value}");
    }
}

/// A token of one flow is of no use in another, whichever claim tells them apart.
#[test]
fn a_token_of_an_earlier_flow_is_refused() {
    let later = Expected {
        started_at: Timestamp::from_seconds(NOW + 120),
        now: Timestamp::from_seconds(NOW + 130),
        nonce: "another",
        ..expected()
    };
    assert_eq!(check(&[], &later).err(), Some(IdTokenFault::TooOld));
    assert_eq!(check(&[("iat", json!(NOW + 125))], &later).err(), Some(IdTokenFault::WrongNonce));
}

/// Random bytes in place of the claims or of the whole token: no panic, and no acceptance.
#[test]
fn mutated_tokens_are_refused_or_say_the_same() {
    let honest = claims(&[]).to_string();
    let right = check_text(&honest, &expected()).unwrap();
    for place in 0..honest.len() {
        for byte in [b'"', b'{', b'0', b' ', b'\\', b'x'] {
            let mut bytes = honest.clone().into_bytes();
            bytes[place] = byte;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            if let Ok(found) = check_text(&text, &expected()) {
                assert_eq!(found.issuer, right.issuer, "{text}");
                assert!(text.contains(NONCE) && text.contains("\"edge-auth\""), "{text}");
            }
        }
    }
    let whole = text(r#"{"alg":"RS256"}"#, &honest);
    for end in 0..whole.len() {
        if let Ok(token) = IdToken::parse(&whole[..end]) {
            assert!(token.signature().len() < 64, "{end}");
        }
    }
}
