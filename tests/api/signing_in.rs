//! `POST /auth/login`.

use serde_json::json;

use crate::support::mail::settle;
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service};

#[tokio::test]
async fn each_sign_in_starts_a_new_session() {
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
async fn a_wrong_password_and_an_unknown_address_get_the_same_reply() {
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
    assert_eq!(answers[0].0["www-authenticate"], "Bearer realm=\"edge-auth\"", "a wrong password is no token");
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
async fn a_disabled_account_is_revealed_only_with_the_right_password() {
    let service = Service::new();
    service.register(EMAIL).await;
    service.db.execute("UPDATE users SET is_active = 0");
    service.login(EMAIL, PASSWORD).await.expect_error(403, "AUTH_INACTIVE_USER");
    service.login(EMAIL, "wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1);
}

#[tokio::test]
async fn a_hash_with_fewer_rounds_is_upgraded_at_the_next_sign_in() {
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
    assert_eq!(service.last_d1_calls(), 2, "the response does not wait for the upgrade");
    settle().await;
    assert!(rounds(&db).starts_with("$pbkdf2-sha256$i=50,"));
    service.login(EMAIL, PASSWORD).await.expect(200);
    let upgrades: Vec<_> = service.logs("Signed in").iter().map(|line| line["hash_upgraded"].clone()).collect();
    assert_eq!(upgrades, [true, false]);
}

#[tokio::test]
async fn a_hash_with_more_rounds_than_configured_is_kept() {
    let db = std::sync::Arc::new(Sqlite::migrated());
    {
        let old = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "50")]);
        old.register(EMAIL).await;
    }
    let service = Service::on(db.clone(), db.clone(), &[("PASSWORD_ITERATIONS", "10")]);
    service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT password_hash LIKE '%i=50,%' FROM users"), 1);
}

/// The stored hash up to and including its parameters.
fn stored(db: &Sqlite) -> String {
    let hash = db.one::<String>("SELECT password_hash FROM users");
    hash[..hash.rmatch_indices('$').nth(1).unwrap().0].to_owned()
}

const ARGON2ID: &str = "$argon2id$v=19$m=19456,t=2,p=1";

#[tokio::test]
async fn a_hash_of_the_other_function_verifies_and_is_replaced_at_the_next_sign_in() {
    let settings = |function| [("PASSWORD_HASH", function), ("PASSWORD_ITERATIONS", "10")];
    let pbkdf2 = ("pbkdf2-sha256", "$pbkdf2-sha256$i=10,l=32");
    let argon2id = ("argon2id", ARGON2ID);
    for ((before, old), (after, new)) in [(pbkdf2, argon2id), (argon2id, pbkdf2)] {
        let db = std::sync::Arc::new(Sqlite::migrated());
        Service::on(db.clone(), db.clone(), &settings(before)).register(EMAIL).await;
        assert_eq!(stored(&db), old);
        let service = Service::on(db.clone(), db.clone(), &settings(after));
        service.login(EMAIL, "wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!((stored(&db).as_str(), service.last_d1_calls()), (old, 2), "a wrong password replaces nothing");
        service.login(EMAIL, PASSWORD).await.expect(200);
        assert_eq!(
            (stored(&db).as_str(), service.last_d1_calls()),
            (old, 2),
            "the response does not wait for the upgrade"
        );
        settle().await;
        assert_eq!(stored(&db), new);
        service.login(EMAIL, PASSWORD).await.expect(200);
        service.login(EMAIL, "wrong password").await.expect(401);
        let upgrades: Vec<_> = service.logs("Signed in").iter().map(|line| line["hash_upgraded"].clone()).collect();
        assert_eq!(upgrades, [true, false]);
    }
}

#[tokio::test]
async fn a_weaker_argon2id_hash_is_replaced_and_a_stronger_one_kept() {
    let service = Service::with(&[("PASSWORD_HASH", "argon2id")]);
    service.register(EMAIL).await;
    // "password" under "somesalt", of the reference implementation.
    let weaker = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
    let stronger = "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg";
    for (hash, after) in [(weaker, ARGON2ID), (stronger, "$argon2id$v=19$m=65536,t=1,p=1")] {
        service.db.execute(&format!("UPDATE users SET password_hash = '{hash}'"));
        service.login(EMAIL, "passwort").await.expect(401);
        service.login(EMAIL, "password").await.expect(200);
        settle().await;
        assert_eq!(stored(&service.db), after);
        service.login(EMAIL, "password").await.expect(200);
    }
}

#[tokio::test]
async fn a_refusal_does_not_depend_on_the_stored_or_configured_hash_function() {
    let pbkdf2 = "$pbkdf2-sha256$i=10,l=32$c2FsdC1vZi10aGUtdGVzdA$dA4YaBnakANOrNEvFi1MRZTpAzd+BV0qvIsp7vunnR8";
    let argon2id = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let mut answers = Vec::new();
    for wanted in ["pbkdf2-sha256", "argon2id"] {
        let service = Service::with(&[("PASSWORD_HASH", wanted)]);
        service.register(EMAIL).await;
        for hash in [pbkdf2, argon2id] {
            let throttled = "INSERT INTO throttles (key, failures, blocked_until)
                 VALUES ('user/1/unknown/00', 6, 9007199254740991);
                 UPDATE throttles SET closed_until = 9007199254740991";
            for state in ["", "UPDATE users SET is_active = 0", throttled] {
                let set = format!("UPDATE users SET is_active = 1, password_hash = '{hash}'");
                service.db.execute(&format!("{set}; DELETE FROM throttles; {state}"));
                let reply = service.login(EMAIL, "wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
                assert_eq!(service.last_d1_calls(), 2);
                answers.push(reply.body["error"].clone());
            }
        }
        let unknown = service.login("nobody@example.com", PASSWORD).await.expect(401);
        answers.push(unknown.body["error"].clone());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
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
