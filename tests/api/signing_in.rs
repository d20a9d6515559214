//! `POST /auth/login`.

use serde_json::json;

use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service};

#[tokio::test]
async fn the_right_password_starts_a_session_of_its_own() {
    let service = Service::new();
    service.register(EMAIL).await;
    let reply = service.login("  ADA@example.com ", PASSWORD).await.expect(200);
    assert_eq!(reply.body["token_type"], "bearer");
    assert_eq!(reply.body["expires_in"], 900);
    assert_eq!(service.last_d1_calls(), 2);
    service.me(&reply.tokens().access).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 2);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_the_same_answer() {
    let service = Service::new();
    service.register(EMAIL).await;
    let mut answers = Vec::new();
    for (email, password) in [(EMAIL, "wrong password"), ("nobody@example.com", PASSWORD), (EMAIL, "")] {
        let reply = service.login(email, password).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(service.last_d1_calls(), 2);
        let mut headers = reply.headers.clone();
        headers.remove("x-request-id");
        answers.push((headers, reply.body["error"].clone()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert!(answers[0].0.get("www-authenticate").is_none(), "login takes no access token");
}

#[tokio::test]
async fn equivalent_spellings_of_a_password_sign_in() {
    let service = Service::new();
    let composed = "Crème brûlée ①";
    service.post("/auth/register", &json!({"email": EMAIL, "password": composed})).await.expect(201);
    service.login(EMAIL, "Cre\u{300}me bru\u{302}le\u{301}e 1").await.expect(200);
    service.login(EMAIL, "creme brulee 1").await.expect(401);
}

#[tokio::test]
async fn a_disabled_account_is_told_only_to_who_knows_its_password() {
    let service = Service::new();
    service.register(EMAIL).await;
    service.db.execute("UPDATE users SET is_active = 0");
    service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_INACTIVE_USER");
    service.login(EMAIL, "wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1);
}

#[tokio::test]
async fn a_hash_of_fewer_rounds_is_replaced_at_the_next_login() {
    let db = std::sync::Arc::new(Sqlite::migrated());
    let rounds = |db: &Sqlite| db.one::<String>("SELECT substr(password_hash, 1, 22) FROM users");
    {
        let old = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "10")]);
        old.register(EMAIL).await;
    }
    let service = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "50")]);
    service.login(EMAIL, "wrong password").await.expect(401);
    assert!(rounds(&db).starts_with("$pbkdf2-sha256$i=10,"), "a wrong password replaces nothing");
    service.login(EMAIL, PASSWORD).await.expect(200);
    assert!(rounds(&db).starts_with("$pbkdf2-sha256$i=50,"));
    assert_eq!(service.last_d1_calls(), 3, "once, for the upgrade");
    service.login(EMAIL, PASSWORD).await.expect(200);
    let upgrades: Vec<_> = service.logs("Signed in").iter().map(|line| line["hash_upgraded"].clone()).collect();
    assert_eq!(upgrades, [true, false]);
}

#[tokio::test]
async fn a_hash_of_more_rounds_than_configured_stays() {
    let db = std::sync::Arc::new(Sqlite::migrated());
    {
        let old = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "50")]);
        old.register(EMAIL).await;
    }
    let service = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "10")]);
    service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT password_hash LIKE '%i=50,%' FROM users"), 1);
}

#[tokio::test]
async fn every_fault_of_the_body_is_listed_and_no_policy_applies_to_the_password() {
    let service = Service::new();
    let reply = service.post("/auth/login", &json!({"email": "nobody", "password": 7})).await.expect(422);
    let expected =
        [("email".to_owned(), "value_error.email".to_owned()), ("password".to_owned(), "type_error".to_owned())];
    assert_eq!(reply.faults(), expected);
    service.login(EMAIL, &"x".repeat(1000)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}
