//! The users of providers, their visits with a browser, and the word of an API about them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::federation::PUBLIC_URL;
use super::form::form;
use super::provider::{Registration, registration_of};

/// A user of a provider. An empty address is none. At GitHub the subject is a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub subject: String,
    pub email: String,
    pub verified: bool,
}

impl Person {
    /// A user with a verified address.
    pub fn of(subject: &str, email: &str) -> Self {
        Self { subject: subject.to_owned(), email: email.to_owned(), verified: true }
    }

    pub(super) fn add_email(&self, claims: &mut Value) {
        if !self.email.is_empty() {
            claims["email"] = json!(self.email);
            claims["email_verified"] = json!(self.verified);
        }
    }
}

/// The visit of a browser to the page of a provider, whose user agrees. Returns the path and the query of the callback. The
/// code has all that the provider knows of the visit.
pub fn visit(authorize_url: &str, person: &Person) -> String {
    let (page, query) = authorize_url.split_once('?').unwrap();
    let pairs = form(query);
    let asked = |name: &str| pairs.get(name).map_or("", String::as_str);
    let (&Registration { provider, origin, client_id, .. }, _) = registration_of(page).unwrap();
    assert_eq!(["response_type", "client_id", "code_challenge_method"].map(asked), ["code", client_id, "S256"]);
    let redirect_uri = asked("redirect_uri");
    let visit = json!({
        "provider": provider, "redirect_uri": redirect_uri, "challenge": asked("code_challenge"), "nonce": asked("nonce"),
        "subject": person.subject, "email": person.email, "verified": person.verified,
    });
    let path = redirect_uri.strip_prefix(PUBLIC_URL).unwrap();
    let iss = if provider == "acme" { format!("&iss={origin}") } else { String::new() };
    format!("{path}?state={}&code={}{iss}", asked("state"), BASE64.encode(visit.to_string()))
}

/// The visit of a code, or of an access token of GitHub.
pub(super) fn visited(code: &str) -> Option<(Value, Person)> {
    let visit: Value = serde_json::from_slice(&BASE64.decode(code).ok()?).ok()?;
    let text = |name: &str| visit[name].as_str().map(str::to_owned);
    let person = Person { subject: text("subject")?, email: text("email")?, verified: visit["verified"].as_bool()? };
    Some((visit, person))
}

/// The `UserInfo` endpoint, and the API of GitHub. Its user has a second address, and one of another user that was never verified.
pub(super) fn about_user(endpoint: &str, authorization: &str, has_user_agent: bool) -> (u16, Value) {
    let bearer = authorization.strip_prefix("Bearer ").and_then(visited);
    let is_named = endpoint == "userinfo" || has_user_agent;
    let Some((_, person)) = bearer.filter(|_| is_named) else {
        return (401, json!({"message": "Bad credentials"}));
    };
    if endpoint == "userinfo" {
        let mut info = json!({"sub": person.subject, "name": "Ada Lovelace"});
        person.add_email(&mut info);
        return (200, info);
    }
    if endpoint == "user" {
        let id: u64 = person.subject.parse().unwrap();
        return (200, json!({"id": id, "login": "ada", "name": "Ada Lovelace", "email": "public@example.com"}));
    }
    let mut emails = vec![
        json!({"email": "second@example.com", "primary": false, "verified": true, "visibility": null}),
        json!({"email": "victim@example.com", "primary": false, "verified": false, "visibility": null}),
    ];
    if !person.email.is_empty() {
        emails.push(json!({"email": person.email, "primary": true, "verified": person.verified, "visibility": null}));
    }
    (200, json!(emails))
}
