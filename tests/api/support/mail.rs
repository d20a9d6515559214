//! A service that sends mail.

use std::sync::Arc;

use edge_auth::domain::ids::ProofId;
use edge_auth::domain::mail::proof::{ProofKeys, Purpose};
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use serde_json::{Value, json};

use crate::support::mailbox::Letter;
use crate::support::sqlite::Sqlite;
use crate::support::world::address;
use crate::support::{EMAIL, Reply, SECRET, Service, clock};

/// The settings of a deployment with mail.
pub const MAIL: &[(&str, &str)] = &[
    ("MAIL", "binding"),
    ("MAIL_FROM", "Example <login@example.com>"),
    ("PUBLIC_URL", "https://login.example.com"),
    ("EMAIL_VERIFICATION", "off"),
];

/// The same, and registrations send a mail.
pub const VERIFYING: &[(&str, &str)] =
    &[("MAIL", "binding"), ("MAIL_FROM", "Example <login@example.com>"), ("PUBLIC_URL", "https://login.example.com")];

pub fn with(settings: &[(&str, &str)], more: &[(&str, &str)]) -> Service {
    let settings: Vec<_> = more.iter().chain(settings).copied().collect();
    let db = Arc::new(Sqlite::migrated());
    Service::on(Arc::clone(&db), db, &settings)
}

/// A proof of this address as its mail has it, written into the database; returns the token of its link.
pub fn planted(db: &Sqlite, purpose: Purpose, email: &str) -> String {
    let (keys, id) = plant(db, purpose, email);
    keys.link(purpose, id).expose().to_owned()
}

/// The same as its flow and its code, in a body.
pub fn planted_code(db: &Sqlite, purpose: Purpose, email: &str) -> String {
    let (keys, id) = plant(db, purpose, email);
    json!({"flow": keys.flow(purpose, id).expose(), "code": keys.code(purpose, id).expose()}).to_string()
}

fn plant(db: &Sqlite, purpose: Purpose, email: &str) -> (ProofKeys, ProofId) {
    let id: i64 = db.one("SELECT 1 + coalesce(max(id), 0) FROM email_proofs");
    let now = clock();
    db.execute(&format!(
        "INSERT INTO email_proofs
             (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
         SELECT {id}, '{}', id, email, password_version, 0, {now}, {end}, {end} FROM users WHERE email = '{email}'",
        purpose.as_str(),
        now = now.millis(),
        end = now.plus_seconds(600).millis(),
    ));
    (ProofKeys::derive(&SecretKeys::only(Secret::new(SECRET))), ProofId::new(id).unwrap())
}

/// The request with links to bob's address in the place of `VERIFY_LINK` and `RESET_LINK`, and with a flow and a code
/// in that of `SIGN_IN_CODE`.
pub fn with_links(db: &Sqlite, request: &str) -> String {
    let mut request = request.to_owned();
    for (word, purpose) in [("VERIFY_LINK", Purpose::Verify), ("RESET_LINK", Purpose::Reset)] {
        if request.contains(word) {
            request = request.replace(word, &planted(db, purpose, &address("bob")));
        }
    }
    if request.contains("SIGN_IN_CODE") {
        request = request.replace("SIGN_IN_CODE", &planted_code(db, Purpose::SignIn, &address("bob")));
    }
    request
}

/// Asks for a mail, and waits for the task behind the response. Returns the flow.
pub async fn ask(service: &Service, path: &str, email: &str) -> String {
    let reply = service.post(path, &json!({"email": email})).await.expect(202);
    settle().await;
    reply.body["flow"].as_str().unwrap().to_owned()
}

/// The mail with which the password is reset, and its flow.
pub async fn forgot(service: &Service) -> (Letter, String) {
    let flow = ask(service, "/auth/password/forgot", EMAIL).await;
    (service.mailbox.take_one(), flow)
}

/// Lets the tasks behind the responses run.
pub async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

pub async fn reset(service: &Service, proof: Value, password: &str) -> Reply {
    let mut body = proof;
    body["new_password"] = json!(password);
    let reply = service.post("/auth/password/reset", &body).await;
    settle().await;
    reply
}
