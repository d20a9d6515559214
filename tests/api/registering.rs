//! `POST /auth/register`.

use serde_json::json;

use crate::support::{EMAIL, PASSWORD, START, Service};

#[tokio::test]
async fn registering_creates_a_user_and_signs_them_in() {
    let service = Service::new();
    let body = json!({"email": "  Ada@Example.COM ", "password": PASSWORD, "full_name": " Ada Lovelace "});
    let reply = service.post("/auth/register", &body).await.expect(201);
    assert_eq!(reply.body["id"], 1);
    assert_eq!(reply.body["email"], EMAIL);
    assert_eq!(reply.body["full_name"], "Ada Lovelace");
    assert_eq!(reply.body["is_active"], true);
    assert_eq!(reply.body["created_at"], START.rfc3339());
    assert_eq!(reply.body["token_type"], "bearer");
    assert_eq!(reply.body["expires_in"], 900);
    assert_eq!(service.last_d1_calls(), 1);
    let me = service.me(&reply.tokens().access).await.expect(200);
    assert_eq!(me.body["email"], EMAIL);
    service.refresh(&reply.tokens().refresh).await.expect(200);
}

#[tokio::test]
async fn the_full_name_may_be_absent_null_or_blank() {
    let service = Service::new();
    let bodies = [
        json!({"email": "a@example.com", "password": PASSWORD}),
        json!({"email": "b@example.com", "password": PASSWORD, "full_name": null}),
        json!({"email": "c@example.com", "password": PASSWORD, "full_name": "   "}),
    ];
    for body in bodies {
        let reply = service.post("/auth/register", &body).await.expect(201);
        assert!(reply.body["full_name"].is_null(), "{body}");
    }
}

#[tokio::test]
async fn an_address_is_taken_regardless_of_case() {
    let service = Service::new();
    service.register(EMAIL).await;
    for email in [EMAIL, "ADA@EXAMPLE.COM", " ada@example.com\t"] {
        let reply = service.post("/auth/register", &json!({"email": email, "password": "another password"})).await;
        let reply = reply.expect_error(409, "CONFLICT");
        assert_eq!(reply.body["error"]["message"], "Email is already registered");
        assert_eq!(service.last_d1_calls(), 1);
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 1);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1, "a refused registration writes nothing");
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn all_spellings_of_a_mailbox_are_one_account() {
    let service = Service::new();
    service.register("ada@bücher.example").await;
    for email in ["ada@xn--bcher-kva.example", "Ada@BÜCHER.example", "ada@bu\u{308}cher.example"] {
        let reply = service.post("/auth/register", &json!({"email": email, "password": "another password"})).await;
        reply.expect_error(409, "CONFLICT");
        service.login(email, PASSWORD).await.expect(200);
    }
    let reply = service.post("/auth/register", &json!({"email": "संपर्क@डाटामेल.भारत", "password": PASSWORD})).await;
    assert_eq!(reply.expect(201).body["email"], "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c");
    service.login("संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn privileged_and_unknown_members_have_no_effect() {
    let service = Service::new();
    let body = json!({
        "email": EMAIL, "password": PASSWORD, "id": 99, "is_active": false, "roles": [{"role": "PLATFORM_ADMIN"}],
        "created_at": "1970-01-01T00:00:00Z", "password_hash": "x", "unknown": {"deep": [1, 2]},
    });
    let reply = service.post("/auth/register", &body).await.expect(201);
    assert_eq!(reply.body["id"], 1);
    assert_eq!(reply.body["is_active"], true);
    assert_eq!(reply.body["created_at"], START.rfc3339());
    let me = service.me(&reply.tokens().access).await.expect(200);
    assert_eq!(me.body["roles"], json!([]));
}

#[tokio::test]
async fn the_stored_hash_is_a_salted_phc_string_of_the_configured_function() {
    let kinds = [
        (("PASSWORD_ITERATIONS", "321"), "$pbkdf2-sha256$i=321,l=32$"),
        (("PASSWORD_HASH", "argon2id"), "$argon2id$v=19$m=19456,t=2,p=1$"),
    ];
    for (setting, prefix) in kinds {
        let service = Service::with(&[setting]);
        service.register("a@example.com").await;
        service.register("b@example.com").await;
        let rows = service.db.rows("SELECT password_hash FROM users");
        for row in &rows {
            let hash = row["password_hash"].as_str().unwrap().strip_prefix(prefix).unwrap();
            assert_eq!(hash.split('$').map(str::len).collect::<Vec<_>>(), [22, 43], "16 and 32 bytes in Base64");
        }
        assert_ne!(rows[0], rows[1], "the same password twice is stored differently");
    }
}

#[tokio::test]
async fn the_database_holds_no_usable_credential() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let newer = service.refresh(&tokens.refresh).await.expect(200).tokens();
    let everything = ["users", "sessions", "refresh_tokens"]
        .map(|table| serde_json::to_string(&service.db.rows(&format!("SELECT * FROM {table}"))).unwrap())
        .join("\n");
    for token in [&tokens.access, &tokens.refresh, &newer.access, &newer.refresh] {
        let signature = token.rsplit_once('.').unwrap().1;
        assert!(!everything.contains(token.as_str()) && !everything.contains(signature));
    }
    assert!(!everything.contains(PASSWORD));
}

#[tokio::test]
async fn every_fault_of_the_body_is_listed() {
    let service = Service::new();
    let cases = [
        (json!({}), vec![("email", "missing"), ("password", "missing")]),
        (
            json!({"email": "nobody", "password": "short", "full_name": "a\nb"}),
            vec![("email", "value_error.email"), ("password", "string_too_short"), ("full_name", "value_error")],
        ),
        (
            json!({"email": 1, "password": ["x"], "full_name": {}}),
            vec![("email", "type_error"), ("password", "type_error"), ("full_name", "type_error")],
        ),
        (
            json!({"email": "a".repeat(255), "password": "x".repeat(129), "full_name": "x".repeat(201)}),
            vec![("email", "string_too_long"), ("password", "string_too_long"), ("full_name", "string_too_long")],
        ),
        (json!({"email": null, "password": null}), vec![("email", "type_error"), ("password", "type_error")]),
    ];
    for (body, expected) in cases {
        let reply = service.post("/auth/register", &body).await.expect_error(422, "VALIDATION_ERROR");
        let expected: Vec<_> = expected.into_iter().map(|(loc, kind)| (loc.to_owned(), kind.to_owned())).collect();
        assert_eq!(reply.faults(), expected, "{body}");
        assert_eq!(service.last_d1_calls(), 0);
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 0);
}

#[tokio::test]
async fn an_address_too_long_after_normalisation_is_a_validation_error() {
    let service = Service::new();
    let domain = format!("{}.{}.{}.{}.com", "d".repeat(58), "d".repeat(58), "d".repeat(58), "d".repeat(52));
    let email = format!("{}@{domain}", "\u{f73}".repeat(11));
    let reply = service.post("/auth/register", &json!({"email": email, "password": PASSWORD})).await.expect(422);
    assert_eq!(reply.faults(), [("email".to_owned(), "string_too_long".to_owned())]);
}

#[tokio::test]
async fn the_minimum_password_length_is_configurable() {
    let service = Service::with(&[("PASSWORD_MIN_LENGTH", "12")]);
    let reply = service.post("/auth/register", &json!({"email": EMAIL, "password": "elevenchars"})).await;
    assert_eq!(reply.expect(422).faults(), [("password".to_owned(), "string_too_short".to_owned())]);
    service.post("/auth/register", &json!({"email": EMAIL, "password": "twelve chars"})).await.expect(201);
}
