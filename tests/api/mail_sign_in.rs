//! Sign-in by a mailed code: single use, few guesses, one answer for every address, and an emptied account where the address
//! was not proven.

use serde_json::{Value, json};

use crate::support::mail::{MAIL, ask, settle, with, wrong_code};
use crate::support::mailbox::Letter;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

const CODE: &str = "/auth/email/code";

fn service() -> Service {
    with(MAIL, &[("EMAIL_SIGN_IN", "on")])
}

fn proven(service: &Service) {
    service.db.execute("UPDATE users SET email_verified_at = 1");
}

async fn ask_for_code(service: &Service) -> (Letter, String) {
    let flow = ask(service, CODE, EMAIL).await;
    (service.mailbox.take_one(), flow)
}

async fn sign_in(service: &Service, flow: &str, code: &str) -> Reply {
    service.post("/auth/email/sign-in", &json!({"flow": flow, "code": code})).await
}

/// The claims of a token.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_mailed_code_signs_in_once() {
    let service = service();
    service.register(EMAIL).await;
    proven(&service);
    let (letter, flow) = ask_for_code(&service).await;
    assert_eq!((letter.to(), letter.subject()), (EMAIL, "Your sign-in code for edge-auth"));
    assert!(!letter.0["text"].as_str().unwrap().contains("http"), "it has no link");
    let reply = sign_in(&service, &flow, &letter.code()).await.expect(200);
    let members: Vec<_> = reply.body.as_object().unwrap().keys().cloned().collect();
    let login = service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(members, login.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    let tokens = reply.tokens();
    assert_eq!(claims(&tokens.access)["amr"], json!(["otp"]));
    assert_eq!(claims(&login.tokens().access)["amr"], json!(["pwd"]));
    let refreshed = service.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_eq!(claims(&refreshed.access)["amr"], json!(["otp"]), "a refresh keeps the method of the session");
    service.me(&refreshed.access).await.expect(200);
    sign_in(&service, &flow, &letter.code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let event: String = service.db.one("SELECT reason FROM audit_events WHERE type = 'signed_in' ORDER BY id LIMIT 1");
    assert_eq!(event, "mailed_code");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM mails"), 0);
}

/// The code opens a recent sign-in, so no password is asked for.
#[tokio::test]
async fn a_sign_in_by_code_is_a_recent_one() {
    let service = service();
    service.register(EMAIL).await;
    proven(&service);
    let (letter, flow) = ask_for_code(&service).await;
    let tokens = sign_in(&service, &flow, &letter.code()).await.expect(200).tokens();
    let key = json!({"name": "Key", "permissions": ["universities:view"]});
    service.call("POST", "/users/me/api-keys", &tokens.access, Some(&key)).await.expect(201);
}

#[tokio::test]
async fn five_wrong_codes_end_a_flow_and_ten_minutes_a_code() {
    let service = service();
    service.register(EMAIL).await;
    let (letter, flow) = ask_for_code(&service).await;
    let wrong = wrong_code(&letter.code());
    for _ in 0..5 {
        sign_in(&service, &flow, wrong).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    sign_in(&service, &flow, &letter.code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(60);
    let (letter, flow) = ask_for_code(&service).await;
    service.advance(599);
    let foreign = ask(&service, CODE, "other@example.com").await;
    sign_in(&service, &foreign, &letter.code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(1);
    sign_in(&service, &flow, &letter.code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// A reset's flow and code sign no user in, and those of a sign-in set no password. The link of the proof is in no mail.
#[tokio::test]
async fn a_proof_of_another_purpose_is_refused() {
    let service = service();
    service.register(EMAIL).await;
    let reset = ask(&service, "/auth/password/forgot", EMAIL).await;
    let code = service.mailbox.take_one().code();
    sign_in(&service, &reset, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let (letter, flow) = ask_for_code(&service).await;
    let body = json!({"flow": flow, "code": letter.code(), "new_password": "staple battery horse correct"});
    service.post("/auth/password/reset", &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let link = crate::support::mail::planted(&service.db, edge_auth::domain::mail::proof::Purpose::SignIn, EMAIL);
    for path in ["/auth/email/verify", "/auth/password/reset"] {
        let body = json!({"token": link, "password": PASSWORD, "new_password": "staple battery horse correct"});
        service.post(path, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    service.post("/auth/email/sign-in", &json!({"token": link})).await.expect(422);
}

/// The stranger that registered the address first has nothing left.
#[tokio::test]
async fn a_code_for_an_unproven_address_empties_the_account() {
    let service = service();
    let thief = service.register(EMAIL).await;
    service.call("PATCH", "/users/me", &thief.access, Some(&json!({"full_name": "The Thief"}))).await.expect(200);
    let made = json!({"name": "Key", "permissions": ["universities:view"]});
    let key = service.call("POST", "/users/me/api-keys", &thief.access, Some(&made)).await.expect(201).body;
    service.db.execute(
        "INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1);
         INSERT INTO throttles (key, tag, failures, blocked_until)
         VALUES ('user/1/known/00', 'device/0123456789abcdef0123456789abcdef', 3, 0)",
    );
    let pending = ask(&service, "/auth/password/forgot", EMAIL).await;
    let reset = service.mailbox.take_one().code();
    let (letter, flow) = ask_for_code(&service).await;
    let hash: String = service.db.one("SELECT password_hash FROM users");
    let owner = sign_in(&service, &flow, &letter.code()).await.expect(200).tokens();
    let me = service.me(&owner.access).await.expect(200).body;
    assert_eq!((&me["roles"], &me["email_verified"], &me["full_name"]), (&json!([]), &json!(true), &json!(null)));
    service.me(&thief.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(key["key"].as_str().unwrap()).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&thief.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let left: String = service.db.one("SELECT password_hash FROM users");
    let work = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
    assert!(left != hash && work(&left) == work(&hash), "as much work: {left}");
    let tags = service.db.rows("SELECT tag FROM throttles WHERE tag LIKE 'device/%'");
    assert!(tags.is_empty() && service.db.one::<bool>("SELECT registered_network IS NULL FROM users"));
    let pending = json!({"flow": pending, "code": reset, "new_password": "staple battery horse correct"});
    service.post("/auth/password/reset", &pending).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let reason: String = service.db.one("SELECT reason FROM audit_events WHERE type = 'email_verified'");
    assert_eq!(reason, "emptied");
}

#[tokio::test]
async fn a_code_leaves_a_proven_account_as_it_is() {
    let service = service();
    let tokens = service.register(EMAIL).await;
    proven(&service);
    service.db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)");
    let (letter, flow) = ask_for_code(&service).await;
    sign_in(&service, &flow, &letter.code()).await.expect(200);
    assert_eq!(service.me(&tokens.access).await.expect(200).body["roles"].as_array().unwrap().len(), 1);
    service.login(EMAIL, PASSWORD).await.expect(200);
}

/// Known, unknown, disabled and unproven addresses: the same answer, statements, rows and tasks.
#[tokio::test]
async fn asking_for_a_code_tells_nothing_about_the_address() {
    let service = service();
    for name in ["known", "unproven", "disabled"] {
        service.register(&format!("{name}@example.com")).await;
    }
    service.db.execute(
        "UPDATE users SET email_verified_at = 1 WHERE email = 'known@example.com';
         UPDATE users SET is_active = 0 WHERE email = 'disabled@example.com'",
    );
    let mut costs = Vec::new();
    for name in ["known", "unproven", "disabled", "unknown"] {
        let before = service.db.one::<i64>("SELECT total_changes()");
        let reply = service.post(CODE, &json!({"email": format!("{name}@example.com")})).await.expect(202);
        settle().await;
        let rows = service.db.one::<i64>("SELECT total_changes()") - before;
        costs.push((reply.body["message"].clone(), reply.headers.len(), service.last_d1_calls(), rows));
    }
    assert!(costs.windows(2).all(|pair| pair[0] == pair[1]), "{costs:?}");
    let to: Vec<_> = service.mailbox.take().iter().map(|letter| letter.to().to_owned()).collect();
    assert_eq!(to, ["known@example.com", "unproven@example.com"]);
}

/// An account that is disabled after the mail gets the answer of a wrong code.
#[tokio::test]
async fn a_disabled_account_is_not_told_apart() {
    let service = service();
    service.register(EMAIL).await;
    let (letter, flow) = ask_for_code(&service).await;
    service.db.execute("UPDATE users SET is_active = 0");
    sign_in(&service, &flow, &letter.code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// Wrong passwords of strangers close the door of passwords, and not that of codes. Their requests for codes use up none of
/// the owner's, whose network is known.
#[tokio::test]
async fn strangers_do_not_keep_the_owner_out() {
    let service = service();
    service.post_from("192.0.2.7", "/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(201);
    proven(&service);
    service.db.execute(
        "INSERT INTO throttles (key, failures, recent_failures, failed_at, blocked_until, closed_until)
         VALUES ('user/1/unknown/00', 100, 100, 1800000000000, 1900000000000, 1900000000000)",
    );
    for network in 0..22 {
        service.post_from(&format!("198.51.{network}.1"), CODE, &json!({"email": EMAIL})).await.expect(202);
    }
    settle().await;
    assert_eq!(service.mailbox.take().len(), 20, "a day's mails for all unknown networks");
    let flow = service.post_from("192.0.2.7", CODE, &json!({"email": EMAIL})).await.expect(202).body["flow"].clone();
    settle().await;
    let code = service.mailbox.take_one().code();
    let body = json!({"flow": flow, "code": code});
    service.post_from("203.0.113.9", "/auth/email/sign-in", &body).await.expect(200);
    let known = "SELECT count(*) FROM throttles WHERE key LIKE 'user/1/known/%' AND tag LIKE 'network/%'";
    assert_eq!(service.db.one::<i64>(known), 1, "the network of the code is known now");
}

#[tokio::test]
async fn unless_it_is_on_the_operations_do_not_exist() {
    for settings in [MAIL, &[]] {
        let service = with(settings, &[]);
        service.post(CODE, &json!({"email": EMAIL})).await.expect_error(404, "NOT_FOUND");
        let body = json!({"flow": "1.a", "code": "12345678"});
        service.post("/auth/email/sign-in", &body).await.expect_error(404, "NOT_FOUND");
    }
}
