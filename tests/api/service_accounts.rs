//! Service accounts: the operations that their scopes open, their keys, and every way in which access ends.

use serde_json::{Value, json};

use crate::support::world::{Person, Visitor, World};

const PEOPLE: [Person; 4] =
    [("root", "PLATFORM_ADMIN"), ("second", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("bob", "")];

/// The account of the response, and the text of its first key.
pub async fn add(root: &Visitor<'_>, scopes: &[&str]) -> (Value, String) {
    let body = json!({"name": "Gateway", "scopes": scopes});
    let mut made = root.ask(&format!("POST /admin/service-accounts {body}")).await.expect(201).body;
    let key = made.as_object_mut().unwrap().remove("key").unwrap();
    (made, key.as_str().unwrap().to_owned())
}

fn path(account: &Value) -> String {
    format!("/admin/service-accounts/{}", account["id"])
}

/// Type, reason and object of the events about service accounts, in their order.
fn events(world: &World) -> Vec<(String, String, i64)> {
    let sql = "SELECT type, reason, object_id FROM audit_events WHERE type LIKE 'service_account_%' AND actor_id = 1";
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = world.service.db.rows(&format!("{sql} ORDER BY id"));
    rows.iter().map(|row| (text(&row["type"]), text(&row["reason"]), row["object_id"].as_i64().unwrap())).collect()
}

#[tokio::test]
async fn an_account_is_made_listed_changed_and_deleted_with_events() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (account, _) = add(&root, &["users:read", "introspect"]).await;
    assert_eq!(account["scopes"], json!(["introspect", "users:read"]), "in the order of the list");
    assert!(account["client_id"].as_str().unwrap().starts_with("sa_") && account["is_active"] == true);
    assert_eq!(root.ask(&format!("GET {}", path(&account))).await.expect(200).body, account);
    assert_eq!(root.all("/admin/service-accounts").await.last(), Some(&account));
    let change = r#"{"name": "Renamed", "scopes": [], "is_active": false}"#;
    for _ in 0..2 {
        let changed = root.ask(&format!("PATCH {} {change}", path(&account))).await.expect(200).body;
        assert_eq!(
            (&changed["name"], &changed["scopes"], &changed["is_active"]),
            (&json!("Renamed"), &json!([]), &json!(false))
        );
    }
    let made = root.ask(&format!("POST {}/keys", path(&account))).await.expect(201).body;
    root.ask(&format!("DELETE {}/keys/{}", path(&account), made["id"])).await.expect(204);
    root.ask(&format!("DELETE {}", path(&account))).await.expect(204);
    root.ask(&format!("GET {}", path(&account))).await.expect_error(404, "NOT_FOUND");
    let (client, id, key) =
        (account["client_id"].as_str().unwrap(), account["id"].as_i64().unwrap(), made["id"].as_i64().unwrap());
    let expected = [
        ("service_account_created", id),
        ("service_account_changed", id),
        ("service_account_key_created", key),
        ("service_account_key_withdrawn", key),
        ("service_account_deleted", id),
    ];
    let expected = expected.map(|(kind, object)| (kind.to_owned(), client.to_owned(), object));
    assert_eq!(events(&world), expected, "a change to the present values is none");
    let keys = "SELECT count(*) FROM api_keys WHERE service_account_id <> 1";
    assert_eq!(world.service.db.one::<i64>(keys), 0, "the keys go with their account");
}

#[tokio::test]
async fn each_scope_opens_its_operations_in_one_round_trip_and_no_others() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let check = r#"POST /authz/check {"user_id": 3, "permission": "platform:administer"}"#;
    let open: [(&str, &[&str]); 7] = [
        ("users:read", &["GET /admin/users", "GET /admin/users?email=bob@example.com", "GET /admin/users/3"]),
        ("audit:read", &["GET /admin/audit-events", "GET /admin/audit-events?type=signed_in"]),
        ("authz:check", &[check]),
        ("introspect", &[]),
        ("users:import", &[]),
        ("roles:grant", &[]),
        ("client-address", &[]),
    ];
    for (scope, _) in open {
        let (_, key) = add(&root, &[scope]).await;
        let service = world.with_token(&key);
        for (other, requests) in open {
            for request in requests {
                let reply = service.ask(request).await;
                if scope == other {
                    let body = reply.expect(200).body;
                    assert!(body["items"].as_array().is_none_or(|items| !items.is_empty()), "{request}");
                    assert_eq!(world.service.last_d1_calls(), 1 + u64::from(request == &check), "{request}");
                } else {
                    reply.expect_error(403, "FORBIDDEN");
                    assert_eq!(world.service.last_d1_calls(), 1, "{request}");
                }
            }
        }
    }
}

