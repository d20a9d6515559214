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

use super::form::form;
pub use super::person::{Person, visit};
use super::person::{about_user, visited};
use super::{clock, crypto};

/// The issuer of `acme`, and its origin.
pub const ISSUER: &str = "https://id.acme.example";
const GOOGLE: &str = "https://accounts.google.com";
const GITHUB: &str = "https://github.com";
const GITHUB_API: &str = "https://api.github.com";
/// A provider, and the service as its client.
pub(super) struct Registration {
    pub(super) provider: &'static str,
    pub(super) origin: &'static str,
    pub(super) client_id: &'static str,
    secret: &'static str,
}

static REGISTRATIONS: [Registration; 3] = [
    Registration { provider: "acme", origin: ISSUER, client_id: "edge-auth-at-acme", secret: "secret+of:acme" },
    Registration { provider: "google", origin: GOOGLE, client_id: "edge-auth-at-google", secret: "secret-of-google" },
    Registration { provider: "github", origin: GITHUB, client_id: "edge-auth-at-github", secret: "secret-of-github" },
];

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
        let registration = REGISTRATIONS.iter().find(|registration| registration.provider == provider).unwrap();
        let now = clock().seconds();
        let mut claims = json!({
            "iss": registration.origin, "sub": person.subject, "aud": registration.client_id, "nonce": nonce,
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
        let (registration, path) = registration_of(&request.url)?;
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
            "discovery" => (200, self.description(registration.origin)),
            "keys" => (200, self.key_set()),
            "token" => self.token(registration, request, body),
            _ => about_user(endpoint, header(request, "Authorization"), !header(request, "User-Agent").is_empty()),
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
    fn token(&self, registration: &Registration, request: &HttpRequest, body: &str) -> (u16, Value) {
        let &Registration { provider, client_id, secret, .. } = registration;
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
}

/// The registration at the provider behind a URL, and the path there.
pub(super) fn registration_of(url: &str) -> Option<(&'static Registration, &str)> {
    let [.., github] = &REGISTRATIONS;
    let below = |origin: &str| url.strip_prefix(origin).filter(|path| path.starts_with('/'));
    let of_api = below(GITHUB_API).map(|path| (github, path));
    of_api.or_else(|| REGISTRATIONS.iter().find_map(|registration| Some((registration, below(registration.origin)?))))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.expose())
}
