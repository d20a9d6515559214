//! The identity providers of the tests, behind the port for requests to other servers: GitHub, and two that speak OpenID
//! Connect. They check all that the service sends, and break each rule on demand.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use edge_auth::domain::keys::Algorithm;
use edge_auth::domain::outbound::{HttpRequest, HttpResponse};
use edge_auth::ports::NoResponse;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::federation::PUBLIC_URL;
use super::form::form;
use super::{clock, crypto};

/// The issuer of `acme`, and its origin.
pub const ISSUER: &str = "https://id.acme.example";
const GOOGLE: &str = "https://accounts.google.com";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";
/// Id, origin, client id and client secret of each provider.
const PROVIDERS: [(&str, &str, &str, &str); 3] = [
    ("acme", ISSUER, "edge-auth-at-acme", "secret+of:acme"),
    ("google", GOOGLE, "edge-auth-at-google", "secret-of-google"),
    ("github", GITHUB, "edge-auth-at-github", "secret-of-github"),
];

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

    fn add_email(&self, claims: &mut Value) {
        if !self.email.is_empty() {
            claims["email"] = json!(self.email);
            claims["email_verified"] = json!(self.verified);
        }
    }
}

/// A fault of one endpoint.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An answer with this status, and no document.
    Status(u16),
    /// No answer in time.
    Silence,
    /// Only the beginning of the answer.
    Cut,
    /// This text in place of the document.
    Body(String),
}

/// All providers of the tests.
#[derive(Default)]
pub struct Providers {
    used_codes: Mutex<HashSet<String>>,
    faults: Mutex<HashMap<&'static str, Fault>>,
    overrides: Mutex<[Map<String, Value>; 3]>,
    key: Mutex<Option<(Value, usize)>>,
    requests: Mutex<Vec<(&'static str, String)>>,
}

/// The documents whose members a test may override.
const DISCOVERY: usize = 0;
const HEADER: usize = 1;
const CLAIMS: usize = 2;

impl Providers {
    /// Sets a member of all further ID tokens; null leaves it out.
    pub fn claim(&self, name: &str, value: Value) {
        self.overrides.lock().unwrap()[CLAIMS].insert(name.to_owned(), value);
    }

    /// The same for the header of ID tokens.
    pub fn header(&self, name: &str, value: Value) {
        self.overrides.lock().unwrap()[HEADER].insert(name.to_owned(), value);
    }

    /// The same for the provider's description of itself.
    pub fn describe(&self, name: &str, value: Value) {
        self.overrides.lock().unwrap()[DISCOVERY].insert(name.to_owned(), value);
    }

    /// Obeys all rules again.
    pub fn behave(&self) {
        *self.overrides.lock().unwrap() = Default::default();
        self.faults.lock().unwrap().clear();
    }

    /// From now on this endpoint fails: `discovery`, `keys`, `token`, `userinfo`, `user` or `emails`.
    pub fn fail(&self, endpoint: &'static str, fault: Fault) {
        self.faults.lock().unwrap().insert(endpoint, fault);
    }

    /// Replaces the signing key by a new one of this algorithm.
    pub fn rotate(&self, algorithm: Algorithm) {
        let number = self.key().1 + 1;
        *self.key.lock().unwrap() = Some((crypto::from_bytes(algorithm, [u8::try_from(number).unwrap(); 32]), number));
    }

