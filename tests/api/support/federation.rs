//! Signing in with the providers of the tests, as a browser and an application do it.

use serde_json::{Value, json};

use super::mail::settle;
use super::provider::{Person, visit};
use super::{Reply, Service};

pub const PUBLIC_URL: &str = "https://auth.example.com";
/// A page of an application.
pub const RETURN_URL: &str = "https://app.example.com/signed-in";

/// The settings of a deployment with providers, and without mail. `acme` is authoritative for addresses of `acme.example`.
pub const FEDERATION: [(&str, &str); 10] = [
    ("PUBLIC_URL", PUBLIC_URL),
    (
        "FEDERATION",
        r#"[{"id": "acme", "issuer": "https://id.acme.example", "name": "Acme", "authoritative_domains": ["acme.example"]},
            {"id": "google"}, {"id": "github"}]"#,
    ),
    ("FEDERATION_RETURN_URLS", r#"["https://app.example.com/signed-in", "com.example.app:/signed-in"]"#),
    ("FEDERATION_ACME_CLIENT_ID", "edge-auth-at-acme"),
    ("FEDERATION_ACME_CLIENT_SECRET", "secret+of:acme"),
    ("FEDERATION_ACME_AUDIENCES", r#"["acme-app"]"#),
    ("FEDERATION_GOOGLE_CLIENT_ID", "edge-auth-at-google"),
    ("FEDERATION_GOOGLE_CLIENT_SECRET", "secret-of-google"),
    ("FEDERATION_GITHUB_CLIENT_ID", "edge-auth-at-github"),
    ("FEDERATION_GITHUB_CLIENT_SECRET", "secret-of-github"),
];

/// The same with mail. Accounts are registered without one.
pub const MAILING: [(&str, &str); 3] =
    [("MAIL", "binding"), ("MAIL_FROM", "Example <login@example.com>"), ("EMAIL_VERIFICATION", "off")];

/// These settings, of which there are `M`, and those of a deployment with providers: `N` in all.
pub const fn joined<const M: usize, const N: usize>(
    more: [(&'static str, &'static str); M],
) -> [(&'static str, &'static str); N] {
    assert!(N == M + FEDERATION.len());
    let mut all = [("", ""); N];
    let mut index = 0;
    while index < N {
        all[index] = if index < M { more[index] } else { FEDERATION[index - M] };
        index += 1;
    }
    all
}

/// A service with providers, and these settings on top.
pub fn with(settings: &[(&str, &str)]) -> Service {
    let settings: Vec<_> = settings.iter().chain(&FEDERATION).copied().collect();
    Service::with(&settings)
}

/// A flow of a browser.
#[derive(Debug, Clone)]
pub struct Started {
    pub authorize_url: String,
    pub flow: String,
}

/// The request that starts a flow for [`RETURN_URL`], with further members of the body.
pub async fn ask_to_start(service: &Service, provider: &str, access_token: Option<&str>, members: &Value) -> Reply {
    let mut body = json!({"return_url": RETURN_URL});
    let members = members.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    send(service, &format!("/auth/federated/{provider}"), access_token, &body).await
}

/// Starts a sign-in.
pub async fn start(service: &Service, provider: &str) -> Started {
    started(&ask_to_start(service, provider, None, &json!({})).await)
}

/// Starts a flow of a signed-in user: `link` or `step_up`.
pub async fn start_as(service: &Service, provider: &str, access_token: &str, purpose: &str) -> Started {
    started(&ask_to_start(service, provider, Some(access_token), &json!({purpose: true})).await)
}

fn started(reply: &Reply) -> Started {
    assert_eq!(reply.status, 200, "{reply:?}");
    let text = |name: &str| reply.body[name].as_str().unwrap().to_owned();
    Started { authorize_url: text("authorize_url"), flow: text("flow") }
}

/// The person agrees at the provider, and the browser comes back. Returns the fragment of the page that it ends at.
pub async fn come_back(service: &Service, started: &Started, person: &Person) -> String {
    fragment(&service.get(&visit(&started.authorize_url, person)).await)
}

/// The fragment of a redirect to [`RETURN_URL`].
pub fn fragment(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{reply:?}");
    let (page, fragment) = reply.header("location").unwrap().split_once('#').unwrap();
    assert_eq!(page, RETURN_URL);
    fragment.to_owned()
}

/// The same, and it has a code.
pub async fn come_back_with_code(service: &Service, started: &Started, person: &Person) -> String {
    let fragment = come_back(service, started, person).await;
    fragment.strip_prefix("code=").unwrap_or_else(|| panic!("{fragment}")).to_owned()
}

/// Exchanges flow and code, and waits for the tasks behind the response.
pub async fn exchange(service: &Service, flow: &str, code: &str) -> Reply {
    exchange_as(service, None, flow, code).await
}

/// The same as a signed-in user.
pub async fn exchange_as(service: &Service, access_token: Option<&str>, flow: &str, code: &str) -> Reply {
    send(service, "/auth/federated/exchange", access_token, &json!({"flow": flow, "code": code})).await
}

/// The code that was mailed, presented with the flow of the refused exchange.
pub async fn confirm(service: &Service, flow: &str, code: &str) -> Reply {
    send(service, "/auth/federated/confirm", None, &json!({"flow": flow, "code": code})).await
}

/// Signs in with a provider; the reply is that of the exchange.
pub async fn federated_sign_in(service: &Service, provider: &str, person: &Person) -> Reply {
    let started = start(service, provider).await;
    let code = come_back_with_code(service, &started, person).await;
    exchange(service, &started.flow, &code).await
}

/// Links an identity, or steps up with one; the reply is that of the exchange.
pub async fn federated_as(
    service: &Service,
    access_token: &str,
    provider: &str,
    purpose: &str,
    person: &Person,
) -> Reply {
    let started = start_as(service, provider, access_token, purpose).await;
    let code = come_back_with_code(service, &started, person).await;
    exchange_as(service, Some(access_token), &started.flow, &code).await
}

/// Starts the flow of an app. Returns flow and nonce.
pub async fn start_native(service: &Service, provider: &str) -> (String, String) {
    let reply = ask_to_start(service, provider, None, &json!({"native": true, "return_url": null})).await.expect(200);
    let text = |name: &str| reply.body[name].as_str().unwrap().to_owned();
    (text("flow"), text("nonce"))
}

/// Presents the ID token that an app got.
pub async fn present(service: &Service, provider: &str, flow: &str, id_token: &str) -> Reply {
    let body = json!({"flow": flow, "id_token": id_token});
    send(service, &format!("/auth/federated/{provider}/id-token"), None, &body).await
}

/// The flow of a reply that says that a code was mailed.
pub fn mailed_flow(reply: &Reply) -> String {
    reply.body["error"]["details"]["flow"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

async fn send(service: &Service, path: &str, access_token: Option<&str>, body: &Value) -> Reply {
    let reply = match access_token {
        None => service.post(path, body).await,
        Some(token) => service.call("POST", path, token, Some(body)).await,
    };
    settle().await;
    reply
}
