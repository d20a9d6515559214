//! Every way in which an API key ends, keys that never were, and the traces that keys leave.

use edge_auth::domain::ids::ApiKeyId;
use edge_auth::domain::machine::api_key::ApiKey;
use serde_json::{Value, json};

use crate::api_keys::{PEOPLE, keys, make, make_with};
use crate::step_up::RIGHT;
use crate::support::world::World;

/// The key is refused by every route, like one that never existed.
async fn assert_dead(world: &World, key: &str) {
    for path in ["/users/me", "/universities/1", "/admin/users"] {
        let visitor = world.with_token(key);
        visitor.ask(&format!("GET {path}")).await.expect_error(401, "AUTH_TOKEN_INVALID");
        assert_eq!(world.service.last_d1_calls(), 1, "{path}");
    }
}

fn forge(id: i64, secret: [u8; 32]) -> String {
    ApiKey::mint(ApiKeyId::new(id).unwrap(), secret).text().expose().to_owned()
}

/// A key with a right checksum, but of an unknown id or with another secret, which any client can compute.
#[tokio::test]
async fn forged_keys_are_refused_and_leave_no_trace() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (id, _) = make(&ulla, &["universities:view"]).await;
    for forged in [id, id + 1, 1] {
        assert_dead(&world, &forge(forged, [7; 32])).await;
    }
    assert_eq!(keys(&ulla).await[0]["last_used_at"], Value::Null, "a refused key was not used");
    let refused = world.service.logs("Request refused");
    let is_attributed = |line: &Value| line["user_id"].is_null() && line["api_key_id"].is_i64();
    assert!(refused.len() == 9 && refused.iter().all(is_attributed), "a forged key names no user: {refused:?}");
}

#[tokio::test]
async fn a_withdrawn_key_and_an_expired_one_are_refused() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (id, withdrawn) = make(&ulla, &["universities:view"]).await;
    let end = r#""permissions": ["universities:view"], "expires_at": "2027-01-15T08:10:00Z""#;
    let made = make_with(&ulla, end).await.expect(201).body;
    assert_eq!(made["expires_at"], "2027-01-15T08:10:00.000Z");
    let expiring = made["key"].as_str().unwrap();
    world.with_token(&withdrawn).ask("GET /users/me").await.expect(200);
    ulla.ask(&format!("DELETE /users/me/api-keys/{id}")).await.expect(204);
    assert_dead(&world, &withdrawn).await;
    ulla.ask(&format!("DELETE /users/me/api-keys/{id}")).await.expect_error(404, "NOT_FOUND");
    world.service.advance(599);
    world.with_token(expiring).ask("GET /users/me").await.expect(200);
    world.service.advance(1);
    assert_dead(&world, expiring).await;
}

#[tokio::test]
async fn a_key_follows_its_owner() {
    let world = World::of(&PEOPLE);
    let (root, ulla) = (world.sign_in("root").await, world.sign_in("ulla").await);
    let (_, key) = make(&ulla, &["universities:view"]).await;
    let key = world.with_token(&key);
    ulla.ask("POST /auth/logout-all").await.expect(200);
    key.ask("GET /universities/1").await.expect(200);
    world.set_active("ulla", false);
    key.ask("GET /universities/1").await.expect_error(403, "AUTH_INACTIVE_USER");
    assert_eq!(world.service.last_d1_calls(), 1);
    world.set_active("ulla", true);
    root.ask(&format!("DELETE /universities/1/roles/{}", world.grant("ulla", "UNIVERSITY_ADMIN@1"))).await;
    world.service.db.execute("DELETE FROM user_university_roles WHERE user_id = 2");
    key.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
    key.ask("GET /users/me").await.expect(200);
}

/// A key outlives its session, so a session that ended concurrently must not make one.
#[tokio::test]
async fn a_session_that_ended_concurrently_makes_no_key() {
    let world = World::overtaken(&PEOPLE, "INSERT INTO api_keys", "DELETE FROM sessions");
    let ulla = world.sign_in("ulla").await;
    let permissions = r#""permissions": ["universities:view"]"#;
    make_with(&ulla, permissions).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM api_keys WHERE user_id = 2"), 0);
}

#[tokio::test]
async fn events_export_and_erasure_know_the_keys() {
    let world = World::of(&PEOPLE);
    let bob = world.sign_in("bob").await;
    let (id, key) = make(&bob, &["roles:view", "universities:view"]).await;
    let (other, _) = make(&bob, &["universities:view"]).await;
    bob.ask(&format!("DELETE /users/me/api-keys/{other}")).await.expect(204);
    let page = bob.ask("GET /users/me/export").await.expect(200).body;
    let exported = &page["api_keys"];
    assert_eq!(exported.as_array().unwrap().len(), 1);
    assert_eq!((&exported[0]["id"], &exported[0]["name"]), (&json!(id), &json!("Reports")));
    assert_eq!(exported[0]["permissions"], json!(["universities:view", "roles:view"]), "in the order of the table");
    let of = |kind: &str| -> Vec<i64> {
        let events = page["audit_events"].as_array().unwrap().iter().filter(|event| event["type"] == kind);
        events.map(|event| event["object_id"].as_i64().unwrap()).collect()
    };
    assert_eq!((of("api_key_created"), of("api_key_withdrawn")), (vec![other, id], vec![other]));
    bob.ask(&format!(r#"DELETE /users/me {{"password": "{RIGHT}"}}"#)).await.expect(204);
    assert_dead(&world, &key).await;
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM api_keys WHERE user_id IS NOT NULL"), 0);
}

/// Nothing in the database can be presented: neither a key nor a part of one that makes another.
#[tokio::test]
async fn a_dump_of_the_database_contains_no_key() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (_, key) = make(&root, &["universities:view"]).await;
    let made = root.ask(r#"POST /admin/service-accounts {"name": "N", "scopes": ["users:read"]}"#).await.expect(201);
    for key in [key.as_str(), made.body["key"].as_str().unwrap()] {
        let secret = key.split('_').nth(3).unwrap();
        assert_eq!(secret.len(), 64);
        let dump = world.dump() + &json!(world.service.db.rows("SELECT * FROM audit_events")).to_string();
        assert!(!dump.contains(secret) && !dump.contains(key));
        for line in world.service.log_lines() {
            assert!(!line.contains(secret), "{line}");
        }
    }
    let stored = world.service.db.rows("SELECT id, secret_hash FROM api_keys WHERE user_id IS NOT NULL");
    let hash = stored[0]["secret_hash"].as_str().unwrap();
    let digits = |at: usize| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap();
    assert_dead(&world, &forge(stored[0]["id"].as_i64().unwrap(), std::array::from_fn(digits))).await;
}
