//! A user's own account: profile, password change, export and deletion.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service, Tokens};

const NEW_PASSWORD: &str = "an entirely new passphrase";

async fn change_password(service: &Service, tokens: &Tokens, current: &str, new: &str) -> crate::support::Reply {
    let body = json!({"current_password": current, "new_password": new});
    service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await
}

#[tokio::test]
async fn the_full_name_can_be_set_cleared_or_left_unchanged() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let steps = [
        (json!({"full_name": " Ada King "}), json!("Ada King")),
        (json!({}), json!("Ada King")),
        (json!({"full_name": null}), json!(null)),
        (json!({"full_name": "Ada", "id": 7, "email": "eve@example.com", "is_active": false}), json!("Ada")),
        (json!({"full_name": "  "}), json!(null)),
    ];
    for (body, name) in steps {
        let reply = service.call("PATCH", "/users/me", &tokens.access, Some(&body)).await.expect(200);
        assert_eq!(reply.body["full_name"], name, "{body}");
        assert_eq!(service.me(&tokens.access).await.body, reply.body);
        assert_eq!((&reply.body["id"], &reply.body["email"]), (&json!(1), &json!(EMAIL)));
    }
    let wrong = json!({"full_name": "a\nb"});
    let reply = service.call("PATCH", "/users/me", &tokens.access, Some(&wrong)).await.expect(422);
    assert_eq!(reply.faults(), [("full_name".to_owned(), "value_error".to_owned())]);
}

#[tokio::test]
async fn a_password_change_ends_all_other_sessions() {
    let service = Service::new();
    let other = service.register(EMAIL).await;
    let mine = service.login(EMAIL, PASSWORD).await.tokens();
    change_password(&service, &mine, PASSWORD, NEW_PASSWORD).await.expect(200);
    assert_eq!(service.last_d1_calls(), 2);
    service.me(&other.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&other.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&mine.access).await.expect(200);
    service.refresh(&mine.refresh).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(EMAIL, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_password_change_verifies_the_stored_hash_and_writes_the_configured_function() {
    let kinds = [("argon2id", "$argon2id$v=19$m=19456,t=2,p=1$"), ("pbkdf2-sha256", "$pbkdf2-sha256$i=10,l=32$")];
    for ((before, old), (after, new)) in [(kinds[0], kinds[1]), (kinds[1], kinds[0])] {
        let db = Arc::new(Sqlite::migrated());
        let hash = |prefix: &str| assert!(db.one::<String>("SELECT password_hash FROM users").starts_with(prefix));
        let tokens = Service::on(db.clone(), db.clone(), &[("PASSWORD_HASH", before)]).register(EMAIL).await;
        let service = Service::on(db.clone(), db.clone(), &[("PASSWORD_HASH", after)]);
        change_password(&service, &tokens, "wrong", NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        hash(old);
        change_password(&service, &tokens, PASSWORD, NEW_PASSWORD).await.expect(200);
        assert_eq!(service.last_d1_calls(), 2);
        hash(new);
        let body = json!({"password": NEW_PASSWORD});
        service.call("DELETE", "/users/me", &tokens.access, Some(&body)).await.expect(204);
    }
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let other = service.login(EMAIL, PASSWORD).await.tokens();
    change_password(&service, &tokens, "wrong", NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.me(&other.access).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn password_change_and_registration_share_the_password_rules() {
    let service = Service::new();
    let tokens = service.register("ada.lovelace@example.com").await;
    let cases = [
        ("short", "string_too_short"),
        ("password123", "password_common"),
        ("PassWord123", "password_common"),
        ("ｐａｓｓｗｏｒｄ１２３", "password_common"),
        ("Ada.Lovelace1", "password_common"),
        ("ada.lovelace@example.com", "password_common"),
        ("edge-auth2026", "password_common"),
    ];
    for (password, kind) in cases {
        let reply = change_password(&service, &tokens, PASSWORD, password).await.expect(422);
        assert_eq!(reply.faults(), [("new_password".to_owned(), kind.to_owned())], "{password}");
        let body = json!({"email": "ada.lovelace@example.com", "password": password});
        let reply = service.post("/auth/register", &body).await.expect(422);
        assert_eq!(reply.faults(), [("password".to_owned(), kind.to_owned())], "{password}");
    }
    let reply = service.call("PUT", "/users/me/password", &tokens.access, Some(&json!({"new_password": 1}))).await;
    assert_eq!(reply.expect(422).faults().len(), 2, "every fault is listed");
}

#[tokio::test]
async fn a_common_password_and_an_invalid_address_are_both_reported() {
    let service = Service::new();
    let reply = service.post("/auth/register", &json!({"email": "nobody", "password": "password123"})).await;
    let faults = reply.expect(422).faults();
    let expected = [("email", "value_error.email"), ("password", "password_common")];
    assert_eq!(faults, expected.map(|(member, kind)| (member.to_owned(), kind.to_owned())));
}

#[tokio::test]
async fn a_deleted_account_leaves_only_its_id_in_the_audit_log() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let body = json!({"refresh_token": tokens.refresh});
    let tokens = service.post_from("192.0.2.77", "/auth/refresh", &body).await.tokens();
    service.call("PATCH", "/users/me", &tokens.access, Some(&json!({"full_name": "Ada King"}))).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect(200);
    service.delete_account(&tokens.access).await;
    assert_eq!(service.last_d1_calls(), 2);
    for table in ["users", "sessions", "refresh_tokens"] {
        assert_eq!(service.db.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    let events = service.db.rows("SELECT * FROM audit_events");
    assert!(events.len() >= 4 && events.iter().all(|event| event["user_id"] == 1), "{events:?}");
    let text = serde_json::to_string(&events).unwrap();
    for personal in ["192.0.2.77", EMAIL, "Ada", "pbkdf2"] {
        assert!(!text.contains(personal), "{personal}");
    }
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let again = service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(201);
    assert_eq!(again.body["id"], 2);
}

#[tokio::test]
async fn a_wrong_password_deletes_nothing() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let wrong = json!({"password": "wrong"});
    service.call("DELETE", "/users/me", &tokens.access, Some(&wrong)).await.expect(401);
    // Without a password the sign-in must be a recent one.
    service.advance(601);
    for body in [Some(json!({})), Some(json!({"password": null})), None] {
        let refused = service.call("DELETE", "/users/me", &tokens.access, body.as_ref()).await;
        refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    }
    service.me(&tokens.access).await.expect(200);
}

#[tokio::test]
async fn a_recent_sign_in_stands_for_the_password() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.advance(600);
    service.call("DELETE", "/users/me", &tokens.access, None).await.expect(204);
    service.login(EMAIL, PASSWORD).await.expect(401);
}

#[tokio::test]
async fn an_account_without_a_password_sets_one_with_a_recent_sign_in() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let body = json!({"new_password": "another correct horse"});
    let refused = service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await.expect(422);
    assert_eq!(refused.faults(), [("current_password".to_owned(), "missing".to_owned())]);
    service.db.execute("UPDATE users SET has_password = 0");
    service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await.expect(200);
    service.login(EMAIL, "another correct horse").await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT has_password FROM users"), 1);
}

#[tokio::test]
async fn an_export_holds_the_stored_data_and_no_secret() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.register("eve@example.com").await;
    service.login(EMAIL, "wrong").await.expect(401);
    let reply = service.get_as("/users/me/export", &tokens.access).await.expect(200);
    assert_eq!(service.last_d1_calls(), 2);
    assert_eq!(reply.body["user"], service.me(&tokens.access).await.body);
    assert_eq!(reply.body["sessions"].as_array().unwrap().len(), 1);
    let events = reply.body["audit_events"].as_array().unwrap();
    // Counted refusals are at the beginning of their hour.
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["registered", "sign_in_refused"]);
    assert_eq!(reply.body["next_cursor"], Value::Null);
    for secret in ["pbkdf2", &tokens.refresh, &tokens.access, "password_hash"] {
        assert!(!reply.text.contains(secret));
    }
}

/// The rows with the longest values that the service stores, as many as fit on the first page.
#[tokio::test]
async fn the_largest_page_of_an_export_is_half_a_megabyte() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let agent = "\u{1f600}".repeat(256);
    let address = "2001:db8:1111:2222:3333:4444:5555:6666";
    service.db.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, ip, user_agent)
         SELECT 9007199254740000 - i, 1, 1, 1, 1900000000000, '{address}', '{agent}' FROM n;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
         SELECT i, 'password_change_refused', 'wrong_password', 1, 9007199254740991, '{address}', '{agent}', printf('%0128d', i)
         FROM n;
         INSERT INTO universities (name, slug, created_at) VALUES ('N', 'n', 1);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO courses (id, university_id, title, code, is_public, created_at)
         SELECT 999999999990000 + i, 1, 'T', 'C' || i, 1, 1 FROM n;
         INSERT INTO enrollments (course_id, user_id, created_at) SELECT id, 1, 1 FROM courses",
    ));
    let page = service.get_as("/users/me/export", &tokens.access).await.expect(200);
    assert_eq!(page.body["audit_events"].as_array().unwrap().len(), 250);
    assert_eq!(page.body["sessions"].as_array().unwrap().len(), 100);
    assert!((400_000..550_000).contains(&page.text.len()), "{} bytes", page.text.len());
}

