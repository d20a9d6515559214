//! The texts of flows, their validity, and their secrets.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn keys(secret: &str) -> FlowKeys {
    FlowKeys::derive(&SecretKeys::only(Secret::new(secret)))
}

fn flow(purpose: Purpose) -> Flow {
    let id = FlowId::new(4711).unwrap();
    Flow { id, purpose, is_native: false, ends_at: NOW.plus_seconds(FLOW_SECONDS) }
}

fn urls() -> Vec<String> {
    vec!["https://app.example.com/in".to_owned(), "com.example.app:/in".to_owned()]
}

#[test]
fn texts_unchanged() {
    let (keys, flow) = (keys("one"), flow(Purpose::Link));
    let texts = [
        keys.state(&flow, "acme", "https://app.example.com/in"),
        keys.flow(&flow, "acme", UserId::new(7)).expose().to_owned(),
        keys.secrets(&flow, "acme").verifier.expose().to_owned(),
        keys.secrets(&flow, "acme").nonce,
    ];
    assert_eq!(texts.each_ref().map(String::len), [55, 44, 43, 43]);
    let digest = Sha256::digest(texts.join(" "));
    let digest = Base64UrlUnpadded::encode_string(&digest);
    assert_eq!(digest, "2P-nU9_a8sJmm81lZi7Ox48gKJQMGxb75Yd2l3SxRRc");
}

#[test]
fn a_state_belongs_to_its_provider_its_key_its_time_and_a_listed_url() {
    let own = keys("one");
    for purpose in [Purpose::SignIn, Purpose::Link, Purpose::StepUp] {
        for url in urls() {
            let state = own.state(&flow(purpose), "acme", &url);
            let read = |provider, now| {
                own.read_state(&state, provider, &urls(), now).map(|(flow, url, _)| (flow, url.to_owned()))
            };
            assert_eq!(read("acme", NOW), Some((flow(purpose), url)));
            assert_eq!(read("other", NOW), None);
            assert_eq!(read("acme", flow(purpose).ends_at), None);
            assert!(keys("two").read_state(&state, "acme", &urls(), NOW).is_none());
            assert!(own.read_state(&state, "acme", &[], NOW).is_none());
            assert!(own.verify_flow(&state, "acme", None, NOW).is_none());
        }
    }
}

#[test]
fn a_flow_belongs_to_the_user_that_started_it() {
    let own = keys("one");
    let (ada, eve) = (UserId::new(7), UserId::new(8));
    let of_ada = own.flow(&flow(Purpose::Link), "acme", ada);
    let verify = |text: &Secret, user| own.verify_flow(text.expose(), "acme", user, NOW).map(|(flow, _)| flow);
    assert_eq!(FlowKeys::shown_flow(of_ada.expose()), Some(flow(Purpose::Link)));
    assert_eq!(verify(&of_ada, ada), Some(flow(Purpose::Link)));
    assert_eq!(verify(&of_ada, eve), None);
    assert_eq!(verify(&of_ada, None), None);
    // A sign-in belongs to the client alone, also if that has a session.
    let sign_in = own.flow(&flow(Purpose::SignIn), "acme", None);
    assert_eq!(verify(&sign_in, None), verify(&sign_in, ada));
    assert!(own.verify_flow(sign_in.expose(), "other", None, NOW).is_none());
}

#[test]
fn changed_shortened_and_lengthened_texts_are_none() {
    let own = keys("one");
    let state = own.state(&flow(Purpose::SignIn), "acme", &urls()[0]);
    let text = own.flow(&flow(Purpose::SignIn), "acme", None);
    for (index, _) in state.char_indices() {
        let mut changed = state.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(own.read_state(&changed, "acme", &urls(), NOW).is_none(), "{index}");
        assert!(own.read_state(&state[..index], "acme", &urls(), NOW).is_none());
    }
    for (index, _) in text.expose().char_indices() {
        let mut changed = text.expose().to_owned().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(own.verify_flow(&changed, "acme", None, NOW).is_none(), "{index}");
    }
    for text in ["", "=", "a".repeat(100_000).as_str(), "ä"] {
        assert!(own.read_state(text, "acme", &urls(), NOW).is_none());
        assert!(FlowKeys::shown_flow(text).is_none());
    }
}

#[test]
fn a_flow_outlives_a_change_of_the_secret() {
    let old = keys("old");
    let previous = Some(Secret::new("old"));
    let rotated = FlowKeys::derive(&SecretKeys { previous, ..SecretKeys::only(Secret::new("new")) });
    let text = old.flow(&flow(Purpose::SignIn), "acme", None);
    let (found, secrets) = rotated.verify_flow(text.expose(), "acme", None, NOW).unwrap();
    assert_eq!(found, flow(Purpose::SignIn));
    assert_eq!(secrets.nonce, old.secrets(&found, "acme").nonce);
}

#[test]
fn the_challenge_is_that_of_rfc_7636() {
    // Appendix B.
    let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let secrets = FlowSecrets { verifier, nonce: String::new() };
    assert_eq!(secrets.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}
