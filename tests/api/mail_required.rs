//! `EMAIL_VERIFICATION = required`: there is no account before its address is proven, and no answer tells whether an address
//! has one.

use std::sync::Arc;

use edge_auth::ports::Db;
use edge_auth::service::platform::clean_up::clean_up;
use edge_auth::store::Store;
use serde_json::{Value, json};

use crate::lost_answers::LostAnswers;
use crate::support::hash_queue::leave_hash_slots;
use crate::support::mail::{VERIFYING, settle, with};
use crate::support::mailbox::Letter;
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Reply, Service, clock, draw_from};

const OTHER: &str = "staple battery horse correct";

fn service() -> Service {
    with(VERIFYING, &[("EMAIL_VERIFICATION", "required")])
}

/// The same, on a database with these accounts from before.
async fn with_accounts(names: &[&str]) -> Service {
    let before = with(VERIFYING, &[]);
    for name in names {
        before.register(&format!("{name}@example.com")).await;
    }
    let db = before.db.clone();
    drop(before);
    let settings: Vec<_> = [("EMAIL_VERIFICATION", "required")].iter().chain(VERIFYING).copied().collect();
    Service::on(db.clone(), db, &settings)
}

/// Registers from a network; returns the answer.
async fn register_from(service: &Service, ip: &str, email: &str, password: &str) -> Reply {
    let body = json!({"email": email, "password": password, "full_name": "Ada"});
    let reply = service.post_from(ip, "/auth/register", &body).await.expect(202);
    settle().await;
    reply
}

/// Registers the usual address; returns the mail and the flow.
async fn register(service: &Service, ip: &str, password: &str) -> (Letter, String) {
    let reply = register_from(service, ip, EMAIL, password).await;
    (service.mailbox.take_one(), reply.body["flow"].as_str().unwrap().to_owned())
}

async fn verify(service: &Service, body: &Value) -> Reply {
    service.post("/auth/email/verify", body).await
}

fn count(service: &Service, table: &str) -> i64 {
    service.db.one(&format!("SELECT count(*) FROM {table}"))
}

