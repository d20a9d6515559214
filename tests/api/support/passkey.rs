//! Passkeys of the users of a test: the two ceremonies through HTTP.

use std::sync::Arc;

use edge_auth::domain::public_key::SignatureAlgorithm;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::{Value, json};

use super::authenticator::Authenticator;
use super::sqlite::Sqlite;
use super::totp::codes;
use super::{EMAIL, Reply, Service, Tokens};

pub const ORIGIN: &str = "https://login.example.org";
/// The settings of a deployment with passkeys.
pub const PASSKEYS: &[(&str, &str)] = &[("PUBLIC_URL", ORIGIN)];
pub const PATH: &str = "/users/me/passkeys";
pub const OPTIONS: &str = "/users/me/passkeys/options";

/// A service with these settings on top.
pub fn service_with(settings: &[(&str, &str)]) -> Service {
    Service::with(&[settings, PASSKEYS].concat())
}

/// The same, where concurrent requests read before the first of them writes.
pub fn interleaving(settings: &[(&str, &str)]) -> Service {
    let db = Arc::new(Sqlite::migrated());
    let port = Arc::new(Interleaving(Arc::clone(&db)));
    Service::on(db, port, &[settings, PASSKEYS].concat())
}

/// Every batch lets the other requests go first.
struct Interleaving(Arc<Sqlite>);

impl Db for Interleaving {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.batch(statements).await
        })
    }
}

pub fn parsed(credential: &str) -> Value {
    serde_json::from_str(credential).unwrap()
}

pub async fn creation_options(service: &Service, access: &str) -> Value {
    service.call("POST", OPTIONS, access, None).await.expect(200).body
}

/// Presents a new credential.
pub async fn present(service: &Service, access: &str, name: &str, credential: &Value) -> Reply {
    let body = json!({"name": name, "credential": credential});
    service.call("POST", PATH, access, Some(&body)).await
}

/// Registers a new passkey with the session of this token.
pub async fn register(service: &Service, access: &str, passkey: &mut Authenticator) -> Reply {
    let options = creation_options(service, access).await;
    let credential = passkey.register(&options, ORIGIN);
    present(service, access, "Laptop", &parsed(&credential)).await
}

/// An account with a passkey, and its recovery codes.
pub async fn account(service: &Service) -> (Tokens, Authenticator, Vec<String>) {
    let tokens = service.register(EMAIL).await;
    let mut passkey = Authenticator::new(SignatureAlgorithm::Es256);
    let reply = register(service, &tokens.access, &mut passkey).await.expect(201);
    (tokens, passkey, codes(&reply))
}

/// Starts a sign-in: the flow and the options.
pub async fn start(service: &Service) -> Value {
    service.post("/auth/passkey/options", &json!({})).await.expect(200).body
}

/// Answers a sign-in.
pub async fn answer(service: &Service, flow: &Value, credential: &str) -> Reply {
    service.post("/auth/passkey", &json!({"flow": flow, "credential": parsed(credential)})).await
}

/// Signs in with a passkey alone.
pub async fn sign_in(service: &Service, passkey: &mut Authenticator) -> Reply {
    let started = start(service).await;
    let credential = passkey.authenticate(&started["options"], ORIGIN);
    answer(service, &started["flow"], &credential).await
}

/// The claims of a token.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
