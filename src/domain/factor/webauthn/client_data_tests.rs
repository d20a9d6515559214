//! The client data: each step that refuses them, in both ceremonies, and the JSON that is no object of this kind.

use super::*;
use crate::domain::factor::webauthn::fixture::{
    Authentication, CHALLENGE, ORIGIN, Registration, authentication, base64url, client_data, registration,
};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The outcome of both ceremonies, with the same change to their client data.
fn outcomes(change: impl Fn(String) -> Vec<u8>) -> [Result<(), CeremonyFault>; 2] {
    let (Registration { data, mut response }, mut assertion) = (registration(), authentication());
    response.client_data_json = change(client_data("webauthn.create"));
    assertion.response.client_data_json = change(client_data("webauthn.get"));
    let both = (Registration { data, response }.run(), Authentication::run(&assertion));
    [both.0.map(drop), both.1.map(drop)]
}

#[track_caller]
fn assert_refused(from: &str, to: &str, fault: CeremonyFault) {
    let change = |json: String| {
        assert!(json.contains(from), "{json}");
        json.replace(from, to).into_bytes()
    };
    assert_eq!(outcomes(change), [Err(fault); 2], "{to}");
}

#[track_caller]
fn assert_accepted(from: &str, to: &str) {
    assert_eq!(outcomes(|json| json.replace(from, to).into_bytes()), [Ok(()); 2], "{to}");
}

#[test]
fn the_unchanged_client_data_are_accepted() {
    assert_accepted("", "");
}

#[test]
fn client_data_of_the_other_ceremony_are_refused() {
    let (mut registering, mut authenticating) = (registration(), authentication());
    registering.response.client_data_json = client_data("webauthn.get").into_bytes();
    authenticating.response.client_data_json = client_data("webauthn.create").into_bytes();
    assert_eq!(registering.run(), Err(CeremonyFault::CeremonyType));
    assert_eq!(authenticating.run(), Err(CeremonyFault::CeremonyType));
    for other in ["\"type\":\"", "\"type\":\"payment.get\",\"was\":\"", "\"type\":\"WEBAUTHN.GET\",\"was\":\""] {
        let change = |json: String| {
            let prefixed = if other.ends_with("type\":\"") { "\"type\":\" " } else { other };
            json.replace("\"type\":\"", prefixed).into_bytes()
        };
        assert_eq!(outcomes(change), [Err(CeremonyFault::CeremonyType); 2]);
    }
}

#[test]
fn another_challenge_is_refused() {
    let challenge = base64url(CHALLENGE);
    for other in [
        base64url(b"another"),
        String::new(),
        format!("{challenge}="),
        format!(" {challenge}"),
        base64url(&CHALLENGE[1..]),
    ] {
        assert_refused(&challenge, &other, CeremonyFault::Challenge);
    }
}

/// The last character of 32 bytes in base64url has two bits to spare.
#[test]
fn a_second_text_of_the_challenge_is_refused() {
    let challenge = base64url(CHALLENGE);
    let (start, last) = challenge.split_at(challenge.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    assert_refused(&challenge, &format!("{start}{next}"), CeremonyFault::Challenge);
}

#[test]
fn every_listed_origin_is_accepted_exactly() {
    assert_accepted(ORIGIN, "https://www.example.org");
    let others = [
        "https://example.org/",
        "https://example.org:443",
        "https://EXAMPLE.org",
        "http://example.org",
        "https://login.example.org",
        "https://example.org.evil.example",
        "https://evil.example",
        "null",
        "",
    ];
    for other in others {
        assert_refused(ORIGIN, other, CeremonyFault::Origin);
    }
}

#[test]
fn a_frame_of_another_origin_is_refused() {
    assert_refused("\"crossOrigin\":false", "\"crossOrigin\":true", CeremonyFault::CrossOrigin);
    assert_accepted(",\"crossOrigin\":false", "");
}

#[test]
fn an_outer_page_is_refused() {
    for value in ["\"https://example.com\"", "\"https://example.org\"", "null", "{}"] {
        let member = format!("\"crossOrigin\":false,\"topOrigin\":{value}");
        assert_refused("\"crossOrigin\":false", &member, CeremonyFault::TopOrigin);
    }
}

#[test]
fn unknown_members_are_ignored() {
    let member = "\"crossOrigin\":false,\"other_keys_can_be_added_here\":[{\"a\":1.5}],\"tokenBinding\":null";
    assert_accepted("\"crossOrigin\":false", member);
    assert_accepted("{", " \n{ ");
}

#[test]
fn a_repeated_member_is_refused() {
    for member in ["\"type\":\"a\"", "\"challenge\":\"a\"", "\"origin\":\"a\"", "\"crossOrigin\":false"] {
        assert_refused("{", &format!("{{{member},"), CeremonyFault::ClientData);
    }
    let twice = "\"crossOrigin\":false,\"topOrigin\":1,\"topOrigin\":2";
    assert_refused("\"crossOrigin\":false", twice, CeremonyFault::ClientData);
}

#[test]
fn a_missing_member_is_refused() {
    for member in ["\"type\"", "\"challenge\"", "\"origin\""] {
        assert_refused(member, "\"other\"", CeremonyFault::ClientData);
    }
}

#[test]
fn a_member_of_another_type_is_refused() {
    for (member, value) in [("type", "1"), ("challenge", "null"), ("origin", "[]")] {
        let (from, to) = (format!("\"{member}\":"), format!("\"{member}\":{value},\"other\":"));
        assert_refused(&from, &to, CeremonyFault::ClientData);
    }
    for value in ["null", "\"true\"", "1"] {
        assert_refused(":false", &format!(":{value}"), CeremonyFault::ClientData);
    }
}

#[test]
fn client_data_are_one_json_object_in_utf8() {
    let origin = format!("\"origin\":\"{ORIGIN}\"");
    assert_accepted(&origin, &format!("{origin},\"more\":\"ü\""));
    let changes: [fn(String) -> Vec<u8>; 9] = [
        |json| ["\u{feff}".to_owned(), json].concat().into_bytes(),
        |json| [json.as_bytes(), b"x"].concat(),
        |json| [json.as_bytes(), json.as_bytes()].concat(),
        |json| format!("[{json}]").into_bytes(),
        |_| format!("[\"webauthn.get\",\"{}\",\"{ORIGIN}\",false]", base64url(CHALLENGE)).into_bytes(),
        |json| json.replace("\"origin\"", "\"more\":\"\u{1}\",\"origin\"").into_bytes(),
        |json| [json.trim_end_matches('}').as_bytes(), b",\"more\":\"\xff\"}"].concat(),
        |json| json.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |_| Vec::new(),
    ];
    for change in changes {
        assert_eq!(outcomes(change), [Err(CeremonyFault::ClientData); 2]);
    }
}

#[test]
fn the_presented_challenge_is_read_before_anything_is_verified() {
    let json = client_data("anything").replace(ORIGIN, "https://evil.example");
    assert_eq!(presented_challenge(json.as_bytes()).as_deref(), Some(CHALLENGE));
    assert_eq!(presented_challenge(b"{}"), None);
    assert_eq!(presented_challenge(json.replace("\"challenge\":\"", "\"challenge\":\"=").as_bytes()), None);
}
