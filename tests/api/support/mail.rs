//! A service that sends mail.

use std::sync::Arc;

use edge_auth::domain::ids::ProofId;
use edge_auth::domain::mail::proof::{ProofKeys, Purpose};
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use serde_json::{Value, json};

use crate::support::factors::with_factors;
use crate::support::identities::{FAY, with_identities};
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

/// A proof with an id of its own, also among the used ones of federation, which are counted from a million on.
pub fn plant(db: &Sqlite, purpose: Purpose, email: &str) -> (ProofKeys, ProofId) {
    let id: i64 = db.one(
        "SELECT 1 + coalesce(max(id), 0)
         FROM (SELECT id FROM email_proofs UNION ALL SELECT id FROM used_flows WHERE id < 1000000)",
    );
    let now = clock();
    let new_address = if purpose == Purpose::ChangeAddress { "'moved@example.com'" } else { "NULL" };
    db.execute(&format!(
        "INSERT INTO email_proofs (id, purpose, user_id, address, new_address, password_version, is_of_owner, created_at,
             expires_at, code_expires_at)
         SELECT {id}, '{}', id, email, {new_address}, password_version, 0, {now}, {end}, {end} FROM users
         WHERE email = '{email}'",
        purpose.as_str(),
        now = now.millis(),
        end = now.plus_seconds(600).millis(),
    ));
    (ProofKeys::derive(&SecretKeys::only(Secret::new(SECRET))), ProofId::new(id).unwrap())
}

/// An invitation to university 1 by one of its administrators, written into the database; returns the token of its link.
pub fn planted_invitation(db: &Sqlite, purpose: Purpose, email: &str, role: &str) -> String {
    let id: i64 = db.one("SELECT 1 + coalesce(max(id), 0) FROM invitations");
    let now = clock();
    db.execute(&format!(
        "INSERT INTO invitations
             (id, university_id, email, role, department_id, invited_by, created_at, expires_at, sent_at, nonce)
         SELECT {id}, 1, '{email}', '{role}', NULL, user_id, {now}, {end}, {now}, 1 FROM user_university_roles
         WHERE university_id = 1 AND role = 'UNIVERSITY_ADMIN' ORDER BY id LIMIT 1",
        now = now.millis(),
        end = now.plus_seconds(600).millis(),
    ));
    token_of(purpose, id)
}

/// The token of the newest link of this purpose.
fn newest(db: &Sqlite, purpose: Purpose) -> Option<String> {
    let purpose_name = purpose.as_str();
    let select = "SELECT id FROM email_proofs WHERE purpose =";
    let rows = db.rows(&format!("{select} '{purpose_name}' ORDER BY created_at DESC, rowid DESC LIMIT 1"));
    Some(token_of(purpose, rows.first()?["id"].as_i64().unwrap()))
}

fn keys() -> ProofKeys {
    ProofKeys::derive(&SecretKeys::only(Secret::new(SECRET)))
}

/// The token of the link of this proof.
pub fn token_of(purpose: Purpose, id: i64) -> String {
    keys().link(purpose, ProofId::new(id).unwrap()).expose().to_owned()
}

/// The code of this proof.
pub fn code_of(purpose: Purpose, id: i64) -> String {
    keys().code(purpose, ProofId::new(id).unwrap()).expose().to_owned()
}

/// The request with evidence of a second factor or an identity, and with links in the place of words: new ones to bob's address, or to a new address of bob's, and for the last two one
/// that was mailed, if there is any.
pub fn with_links(db: &Sqlite, request: &str) -> String {
    let mut request = with_identities(db, &with_factors(db, request));
    for (word, purpose) in [
        ("VERIFY_LINK", Purpose::Verify),
        ("RESET_LINK", Purpose::Reset),
        ("CHANGE_LINK", Purpose::ChangeAddress),
        ("UNDO_LINK", Purpose::Undo),
        ("NOT_ME_LINK", Purpose::NotMe),
    ] {
        if request.contains(word) {
            let is_new = matches!(purpose, Purpose::Verify | Purpose::Reset | Purpose::ChangeAddress);
            let token = if is_new { None } else { newest(db, purpose) };
            request = request.replace(word, &token.unwrap_or_else(|| planted(db, purpose, &address("bob"))));
        }
    }
    if request.contains("INVITE_LINK") {
        request =
            request.replace("INVITE_LINK", &planted_invitation(db, Purpose::Invite, &address("bob"), "INSTRUCTOR"));
    }
    for (word, purpose, name) in [("SIGN_IN_CODE", Purpose::SignIn, "bob"), ("STEP_UP_CODE", Purpose::StepUp, FAY)] {
        if request.contains(word) {
            request = request.replace(word, &planted_code(db, purpose, &address(name)));
        }
    }
    request
}

/// A mailed code that is not this one.
pub fn wrong_code(code: &str) -> &'static str {
    if code == "00000000" { "00000001" } else { "00000000" }
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