    /// Takes the requests so far: endpoint and body.
    pub fn take_requests(&self) -> Vec<(&'static str, String)> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// An ID token of a provider with this nonce.
    pub fn id_token(&self, provider: &str, nonce: &str, person: &Person) -> String {
        let &(_, issuer, client_id, _) = PROVIDERS.iter().find(|(id, ..)| *id == provider).unwrap();
        let now = clock().seconds();
        let mut claims = json!({
            "iss": issuer, "sub": person.subject, "aud": client_id, "nonce": nonce,
            "iat": now, "exp": now + 300, "auth_time": now, "name": "Ada Lovelace",
        });
        person.add_email(&mut claims);
        let (key, number) = self.key();
        let alg = if key["kty"] == "OKP" { "EdDSA" } else { "ES256" };
        let header = self.overridden(HEADER, json!({"alg": alg, "typ": "JWT", "kid": format!("key-{number}")}));
        let parts = [header, self.overridden(CLAIMS, claims)].map(|part| BASE64.encode(part.to_string()));
        let text = parts.join(".");
        format!("{text}.{}", crypto::sign(&key, &text))
    }

    /// The answer to a request, if it is to one of the providers.
    pub(super) fn answer(&self, request: &HttpRequest) -> Option<Result<HttpResponse, NoResponse>> {
        let (provider, path) = provider_of(&request.url)?;
        let endpoint = match path {
            "/.well-known/openid-configuration" => "discovery",
            "/keys" => "keys",
            "/token" | "/login/oauth/access_token" => "token",
            "/userinfo" => "userinfo",
            "/user" => "user",
            "/user/emails?per_page=100" => "emails",
            _ => panic!("no endpoint: {}", request.url),
        };
        let body = request.body.as_ref().map_or("", |body| body.expose());
        self.requests.lock().unwrap().push((endpoint, body.to_owned()));
        assert!((1..=5000).contains(&request.deadline_ms), "the requests of a flow share five seconds");
        let (status, document) = match endpoint {
            "discovery" => (200, self.description(provider.1)),
            "keys" => (200, self.key_set()),
            "token" => self.token(provider, request, body),
            _ => self.about_user(endpoint, request),
        };
        let response = |status, body| Ok(HttpResponse { status, body, is_cut: false });
        Some(match self.faults.lock().unwrap().get(endpoint) {
            None => response(status, document.to_string()),
            Some(Fault::Status(status)) => response(*status, "<html>".to_owned()),
            Some(Fault::Body(text)) => response(200, text.clone()),
            Some(Fault::Silence) => Err(NoResponse("no response in time".to_owned())),
            Some(Fault::Cut) => Ok(HttpResponse { status, body: "{".to_owned(), is_cut: true }),
        })
    }

    fn overridden(&self, which: usize, mut document: Value) -> Value {
        let members = document.as_object_mut().unwrap();
        for (name, value) in &self.overrides.lock().unwrap()[which] {
            members.insert(name.clone(), value.clone());
        }
        members.retain(|_, value| !value.is_null());
        document
    }

    fn key(&self) -> (Value, usize) {
        let first = || (crypto::from_bytes(Algorithm::EdDsa, [1; 32]), 1);
        self.key.lock().unwrap().get_or_insert_with(first).clone()
    }

    fn key_set(&self) -> Value {
        let (mut key, number) = self.key();
        key.as_object_mut().unwrap().remove("d");
        key["kid"] = json!(format!("key-{number}"));
        json!({"keys": [key]})
    }

    fn description(&self, issuer: &str) -> Value {
        let of = |path: &str| format!("{issuer}{path}");
        let sends_iss = issuer == ISSUER;
        let document = json!({
            "issuer": issuer, "authorization_endpoint": of("/authorize"), "token_endpoint": of("/token"),
            "jwks_uri": of("/keys"), "userinfo_endpoint": of("/userinfo"),
            "authorization_response_iss_parameter_supported": sends_iss,
        });
        self.overridden(DISCOVERY, document)
    }

    /// A code is good once, for the client that it was given to and that knows the verifier.
    fn token(
        &self,
        (provider, _, client_id, secret): (&str, &str, &str, &str),
        request: &HttpRequest,
        body: &str,
    ) -> (u16, Value) {
        let pairs = form(body);
        let sent = |name: &str| pairs.get(name).map_or("", String::as_str);
        let is_github = provider == "github";
        let basic = STANDARD.encode(format!("{client_id}:{}", secret.replace('+', "%2B").replace(':', "%3A")));
        let is_client = if is_github {
            (sent("client_id"), sent("client_secret")) == (client_id, secret)
        } else {
            header(request, "Authorization") == format!("Basic {basic}")
        };
        let refused = if is_github { 200 } else { 400 };
        if !is_client {
            return (
                refused,
                json!({"error": if is_github { "incorrect_client_credentials" } else { "invalid_client" }}),
            );
        }
        let code = sent("code");
        let is_unused = self.used_codes.lock().unwrap().insert(code.to_owned());
        let challenge = BASE64.encode(Sha256::digest(sent("code_verifier")));
        let fits = |(visit, _): &(Value, Person)| {
            let values = [provider, sent("redirect_uri"), challenge.as_str()];
            ["provider", "redirect_uri", "challenge"].map(|name| &visit[name]) == values.map(Value::from).each_ref()
        };
        let is_grant = is_unused && sent("grant_type") == "authorization_code";
        let Some((visit, person)) = visited(code).filter(fits).filter(|_| is_grant) else {
            return (refused, json!({"error": if is_github { "bad_verification_code" } else { "invalid_grant" }}));
        };
        if is_github {
            return (200, json!({"access_token": code, "token_type": "bearer", "scope": "user:email"}));
        }
        let id_token = self.id_token(provider, visit["nonce"].as_str().unwrap(), &person);
        (200, json!({"access_token": code, "token_type": "Bearer", "expires_in": 300, "id_token": id_token}))
    }

    /// The `UserInfo` endpoint, and the API of GitHub. Its user has a second address, and one of another user that was never verified.
    fn about_user(&self, endpoint: &str, request: &HttpRequest) -> (u16, Value) {
        let bearer = header(request, "Authorization").strip_prefix("Bearer ").and_then(visited);
        let is_named = endpoint == "userinfo" || !header(request, "User-Agent").is_empty();
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
            emails
                .push(json!({"email": person.email, "primary": true, "verified": person.verified, "visibility": null}));
        }
        (200, json!(emails))
    }
}

/// The visit of a browser to the page of a provider, whose user agrees. Returns the path and the query of the callback. The
/// code has all that the provider knows of the visit.
pub fn visit(authorize_url: &str, person: &Person) -> String {
    let (page, query) = authorize_url.split_once('?').unwrap();
    let pairs = form(query);
    let asked = |name: &str| pairs.get(name).map_or("", String::as_str);
    let ((provider, origin, client_id, _), _) = provider_of(page).unwrap();
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
fn visited(code: &str) -> Option<(Value, Person)> {
    let visit: Value = serde_json::from_slice(&BASE64.decode(code).ok()?).ok()?;
    let text = |name: &str| visit[name].as_str().map(str::to_owned);
    let person = Person { subject: text("subject")?, email: text("email")?, verified: visit["verified"].as_bool()? };
    Some((visit, person))
}

/// The provider behind a URL, and the path there.
fn provider_of(url: &str) -> Option<((&'static str, &'static str, &'static str, &'static str), &str)> {
    let below = |origin: &str| url.strip_prefix(origin).filter(|path| path.starts_with('/'));
    let of_api = below(GITHUB_API).map(|path| (PROVIDERS[2], path));
    of_api.or_else(|| PROVIDERS.iter().find_map(|provider| Some((*provider, below(provider.1)?))))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.expose())
}
