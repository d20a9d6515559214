//! GitHub: its addresses, and the answers that its documentation shows.

use super::*;
use crate::domain::unicode::for_tests::normalize;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const USER: &str = r#"{"login": "octocat", "id": 583231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "type": "User",
    "site_admin": false, "name": "The Octocat", "email": "public@github.example", "two_factor_authentication": true}"#;

const EMAILS: &str = r#"[
    {"email": "old@example.com", "verified": true, "primary": false, "visibility": null},
    {"email": "Octocat@Example.com", "verified": true, "primary": true, "visibility": "public"},
    {"email": "victim@example.com", "verified": false, "primary": false, "visibility": null}]"#;

fn email(emails: &str) -> Option<String> {
    let found = assertion(GITHUB_URL, USER, emails, normalize).unwrap();
    assert_eq!(found.is_email_verified, found.email.is_some());
    found.email.map(|email| email.as_str().to_owned())
}

#[test]
fn an_enterprise_server_has_its_api_below_its_own_url() {
    let github = endpoints(GITHUB_URL);
    assert_eq!(github.authorize, "https://github.com/login/oauth/authorize");
    assert_eq!(github.token, "https://github.com/login/oauth/access_token");
    assert_eq!(github.user, "https://api.github.com/user");
    assert_eq!(github.emails, "https://api.github.com/user/emails?per_page=100");
    let acme = endpoints("https://github.acme.example");
    assert_eq!(acme.authorize, "https://github.acme.example/login/oauth/authorize");
    assert_eq!(acme.token, "https://github.acme.example/login/oauth/access_token");
    assert_eq!(acme.user, "https://github.acme.example/api/v3/user");
    assert_eq!(acme.emails, "https://github.acme.example/api/v3/user/emails?per_page=100");
}

#[test]
fn an_answer_has_a_token_or_names_an_error() {
    let outcome = |body: &str| access_token(body).map(|token| token.expose().to_owned());
    let body = r#"{"access_token": "gho_16C7e42F292c6912E7710c838347Ae178B4a", "scope": "user:email", "token_type": "bearer"}"#;
    assert_eq!(outcome(body).as_deref(), Ok("gho_16C7e42F292c6912E7710c838347Ae178B4a"));
    for (error, expected) in [
        ("bad_verification_code", TokenFault::RefusedCode),
        ("incorrect_client_credentials", TokenFault::Misconfigured),
        ("redirect_uri_mismatch", TokenFault::Misconfigured),
        ("application_suspended", TokenFault::Misconfigured),
        ("another", TokenFault::Malformed),
    ] {
        for token in ["", r#", "access_token": "gho_16C7e42F""#] {
            let body = format!(r#"{{"error": "{error}", "error_description": "…", "error_uri": "https://…"{token}}}"#);
            assert_eq!(outcome(&body), Err(expected), "{body}");
        }
    }
    for body in [
        "",
        "{}",
        "access_token=gho_x&scope=",
        r#"{"access_token": ""}"#,
        r#"{"access_token": "a b"}"#,
        r#"{"access_token": "a\r\nb"}"#,
        r#"{"access_token": 1}"#,
        r#"{"access_token": "é"}"#,
    ] {
        assert_eq!(outcome(body), Err(TokenFault::Malformed), "{body}");
    }
}

#[test]
fn the_subject_is_the_number_and_the_address_is_primary_and_verified() {
    let expected = Assertion {
        issuer: "https://github.com".to_owned(),
        subject: "583231".to_owned(),
        email: Some(Email::stored("octocat@example.com")),
        is_email_verified: true,
        name: FullName::parse("The Octocat").unwrap(),
        hosted_domain: None,
        auth_time: None,
    };
    assert_eq!(assertion(GITHUB_URL, USER, EMAILS, normalize), Some(expected));
    let acme = assertion("https://github.acme.example", USER, EMAILS, normalize).unwrap();
    assert_eq!(acme.issuer, "https://github.acme.example", "the same number is another user there");
}

#[test]
fn only_an_address_that_is_primary_and_verified_counts() {
    let address = |primary: bool, verified: bool| {
        format!(r#"{{"email": "ada@example.com", "primary": {primary}, "verified": {verified}}}"#)
    };
    assert_eq!(email(&format!("[{}]", address(true, true))).as_deref(), Some("ada@example.com"));
    for (primary, verified) in [(true, false), (false, true), (false, false)] {
        assert_eq!(email(&format!("[{}]", address(primary, verified))), None);
    }
    let split = format!("[{}, {}]", address(true, false), address(false, true));
    assert_eq!(email(&split), None, "two halves are not one");
    assert_eq!(email("[]"), None, "the public address of the profile proves nothing");
    assert_eq!(email(r#"[{"email": "no address", "primary": true, "verified": true}]"#), None);
}

#[test]
fn other_answers_are_refused() {
    for emails in ["", "null", "{}", r#"{"message": "Not Found"}"#, r#"[{"email": "a@example.com"}]"#, "[1]"] {
        assert_eq!(assertion(GITHUB_URL, USER, emails, normalize), None, "{emails}");
    }
    let user = |id: &str| assertion(GITHUB_URL, &format!(r#"{{"id": {id}}}"#), EMAILS, normalize);
    for (id, subject) in [("1", "1"), ("1e3", "1000"), ("9007199254740992", "9007199254740992")] {
        assert_eq!(user(id).unwrap().subject, subject);
        assert_eq!(user(id).unwrap().name, None);
    }
    for id in ["0", "-1", "1.5", "9007199254740993", "\"1\"", "null", "[1]"] {
        assert_eq!(user(id), None, "{id}");
    }
    for text in ["", "null", "{}", "[1, null]", r#"{"message": "Bad credentials"}"#, r#"{"id": 1, "id": 2}"#] {
        assert_eq!(assertion(GITHUB_URL, text, EMAILS, normalize), None, "{text}");
    }
}

#[test]
fn a_name_that_cannot_be_displayed_is_left_out() {
    for (name, expected) in [("null", None), ("\"\"", None), (r#""a\u0000b""#, None), (r#"" Ada ""#, Some("Ada"))] {
        let user = format!(r#"{{"id": 1, "name": {name}}}"#);
        let found = assertion(GITHUB_URL, &user, "[]", normalize).unwrap().name;
        assert_eq!(found.as_ref().map(FullName::as_str), expected, "{name}");
    }
}
