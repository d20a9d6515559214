//! Metadata: those of large providers are accepted, and each twist is refused for its own reason.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const GOOGLE: &str = r#"{
  "issuer": "https://accounts.google.com",
  "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
  "device_authorization_endpoint": "https://oauth2.googleapis.com/device/code",
  "token_endpoint": "https://oauth2.googleapis.com/token",
  "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
  "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
  "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
  "response_types_supported": ["code", "token", "id_token", "none"],
  "subject_types_supported": ["public"],
  "id_token_signing_alg_values_supported": ["RS256"],
  "scopes_supported": ["openid", "email", "profile"],
  "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
  "authorization_response_iss_parameter_supported": true,
  "code_challenge_methods_supported": ["plain", "S256"]
}"#;

const ACME: &str = "https://id.acme.example/tenant";

fn document(token_endpoint: &str, more: &str) -> String {
    format!(
        r#"{{"issuer": "{ACME}", "authorization_endpoint": "{ACME}/authorize", "token_endpoint": "{token_endpoint}",
        "jwks_uri": "{ACME}/keys"{more}}}"#
    )
}

#[test]
fn the_document_is_at_a_well_known_path_below_the_issuer() {
    for (issuer, expected) in [
        ("https://accounts.google.com", "https://accounts.google.com/.well-known/openid-configuration"),
        ("https://acme.auth0.example/", "https://acme.auth0.example/.well-known/openid-configuration"),
        (ACME, "https://id.acme.example/tenant/.well-known/openid-configuration"),
    ] {
        assert_eq!(discovery_url(issuer), expected);
    }
}

#[test]
fn the_document_of_google_is_read() {
    let google = parse(GOOGLE, "https://accounts.google.com", false).unwrap();
    let expected = Metadata {
        authorization_endpoint: "https://accounts.google.com/o/oauth2/v2/auth".into(),
        token_endpoint: "https://oauth2.googleapis.com/token".into(),
        jwks_uri: "https://www.googleapis.com/oauth2/v3/certs".into(),
        userinfo_endpoint: Some("https://openidconnect.googleapis.com/v1/userinfo".into()),
        sends_iss: true,
        client_authentication: ClientAuthentication::Basic,
    };
    assert_eq!(google, expected);
}

#[test]
fn a_client_authenticates_by_the_header_unless_only_the_body_is_supported() {
    let with = |more: &str| parse(&document("https://id.acme.example/token", more), ACME, false).unwrap();
    for (more, expected) in [
        ("", ClientAuthentication::Basic),
        (r#", "token_endpoint_auth_methods_supported": null"#, ClientAuthentication::Basic),
        (r#", "token_endpoint_auth_methods_supported": ["client_secret_basic"]"#, ClientAuthentication::Basic),
        (r#", "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"]"#, ClientAuthentication::Basic),
        (r#", "token_endpoint_auth_methods_supported": ["client_secret_post"]"#, ClientAuthentication::Post),
        (r#", "token_endpoint_auth_methods_supported": ["none"]"#, ClientAuthentication::Post),
        (r#", "token_endpoint_auth_methods_supported": []"#, ClientAuthentication::Post),
    ] {
        assert_eq!(with(more).client_authentication, expected, "{more}");
    }
    for (more, expected) in [("", false), ("null", false), ("false", false), ("true", true)] {
        let member = format!(r#", "authorization_response_iss_parameter_supported": {more}"#);
        assert_eq!(with(if more.is_empty() { "" } else { &member }).sends_iss, expected, "{more}");
    }
}

#[test]
fn the_issuer_of_a_document_is_exactly_the_one_that_was_asked_for() {
    for issuer in [
        "https://accounts.google.com/",
        "accounts.google.com",
        "https://ACCOUNTS.google.com",
        "https://evil.example",
        "",
    ] {
        assert_eq!(parse(GOOGLE, issuer, false), Err(MetadataFault::WrongIssuer), "{issuer}");
    }
}

#[test]
fn a_document_cannot_lead_the_service_to_a_private_address() {
    let members = [
        ("authorization_endpoint", MetadataFault::AuthorizationEndpoint),
        ("token_endpoint", MetadataFault::TokenEndpoint),
        ("jwks_uri", MetadataFault::KeySet),
    ];
    for (member, fault) in members {
        for url in ["http://localhost:4000/x", "https://169.254.169.254/latest", "http://id.acme.example/x"] {
            let of = |name: &str| if name == member { url } else { "https://id.acme.example/x" };
            let [authorize, token, keys] = members.map(|(name, _)| of(name));
            let text = format!(
                r#"{{"issuer": "{ACME}", "authorization_endpoint": "{authorize}", "token_endpoint": "{token}", "jwks_uri": "{keys}"}}"#
            );
            assert_eq!(parse(&text, ACME, false), Err(fault), "{member} {url}");
            assert!(parse(&text, ACME, true).is_ok(), "{member} {url}");
        }
    }
    for url in ["", "/token", "https://id.acme.example/#x", "https://user@id.acme.example/", "javascript:alert(1)"] {
        assert_eq!(parse(&document(url, ""), ACME, true), Err(MetadataFault::TokenEndpoint), "{url}");
    }
}

#[test]
fn other_text_is_malformed() {
    let token = "https://id.acme.example/token";
    let texts = [
        String::new(),
        "null".to_owned(),
        "<html>".to_owned(),
        "{}".to_owned(),
        format!("[{}]", document(token, "")),
        format!(r#"["{ACME}", "{ACME}/a", "{ACME}/b", "{ACME}/c", true, []]"#),
        document(token, &format!(r#", "issuer": "{ACME}""#)),
        document(token, r#", "jwks_uri": "https://evil.example/""#),
        document(token, r#", "authorization_response_iss_parameter_supported": "yes""#),
        document(token, r#", "token_endpoint_auth_methods_supported": "client_secret_post""#),
        document(token, "").replace("jwks_uri", "jwks"),
        document(token, "").replace(&format!("\"{ACME}/keys\""), "1"),
        format!("{} x", document(token, "")),
    ];
    for text in texts {
        assert_eq!(parse(&text, ACME, false), Err(MetadataFault::Malformed), "{text}");
    }
    assert!(parse(&document(token, r#", "other": {"a": [1]}, "another": 2"#), ACME, false).is_ok());
}

#[test]
fn faults_have_names_without_values_for_the_log() {
    use MetadataFault::{AuthorizationEndpoint, KeySet, Malformed, TokenEndpoint, WrongIssuer};
    let faults = [Malformed, WrongIssuer, AuthorizationEndpoint, TokenEndpoint, KeySet].map(MetadataFault::as_str);
    let expected = [
        "malformed",
        "wrong_issuer",
        "forbidden_authorization_endpoint",
        "forbidden_token_endpoint",
        "forbidden_jwks_uri",
    ];
    assert_eq!(faults, expected);
}