#[tokio::test]
async fn a_registration_becomes_an_account_with_the_proof() {
    let service = service();
    let (letter, flow) = register(&service, "192.0.2.1", PASSWORD).await;
    assert_eq!((letter.to(), letter.subject()), (EMAIL, "Confirm your address for edge-auth"));
    assert_eq!(count(&service, "users"), 0);
    service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    service.login(EMAIL, "a wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let code = json!({"flow": flow, "code": letter.code()});
    let reply = verify(&service, &code).await.expect(200);
    assert_eq!(reply.body, json!({"email": EMAIL, "email_verified": true}));
    // From another network there would be a notice.
    let credentials = json!({"email": EMAIL, "password": PASSWORD});
    let tokens = service.post_from("192.0.2.1", "/auth/login", &credentials).await.expect(200).tokens();
    let me = service.me(&tokens.access).await.body;
    assert_eq!((&me["email_verified"], &me["full_name"]), (&json!(true), &json!("Ada")));
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let left = ["registrations", "email_proofs", "mails"].map(|table| count(&service, table));
    assert_eq!(left, [0, 0, 0]);
    let events =
        "SELECT group_concat(type) FROM (SELECT type FROM audit_events WHERE type NOT LIKE 'sign%' ORDER BY id)";
    assert_eq!(service.db.one::<String>(events), "registered,email_verified");
}

#[tokio::test]
async fn a_link_needs_the_flow_or_the_password_of_a_registration() {
    for beside in [json!({"password": PASSWORD}), json!({"flow": "FLOW"})] {
        let service = service();
        let (letter, flow) = register(&service, "192.0.2.1", PASSWORD).await;
        let foreign = register_from(&service, "192.0.2.1", "other@example.com", OTHER).await.body["flow"].clone();
        for wrong in [json!({}), json!({"password": OTHER}), json!({"flow": foreign}), json!({"flow": "1.a"})] {
            let mut body = wrong;
            body["token"] = json!(letter.token());
            verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        }
        let mut body = serde_json::from_str::<Value>(&beside.to_string().replace("FLOW", &flow)).unwrap();
        body["token"] = json!(letter.token());
        verify(&service, &body).await.expect(200);
        service.login(EMAIL, PASSWORD).await.expect(200);
    }
}

/// Wrong passwords beside a link count as wrong codes do, and leave the flow.
#[tokio::test]
async fn a_link_bears_five_wrong_passwords() {
    let service = service();
    let (letter, flow) = register(&service, "192.0.2.1", PASSWORD).await;
    for password in [OTHER, OTHER, OTHER, OTHER, OTHER, PASSWORD] {
        let body = json!({"token": letter.token(), "password": password});
        verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let code = json!({"flow": flow, "code": letter.code()});
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    verify(&service, &json!({"token": letter.token(), "flow": flow})).await.expect(200);
}

/// The stranger was first, and gains nothing: the password counts whose flow is proven.
#[tokio::test]
async fn a_stranger_that_registers_first_gains_nothing() {
    let service = service();
    let (thief_mail, thief_flow) = register(&service, "203.0.113.66", "the password of a thief").await;
    let (mail, flow) = register(&service, "192.0.2.1", PASSWORD).await;
    for body in [
        json!({"flow": thief_flow, "code": mail.code()}),
        json!({"token": thief_mail.token(), "password": PASSWORD}),
        json!({"token": mail.token(), "password": "the password of a thief"}),
    ] {
        verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    // The owner opens the older mail of the two.
    verify(&service, &json!({"token": thief_mail.token(), "flow": flow})).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect(200);
    for (ip, flow, code) in [("203.0.113.66", thief_flow, thief_mail.code()), ("192.0.2.1", flow, mail.code())] {
        let body = json!({"flow": flow, "code": code});
        service.post_from(ip, "/auth/email/verify", &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let thief = json!({"email": EMAIL, "password": "the password of a thief"});
    // As before the proof: the answer does not tell that there is an account now.
    service.post_from("203.0.113.66", "/auth/login", &thief).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    assert_eq!(count(&service, "users"), 1);
}

/// Proven, unproven, disabled, unknown and waiting addresses: the same answers, statements, rows and tasks.
#[tokio::test]
async fn registering_tells_nothing_about_the_address() {
    let service = with_accounts(&["proven", "unproven", "disabled"]).await;
    service.db.execute(
        "UPDATE users SET email_verified_at = 1 WHERE email = 'proven@example.com';
         UPDATE users SET is_active = 0 WHERE email = 'disabled@example.com'",
    );
    register_from(&service, "198.51.100.1", "waiting@example.com", OTHER).await;
    service.mailbox.take();
    let (mut costs, mut sign_ins) = (Vec::new(), Vec::new());
    for (index, name) in ["proven", "unproven", "disabled", "unknown", "waiting"].into_iter().enumerate() {
        let (ip, email) = (format!("203.0.113.{index}"), format!("{name}@example.com"));
        let before = service.db.one::<i64>("SELECT total_changes()");
        let reply = register_from(&service, &ip, &email, OTHER).await;
        let rows = service.db.one::<i64>("SELECT total_changes()") - before;
        let flow = reply.body["flow"].as_str().unwrap().split_once('.').unwrap().1.len();
        costs.push((reply.body["message"].clone(), reply.headers.len(), flow, service.last_d1_calls(), rows));
        let sign_in = json!({"email": email, "password": OTHER});
        let mut answers = Vec::new();
        // A right password that is refused is no counted failure.
        for _ in 0..7 {
            let reply = service.post_from(&ip, "/auth/login", &sign_in).await;
            answers.push((reply.status, reply.body["error"].clone(), service.last_d1_calls()));
        }
        sign_ins.push(answers);
    }
    assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
    assert!(sign_ins.windows(2).all(|pair| pair[0] == pair[1]), "{sign_ins:?}");
    assert_eq!((sign_ins[0][0].0, sign_ins[0][6].0), (403, 403));
    let letters = service.mailbox.take();
    let told: Vec<_> =
        letters.iter().map(|letter| (letter.to(), letter.subject().split(' ').next().unwrap())).collect();
    let expected = [
        ("proven@example.com", "You"),
        ("unproven@example.com", "You"),
        ("unknown@example.com", "Confirm"),
        ("waiting@example.com", "Confirm"),
    ];
    assert_eq!(told, expected, "a disabled account gets none");
    assert_eq!(count(&service, "users"), 3);
}

/// A wrong password is compared with that of the account and with that of a registration, whether or not there are any.
#[tokio::test]
async fn every_wrong_password_is_the_same_work() {
    let service = with_accounts(&["account"]).await;
    register_from(&service, "198.51.100.1", "waiting@example.com", PASSWORD).await;
    for name in ["account", "waiting", "unknown"] {
        for (slots, status) in [(2, 401), (1, 503)] {
            leave_hash_slots(slots);
            service.login(&format!("{name}@example.com"), "a wrong password").await.expect(status);
        }
    }
    leave_hash_slots(u32::MAX);
}

/// No wait decides, because that of an account would tell.
#[tokio::test]
async fn a_hundred_guesses_at_a_registration_end_it() {
    let service = service();
    let (letter, flow) = register(&service, "192.0.2.1", PASSWORD).await;
    for _ in 0..100 {
        service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
        service.login(EMAIL, "a wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // The proof still makes the account.
    verify(&service, &json!({"flow": flow, "code": letter.code()})).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn beyond_the_limits_the_answer_is_the_same_and_no_row_is_kept() {
    let settings = [("EMAIL_VERIFICATION", "required"), ("RATE_LIMITING", "on"), ("REGISTRATIONS_PER_HOUR", "3")];
    let service = with(VERIFYING, &settings);
    let first = register_from(&service, "192.0.2.1", EMAIL, PASSWORD).await;
    let second = register_from(&service, "192.0.2.1", EMAIL, OTHER).await;
    assert_eq!(first.body["message"], second.body["message"]);
    let kept = ["registrations", "email_proofs"].map(|table| count(&service, table));
    assert_eq!((service.mailbox.take().len(), kept), (1, [1, 1]), "one mail a minute");
    register_from(&service, "192.0.2.1", "other@example.com", PASSWORD).await;
    let body = json!({"email": "third@example.com", "password": PASSWORD});
    service.post_from("192.0.2.1", "/auth/register", &body).await.expect_error(429, "RATE_LIMITED");
    assert_eq!(count(&service, "registrations"), 2);
}

/// "An account that registered under `required` and was never proven is removed after 7 days": it is no account.
#[tokio::test]
async fn a_registration_is_forgotten_after_a_week() {
    let service = service();
    let (letter, flow) = register(&service, "192.0.2.1", PASSWORD).await;
    service.advance(24 * 3600);
    verify(&service, &json!({"token": letter.token(), "flow": flow}))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let store = Store::new(service.db.clone(), service.gate());
    service.advance(6 * 24 * 3600 - 1);
    clean_up(&store, clock(), service.settings(), false).await.unwrap();
    service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    service.advance(1);
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let removed = clean_up(&store, clock(), service.settings(), false).await.unwrap();
    assert_eq!((removed.of("registrations"), count(&service, "registrations")), (1, 0));
}

/// With each batch that writes executed twice, because its first answer was lost.
#[tokio::test]
async fn a_lost_answer_changes_nothing() {
    let mut stored = Vec::new();
    for is_lossy in [false, true] {
        let db = Arc::new(Sqlite::migrated());
        let port: Arc<dyn Db> = if is_lossy { Arc::new(LostAnswers(Arc::clone(&db))) } else { db.clone() };
        let settings: Vec<_> = [("EMAIL_VERIFICATION", "required")].iter().chain(VERIFYING).copied().collect();
        let service = Service::on(db, port, &settings);
        draw_from(1);
        let (letter, flow) = register(&service, "192.0.2.1", PASSWORD).await;
        register_from(&service, "192.0.2.1", "other@example.com", PASSWORD).await;
        service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
        verify(&service, &json!({"flow": flow, "code": "1"})).await.expect(401);
        verify(&service, &json!({"flow": flow, "code": letter.code()})).await.expect(200);
        service.login(EMAIL, PASSWORD).await.expect(200);
        let tables = ["users", "sessions", "audit_events", "registrations", "email_proofs", "mail_counts", "mails"];
        let counts = "SELECT network, attempts FROM registration_counts";
        let rows = tables.map(|table| service.db.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2")));
        stored.push((rows, service.db.rows(counts)));
    }
    assert_eq!(stored[0], stored[1]);
}

/// A key outlives its session, so its owner's address is proven where addresses are verified.
#[tokio::test]
async fn keys_need_a_proven_address() {
    for (verification, status) in [("off", 201), ("optional", 403), ("required", 403)] {
        let service = with(VERIFYING, &[("EMAIL_VERIFICATION", "optional")]);
        let tokens = service.register(EMAIL).await;
        let service = Service::on(service.db.clone(), service.db.clone(), &{
            let mut settings = vec![("EMAIL_VERIFICATION", verification)];
            settings.extend(VERIFYING);
            settings
        });
        let key = json!({"name": "Key", "permissions": ["universities:view"]});
        let reply = service.call("POST", "/users/me/api-keys", &tokens.access, Some(&key)).await.expect(status);
        assert!(status == 201 || reply.body["error"]["code"] == "AUTH_EMAIL_NOT_VERIFIED");
        service.db.execute("UPDATE users SET email_verified_at = 1");
        service.call("POST", "/users/me/api-keys", &tokens.access, Some(&key)).await.expect(201);
    }
}

#[tokio::test]
async fn an_address_that_an_undo_reserves_gets_no_mail_and_no_account() {
    let service = service();
    service.db.execute(&format!(
        "INSERT INTO users (id, email, password_hash, created_at, email_verified_at) VALUES (1, 'next@example.com', 'x', 1, 1);
         INSERT INTO email_proofs (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at,
             code_expires_at)
         VALUES (1, 'undo', 1, '{EMAIL}', 0, 0, 1, {}, 1)",
        clock().plus_seconds(600).millis()
    ));
    let reply = register_from(&service, "192.0.2.1", EMAIL, PASSWORD).await;
    assert!(reply.body["flow"].is_string() && service.mailbox.take().is_empty(), "answered as for any other");
    service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    assert_eq!(count(&service, "users"), 1);
}
