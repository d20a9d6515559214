//! One walk through all operations runs every statement of the store.
//!
//! The database adapter of the tests panics if the values of a statement do not match the names in its text, so the walk
//! also shows that each statement is bound correctly.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use edge_auth::domain::mail::proof::Purpose;
use edge_auth::domain::replica::Bookmark;
use edge_auth::domain::time::DAY;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use edge_auth::service::platform::clean_up::clean_up;
use edge_auth::store::Store;
use serde_json::{Value, json};

use crate::every_statement_further::{archive_events, change_near};
use crate::every_statement_requests::REQUESTS;
use crate::statements::LISTS;
use crate::support::contract::is_built;
use crate::support::factors::{complete, with_factors_of};
use crate::support::federation::{confirm, federated_sign_in, joined, mailed_flow};
use crate::support::identities::{FAY, with_identities};
use crate::support::machine;
use crate::support::mail::{ask, planted, planted_code, settle, with_links};
use crate::support::provider::Person as ProviderPerson;
use crate::support::replicated::bookmark;
use crate::support::sqlite::Sqlite;
use crate::support::world::{Person, World, address};
use crate::support::{EMAIL, PASSWORD, SECRET, Service, clock};

const PEOPLE: [Person; 8] = [
    ("root", "PLATFORM_ADMIN"),
    ("second", "PLATFORM_ADMIN UNIVERSITY_ADMIN@1"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("stu", "STUDENT@1"),
    ("bob", ""),
    ("mia", ""),
    ("fay", ""),
];

const NEXT_SECRET: &str = "another secret 0123456789 abcdefgh";
const OPERATOR_KEY: &str = "an-operator-key-of-the-tests-0123456789";

pub const SETTINGS: &[(&str, &str)] = &joined::<7, 17>([
    ("PASSWORD_ITERATIONS", "11"),
    ("OPERATOR_KEY", OPERATOR_KEY),
    ("ALGORITHM", "EdDSA"),
    ("SIGNING_KEY_DAYS", "1"),
    ("MAIL", "binding"),
    ("MAIL_FROM", "login@example.com"),
    ("EMAIL_SIGN_IN", "on"),
]);

/// Records the statements that reach the database.
pub struct Recorder {
    db: Arc<Sqlite>,
    executed: Mutex<BTreeSet<&'static str>>,
}

impl Db for Recorder {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        self.executed.lock().unwrap().extend(statements.iter().map(|statement| statement.sql));
        self.db.batch(statements)
    }

    fn bookmark(&self) -> Option<Bookmark> {
        Some(bookmark(1))
    }
}

async fn ask_all(world: &World) {
    for line in REQUESTS.lines().filter(|line| !line.is_empty() && is_built(line)) {
        let (caller, rest) = line.split_once(' ').unwrap();
        let (status, request) = rest.trim_start().split_once(' ').unwrap();
        let visitor = if caller == "anyone" { world.anonymous() } else { world.sign_in(caller).await };
        let request = with_links(&world.service.db, &world.with_newest(request));
        visitor.ask(&request).await.expect(status.parse().unwrap());
    }
}

/// A backend that names the address of its client.
async fn name_client(world: &World) {
    machine::add(&world.service.db);
    world
        .service
        .db
        .execute("UPDATE service_accounts SET scopes = '[\"client-address\",\"introspect\"]' WHERE id = 77");
    let request = Request::get("/health/ready").header("X-Edge-Auth-Key", machine::key());
    let request = request.header("X-Edge-Auth-Client", "8.8.4.4").body(Body::empty()).unwrap();
    world.service.send(request).await.expect(200);
}