#[tokio::test]
async fn a_long_export_is_paged_without_gaps_or_duplicates() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let eve = service.register("eve@example.com").await;
    service.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO audit_events (created_at, type, user_id, request_id)
         SELECT i, 'signed_out', 1 + i % 2, 'r' || i FROM n",
    );
    let expected: i64 = service.db.one("SELECT count(*) FROM audit_events WHERE user_id = 1");
    let mut ids = Vec::new();
    let mut path = "/users/me/export".to_owned();
    loop {
        let reply = service.get_as(&path, &tokens.access).await.expect(200);
        let events = reply.body["audit_events"].as_array().unwrap();
        assert!(events.len() <= 250);
        ids.extend(events.iter().map(|event| event["id"].as_i64().unwrap()));
        let Some(cursor) = reply.body["next_cursor"].as_str() else { break };
        path = format!("/users/me/export?cursor={cursor}");
    }
    assert!(ids.windows(2).all(|pair| pair[0] > pair[1]));
    let listed = i64::try_from(ids.len()).unwrap();
    assert_eq!(listed, expected + 1, "the later pages have the event of the first one, behind the others of its hour");
    // A cursor is a position, not a capability: with Ada's cursor Eve sees her own events.
    let reply = service.get_as(&path, &eve.access).await.expect(200);
    let requests = reply.body["audit_events"].as_array().unwrap();
    let is_eves = |event: &Value| event["request_id"].as_str().unwrap()[1..].parse::<i64>().unwrap() % 2 == 1;
    assert!(!requests.is_empty() && requests.iter().filter(|event| event["type"] == "signed_out").all(is_eves));
    for cursor in ["", "0", "-1", "x", "9007199254740993", "1%20", "5-", "0-5", "5-05", "5-5-5"] {
        let reply = service.get_as(&format!("/users/me/export?cursor={cursor}"), &tokens.access).await.expect(422);
        assert_eq!(reply.body["error"]["details"]["errors"][0]["loc"], json!(["query", "cursor"]), "{cursor}");
    }
}