/// An account reads the same rows as an administrator.
#[tokio::test]
async fn an_account_reads_users_and_their_roles() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (_, key) = add(&root, &["users:read"]).await;
    let service = world.with_token(&key);
    for path in ["/admin/users", "/admin/users?is_active=true", "/admin/users?is_active=false", "/admin/users/3"] {
        let request = format!("GET {path}");
        assert_eq!(service.ask(&request).await.expect(200).body, root.ask(&request).await.expect(200).body, "{path}");
    }
    service.ask("GET /admin/users/99").await.expect_error(404, "NOT_FOUND");
    service.ask("GET /admin/users/3/sessions").await.expect_error(403, "FORBIDDEN");
    service.ask(r#"PATCH /admin/users/3 {"is_active": false}"#).await.expect_error(403, "FORBIDDEN");
    service.ask("GET /admin/users?limit=0").await.expect_error(422, "VALIDATION_ERROR");
}

#[tokio::test]
async fn a_check_names_any_user_and_must_name_one() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (_, key) = add(&root, &["authz:check"]).await;
    let service = world.with_token(&key);
    let check = async |members: &str| {
        service.ask(&format!(r#"POST /authz/check {{"permission": "departments:manage"{members}}}"#)).await
    };
    let allowed = async |members: &str| check(members).await.expect(200).body["allowed"].as_bool().unwrap();
    assert!(allowed(r#", "university_id": 1, "user_id": 3"#).await);
    assert!(allowed(r#", "department_id": 1, "user_id": 1"#).await);
    assert!(!allowed(r#", "university_id": 2, "user_id": 3"#).await);
    assert!(!allowed(r#", "university_id": 1, "user_id": 4"#).await);
    let unknown = check(r#", "university_id": 1, "user_id": 99"#).await.expect(200).body;
    assert_eq!(unknown, json!({"allowed": false, "reason": "no such active user"}));
    world.set_active("ulla", false);
    assert!(!allowed(r#", "university_id": 1, "user_id": 3"#).await);
    let faults = check(r#", "university_id": 1"#).await.expect_error(422, "VALIDATION_ERROR").faults();
    assert_eq!(faults, [("user_id".to_owned(), "missing".to_owned())]);
}

#[tokio::test]
async fn a_disabled_or_deleted_account_and_a_removed_scope_end_at_the_next_use() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (account, key) = add(&root, &["users:read"]).await;
    let service = world.with_token(&key);
    let read = async || service.ask("GET /admin/users").await;
    let change = async |body: &str| root.ask(&format!("PATCH {} {body}", path(&account))).await.expect(200);
    read().await.expect(200);
    change(r#"{"scopes": ["audit:read"]}"#).await;
    read().await.expect_error(403, "FORBIDDEN");
    change(r#"{"scopes": ["users:read"], "is_active": false}"#).await;
    read().await.expect_error(403, "AUTH_INACTIVE_USER");
    change(r#"{"is_active": true}"#).await;
    read().await.expect(200);
    root.ask(&format!("DELETE {}", path(&account))).await.expect(204);
    read().await.expect_error(401, "AUTH_TOKEN_INVALID");
}

#[tokio::test]
async fn an_account_has_two_keys_at_most_and_each_ends_alone() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (account, first) = add(&root, &["users:read"]).await;
    let keys = format!("{}/keys", path(&account));
    let end = r#"{"name": "Next", "expires_at": "2027-01-15T09:00:00+00:30"}"#;
    root.ask(&format!(r#"POST {keys} {{"expires_at": "2020-01-01T00:00:00Z"}}"#))
        .await
        .expect_error(422, "VALIDATION_ERROR");
    let next = root.ask(&format!("POST {keys} {end}")).await.expect(201).body;
    assert_eq!((&next["name"], &next["expires_at"]), (&json!("Next"), &json!("2027-01-15T08:30:00.000Z")));
    root.ask(&format!("POST {keys}")).await.expect_error(409, "CONFLICT");
    let listed = root.ask(&format!("GET {keys}")).await.expect(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(listed["items"].as_array().unwrap().iter().all(|key| key["key"].is_null()));
    let second = next["key"].as_str().unwrap();
    for key in [&first, second] {
        world.with_token(key).ask("GET /admin/users").await.expect(200);
    }
    world.service.advance(1800);
    let root = world.sign_in("root").await;
    world.with_token(second).ask("GET /admin/users").await.expect_error(401, "AUTH_TOKEN_INVALID");
    root.ask(&format!("DELETE {keys}/{}", next["id"])).await.expect(204);
    root.ask(&format!("DELETE {keys}/{}", next["id"])).await.expect_error(404, "NOT_FOUND");
    world.with_token(&first).ask("GET /admin/users").await.expect(200);
    root.ask(&format!("GET {}/keys", "/admin/service-accounts/99")).await.expect_error(404, "NOT_FOUND");
    root.ask(&format!("DELETE /admin/service-accounts/1/keys/{}", listed["items"][0]["id"]))
        .await
        .expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn an_administrator_that_lost_the_role_concurrently_changes_nothing() {
    for (statement, request) in [
        ("INSERT INTO service_accounts", r#"POST /admin/service-accounts {"name": "N", "scopes": []}"#),
        ("UPDATE service_accounts", r#"PATCH /admin/service-accounts/1 {"is_active": false}"#),
        ("DELETE FROM service_accounts", "DELETE /admin/service-accounts/1"),
        ("INSERT INTO api_keys", "POST /admin/service-accounts/1/keys"),
        ("DELETE FROM api_keys", "DELETE /admin/service-accounts/1/keys/1"),
    ] {
        for overtaking in
            ["UPDATE users SET is_active = 0 WHERE id = 1", "DELETE FROM user_university_roles WHERE user_id = 1"]
        {
            let world = World::overtaken(&PEOPLE, statement, overtaking);
            let root = world.sign_in("root").await;
            let rows = || {
                ["service_accounts", "api_keys"].map(|table| world.service.db.rows(&format!("SELECT * FROM {table}")))
            };
            let before = rows();
            root.ask(request).await.expect_error(403, "FORBIDDEN");
            assert_eq!(rows(), before, "{request}");
            assert!(events(&world).is_empty(), "{request}");
        }
    }
}

#[tokio::test]
async fn faults_of_a_body_are_reported() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let fault = |field: &str, kind: &str| vec![(field.to_owned(), kind.to_owned())];
    for (body, expected) in [
        (r#"{"scopes": []}"#, fault("name", "missing")),
        (r#"{"name": "N"}"#, fault("scopes", "missing")),
        (r#"{"name": "N", "scopes": ["x"]}"#, fault("scopes", "value_error")),
        (r#"{"name": "N", "scopes": ["introspect", "introspect"]}"#, fault("scopes", "value_error")),
        (r#"{"name": "N", "scopes": null}"#, fault("scopes", "type_error")),
        (r#"{"name": "", "scopes": []}"#, fault("name", "string_too_short")),
    ] {
        let reply = root.ask(&format!("POST /admin/service-accounts {body}")).await;
        assert_eq!(reply.expect_error(422, "VALIDATION_ERROR").faults(), expected, "{body}");
    }
    for body in [r#"{"scopes": null}"#, r#"{"is_active": 1}"#, r#"{"name": null}"#] {
        root.ask(&format!("PATCH /admin/service-accounts/1 {body}")).await.expect_error(422, "VALIDATION_ERROR");
    }
}