/// A service account that revokes a key of a user and one of its own.
async fn revoke_keys(world: &World) {
    let ulla = world.sign_in("ulla").await;
    let made =
        ulla.ask(r#"POST /users/me/api-keys {"name": "Key", "permissions": ["universities:view"]}"#).await.expect(201);
    let machine = world.machine();
    for text in [made.body["key"].as_str().unwrap(), &machine::key()] {
        machine.ask(&format!("POST /oauth/revoke token={text}")).await.expect(200);
    }
}

/// An administrator whose sign-in is not recent.
async fn step_up(world: &World) {
    let root = world.sign_in("root").await;
    world.service.advance(601);
    for (status, password) in [(401, "a wrong password"), (200, PASSWORD)] {
        root.ask(&format!(r#"POST /admin/users/2/logout {{"password": "{password}"}}"#)).await.expect(status);
    }
}

/// Everything that a user does with an account of their own.
async fn use_account(world: &World) {
    let service = &world.service;
    service.register(EMAIL).await;
    service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(409);
    for email in [EMAIL, "unknown@example.com"] {
        for _ in 0..6 {
            assert!(matches!(service.login(email, "a wrong password").await.status, 401 | 429));
        }
    }
    service.advance(3600);
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let rotated = service.refresh(&tokens.refresh).await.expect(200).tokens();
    service.advance(60);
    service.refresh(&tokens.refresh).await.expect(401);
    service.refresh(&rotated.refresh).await.expect(401);
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    service.logout(&tokens.refresh).await.expect(200);
    let other = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let call = async |method: &str, path: &str, body: Option<Value>| {
        service.call(method, path, &tokens.access, body.as_ref()).await
    };
    let sessions = call("GET", "/auth/sessions", None).await.expect(200).body;
    let another = sessions["sessions"].as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    call("DELETE", &format!("/auth/sessions/{}", another["id"]), None).await.expect(204);
    service.me(&other.access).await.expect(401);
    call("PATCH", "/users/me", Some(json!({"full_name": "Ada"}))).await.expect(200);
    let change = |old: &str, new: &str| Some(json!({"current_password": old, "new_password": new}));
    call("PUT", "/users/me/password", change("a wrong password", PASSWORD)).await.expect(401);
    call("PUT", "/users/me/password", change(PASSWORD, "another long password")).await.expect(200);
    let tokens = service.login(EMAIL, "another long password").await.expect(200).tokens();
    use_key(service, &tokens.access).await;
    let page = service.get_as("/users/me/export", &tokens.access).await.expect(200).body;
    assert!(page["audit_events"].as_array().unwrap().len() > 5);
    service.get_as("/users/me/export?cursor=5", &tokens.access).await.expect(200);
    let body = json!({"password": "another long password"});
    service.call("POST", "/auth/logout-all", &tokens.access, None).await.expect(200);
    let tokens = service.login(EMAIL, "another long password").await.expect(200).tokens();
    service.call("DELETE", "/users/me", &tokens.access, Some(&body)).await.expect(204);
}

/// Two keys of the user, of which one is used and withdrawn.
async fn use_key(service: &Service, access_token: &str) {
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let body = json!({"name": "Key", "permissions": ["universities:view"]});
    service.call("POST", "/users/me/api-keys", access_token, Some(&body)).await.expect(201);
    let made = service.call("POST", "/users/me/api-keys", access_token, Some(&body)).await.expect(201).body;
    service.me(made["key"].as_str().unwrap()).await.expect(200);
    service.get_as("/users/me/api-keys", access_token).await.expect(200);
    service.call("DELETE", &format!("/users/me/api-keys/{}", made["id"]), access_token, None).await.expect(204);
}

/// Mails: proofs of addresses, a refused one, and one that is sent again.
async fn use_mail(world: &World) {
    for path in ["/auth/email/verification", "/auth/password/forgot"] {
        ask(&world.service, path, &address("stu")).await;
    }
    let flow = ask(&world.service, "/auth/password/forgot", &address("ulla")).await;
    let code = json!({"flow": flow, "code": "1", "new_password": "staple battery horse correct"});
    world.service.post("/auth/password/reset", &code).await.expect(401);
    world.service.mailbox.refuse(Some("E_RECIPIENT_SUPPRESSED"));
    ask(&world.service, "/auth/password/forgot", &address("dora")).await;
    world.service.mailbox.refuse(None);
    let (visitor, db) = (world.sign_in("stu").await, &world.service.db);
    let token = planted(db, Purpose::Verify, &address("stu"));
    visitor.ask(&format!(r#"POST /auth/email/verify {{"token": "{token}"}}"#)).await.expect(200);
    visitor.ask(r#"PUT /users/me/email {"new_email": "moved@example.com"}"#).await.expect(202);
    let token = planted(db, Purpose::ChangeAddress, &address("stu"));
    visitor.ask(&format!(r#"POST /auth/email/verify {{"token": "{token}"}}"#)).await.expect(200);
    let undo = json!({"token": with_links(db, "UNDO_LINK")});
    world.service.post("/auth/email/undo", &undo).await.expect(200);
    let token = planted(db, Purpose::Reset, &address("stu"));
    let reset = json!({"token": token, "new_password": PASSWORD});
    world.service.post("/auth/password/reset", &reset).await.expect(200);
    let body = planted_code(db, Purpose::SignIn, &address("stu"));
    world.service.post_text("/auth/email/sign-in", body).await.expect(200);
    settle().await;
    world.service.send_mails().await;
}

/// An identity that joins an account by a mailed code and, behind it, the second factor; and a stale sign-in without anything
/// but an identity.
async fn use_identities(world: &World) {
    let (service, person) = (&world.service, ProviderPerson::of("another", &address(FAY)));
    let fay = world.sign_in(FAY).await;
    let request = with_identities(&service.db, "DELETE /users/me/identities/{identity} STEP_UP_OF_OWNER");
    service.advance(601);
    fay.ask(request.rsplit_once(' ').unwrap().0).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    with_factors_of(&service.db, FAY, "TOTP_CODE");
    service.mailbox.take();
    let refused = federated_sign_in(service, "acme", &person).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let code = service.mailbox.take_one().code();
    let due = confirm(service, &mailed_flow(&refused), &code).await;
    complete(service, FAY, due.expect_error(401, "AUTH_MFA_REQUIRED")).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities WHERE subject = 'another'"), 1);
}

/// A registration that waits for the proof of its address, on the same database.
async fn prove_registration(db: Arc<Sqlite>, port: Arc<dyn Db>) {
    let settings: Vec<_> = [("EMAIL_VERIFICATION", "required")].iter().chain(SETTINGS).copied().collect();
    let service = Service::on(db, port, &settings);
    let body = json!({"email": "new@example.com", "password": PASSWORD});
    let flow = service.post("/auth/register", &body).await.expect(202).body["flow"].clone();
    settle().await;
    service.login("new@example.com", "a wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login("new@example.com", PASSWORD).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    let code = service.mailbox.take_one().code();
    service.post("/auth/email/verify", &json!({"flow": flow, "code": code})).await.expect(200);
}

/// Enrols the first second factor of a role that needs one, with its mailed code.
async fn enrol_administrator(world: &World, recorder: &Arc<Recorder>) {
    let required = [("MFA_REQUIRED_ROLES", r#"["PLATFORM_ADMIN"]"#)];
    let settings: Vec<_> = SETTINGS.iter().copied().chain(required).collect();
    let service = Service::on(Arc::clone(&world.service.db), Arc::clone(recorder) as Arc<dyn Db>, &settings);
    let root = service.login(&address("root"), PASSWORD).await.expect(200).tokens();
    // The code is that of the present moment: it confirms nothing, since nothing is suspended.
    for (path, status) in [("/users/me/mfa/totp", 201), ("/users/me/factors/confirm", 401)] {
        let code = serde_json::from_str(&planted_code(&world.service.db, Purpose::Enrol, &address("root"))).unwrap();
        service.call("POST", path, &root.access, Some(&code)).await.expect(status);
    }
}

/// A command of the operator, whose event is written behind the response.
async fn command_breaker(world: &World) {
    let body = json!({"state": "automatic"});
    let path = "/operator/circuit-breaker";
    world.service.call("POST", path, OPERATOR_KEY, Some(&body)).await.expect(200);
    while world.service.db.rows("SELECT id FROM audit_events WHERE type = 'breaker_commanded'").is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_statement_of_the_store_is_executed() {
    let mut recorder = None;
    // The stored hashes have other rounds, so they are renewed.
    let world = World::through(&PEOPLE, SETTINGS, |db| {
        let port = Arc::new(Recorder { db, executed: Mutex::default() });
        recorder = Some(Arc::clone(&port));
        port
    });
    let recorder = recorder.unwrap();
    use_account(&world).await;
    ask_all(&world).await;
    change_near(&world, &recorder).await;
    command_breaker(&world).await;
    enrol_administrator(&world, &recorder).await;
    name_client(&world).await;
    revoke_keys(&world).await;
    use_mail(&world).await;
    use_identities(&world).await;
    world.service.get_as("/health/ready", OPERATOR_KEY).await.expect(200);
    step_up(&world).await;
    let last = world.sign_in("root").await;
    world.set_active("second", false);
    world.service.login(&address("second"), PASSWORD).await.expect_error(403, "AUTH_INACTIVE_USER");
    last.ask(&format!(r#"DELETE /users/me {{"password": "{PASSWORD}"}}"#)).await.expect(409);
    world.service.db.execute(
        "INSERT INTO users (id, email, password_hash, is_active, created_at, erasure_cursor)
         VALUES (99, 'erased:99', '', 0, 1, 0)",
    );
    world.service.tend().await;
    prove_registration(Arc::clone(&world.service.db), Arc::clone(&recorder) as Arc<dyn Db>).await;
    // Under a new secret key.
    with_links(&world.service.db, "TOTP_CODE");
    let keys = [("SECRET_KEY", NEXT_SECRET), ("SECRET_KEY_PREVIOUS", SECRET)];
    let changed: Vec<_> = SETTINGS.iter().copied().chain(keys).collect();
    archive_events(&world, &recorder).await;
    let under_new_key = Service::on(Arc::clone(&world.service.db), Arc::clone(&recorder) as Arc<dyn Db>, &changed);
    under_new_key.tend().await;
    // The trigger of every minute encrypts the secrets anew.
    under_new_key.send_mails().await;
    // Rotates, and deletes the retired key.
    for _ in 0..2 {
        world.service.advance(2 * DAY);
        world.service.tend().await;
    }
    world.service.advance(400 * DAY / 1000);
    let store = Store::new(Arc::clone(&recorder) as Arc<dyn Db>, world.service.gate());
    clean_up(&store, clock(), world.service.settings(), false).await.unwrap();
    let executed = recorder.executed.lock().unwrap();
    let missing: Vec<_> = LISTS
        .iter()
        .flat_map(|(file, statements)| statements.iter().map(move |sql| (file, sql)))
        .filter(|(_, sql)| !executed.contains(**sql))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
