//! The API keys of a user: making, using and listing them, and their limits.

use serde_json::{Value, json};

use crate::step_up::{RIGHT, WRONG};
use crate::support::Reply;
use crate::support::world::{Person, Visitor, World};

pub const PEOPLE: [Person; 4] =
    [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("dora", "DEPARTMENT_ADMIN@1/1"), ("bob", "")];

/// Makes a key with these members beside its name.
pub async fn make_with(owner: &Visitor<'_>, members: &str) -> Reply {
    owner.ask(&format!(r#"POST /users/me/api-keys {{"name": "Reports", {members}}}"#)).await
}

/// The id and the text of a new key with these permissions.
pub async fn make(owner: &Visitor<'_>, permissions: &[&str]) -> (i64, String) {
    let made = make_with(owner, &format!(r#""permissions": {}"#, json!(permissions))).await.expect(201).body;
    (made["id"].as_i64().unwrap(), made["key"].as_str().unwrap().to_owned())
}

pub async fn keys(owner: &Visitor<'_>) -> Vec<Value> {
    owner.all("/users/me/api-keys").await
}

#[tokio::test]
async fn a_key_is_shown_once_and_acts_as_its_owner_in_one_round_trip() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (id, key) = make(&ulla, &["universities:view"]).await;
    let listed = keys(&ulla).await;
    assert_eq!(
        (listed.len(), &listed[0]["id"], &listed[0]["permissions"]),
        (1, &json!(id), &json!(["universities:view"]))
    );
    assert!(listed[0]["last_used_at"].is_null() && listed[0]["expires_at"].is_null());
    assert!(!listed[0].to_string().contains(&key));
    let machine = world.with_token(&key);
    let me = machine.ask("GET /users/me").await.expect(200).body;
    assert_eq!(me["email"], "ulla@example.com");
    assert_eq!(world.service.last_d1_calls(), 1);
    machine.ask("GET /universities/1").await.expect(200);
    assert_eq!(world.service.last_d1_calls(), 1);
    let items = machine.ask("GET /universities").await.expect(200).body;
    assert_eq!(items["items"].as_array().unwrap().len(), 1, "the owner's universities");
    machine.ask("GET /universities/2").await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_key_narrows_the_rights_of_its_owner_and_adds_none() {
    let world = World::of(&PEOPLE);
    let (ulla, bob) = (world.sign_in("ulla").await, world.sign_in("bob").await);
    let (_, viewing) = make(&ulla, &["universities:view"]).await;
    let viewing = world.with_token(&viewing);
    viewing.ask("GET /universities/1/departments").await.expect(200);
    viewing.ask("GET /universities/1/roles").await.expect_error(403, "FORBIDDEN");
    viewing.ask(r#"POST /universities/1/departments {"name": "New"}"#).await.expect_error(403, "FORBIDDEN");
    let (_, managing) = make(&ulla, &["universities:view", "departments:manage", "roles:view"]).await;
    let managing = world.with_token(&managing);
    managing.ask(r#"POST /universities/1/departments {"name": "New"}"#).await.expect(201);
    managing.ask("GET /universities/1/roles").await.expect(200);
    let (_, blind) = make(&ulla, &["roles:view"]).await;
    let blind = world.with_token(&blind);
    blind.ask("GET /universities").await.expect_error(403, "FORBIDDEN");
    blind.ask("GET /universities/1").await.expect_error(403, "FORBIDDEN");
    let (_, greedy) = make(&bob, &["universities:view", "platform:administer"]).await;
    let greedy = world.with_token(&greedy);
    greedy.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
    greedy.ask("GET /admin/users").await.expect_error(403, "FORBIDDEN");
}

/// A department administrator sees the roles of the department, with a key only if the key has the permission.
#[tokio::test]
async fn a_key_narrows_lists_of_departments_too() {
    let world = World::of(&PEOPLE);
    let dora = world.sign_in("dora").await;
    let (_, with) = make(&dora, &["universities:view", "roles:view"]).await;
    let roles = world.with_token(&with).ask("GET /universities/1/roles").await.expect(200).body;
    assert_eq!(roles["items"].as_array().unwrap().len(), 1);
    let (_, without) = make(&dora, &["universities:view"]).await;
    world.with_token(&without).ask("GET /universities/1/roles").await.expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_permission_check_by_a_key_is_about_its_owner_and_its_permissions() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (_, key) = make(&ulla, &["universities:view"]).await;
    let key = world.with_token(&key);
    let check = async |permission: &str, user: &str| {
        let body = format!(r#"{{"permission": "{permission}", "university_id": 1{user}}}"#);
        key.ask(&format!("POST /authz/check {body}")).await
    };
    assert_eq!(check("universities:view", "").await.expect(200).body["allowed"], true);
    let refused = check("departments:manage", "").await.expect(200).body;
    assert_eq!(refused, json!({"allowed": false, "reason": "the key does not have the permission"}));
    assert_eq!(check("universities:view", r#", "user_id": 2"#).await.expect(200).body["allowed"], true);
    check("universities:view", r#", "user_id": 1"#).await.expect_error(403, "FORBIDDEN");
    ulla.ask(r#"POST /authz/check {"permission": "roles:view", "university_id": 1, "user_id": 1}"#)
        .await
        .expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_malformed_key_and_a_wrong_checksum_never_reach_the_database() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (_, key) = make(&ulla, &["universities:view"]).await;
    let last = if key.ends_with('0') { "1" } else { "0" };
    for text in [
        format!("{}{last}", &key[..key.len() - 1]),
        key[..key.len() - 1].to_owned(),
        key.replacen("ea_sk_", "ea_sk_1", 1),
        key.to_uppercase().replacen("EA_SK_", "ea_sk_", 1),
        "ea_sk_".to_owned(),
        "ea_sk_.a.b".to_owned(),
    ] {
        let reply = world.with_token(&text).ask("GET /users/me").await.expect_error(401, "AUTH_TOKEN_INVALID");
        assert!(reply.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#));
        assert_eq!(world.service.last_d1_calls(), 0, "{text}");
    }
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (_, key) = make(&ulla, &["universities:view"]).await;
    let mut used = Vec::new();
    for _ in 0..5 {
        world.service.advance(20);
        world.with_token(&key).ask("GET /users/me").await.expect(200);
        used.push(keys(&ulla).await[0]["last_used_at"].as_str().unwrap().to_owned());
    }
    assert!(used[0] == used[2] && used[2] < used[3] && used[3] == used[4], "{used:?}");
}

#[tokio::test]
async fn a_user_has_at_most_twenty_five_keys() {
    let world = World::of(&PEOPLE);
    let (ulla, bob) = (world.sign_in("ulla").await, world.sign_in("bob").await);
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(make(&ulla, &["universities:view"]).await.0);
    }
    let events = "SELECT count(*) FROM audit_events WHERE type = 'api_key_created'";
    make_with(&ulla, r#""permissions": ["universities:view"]"#).await.expect_error(409, "CONFLICT");
    assert_eq!(world.service.db.one::<i64>(events), 25, "a refused key leaves no event");
    make(&bob, &["universities:view"]).await;
    ulla.ask(&format!("DELETE /users/me/api-keys/{}", ids[3])).await.expect(204);
    make(&ulla, &["universities:view"]).await;
    assert_eq!(keys(&ulla).await.len(), 25);
}

#[tokio::test]
async fn only_the_owner_sees_and_withdraws_a_key() {
    let world = World::of(&PEOPLE);
    let (ulla, root) = (world.sign_in("ulla").await, world.sign_in("root").await);
    let (id, key) = make(&ulla, &["universities:view"]).await;
    assert!(keys(&root).await.is_empty());
    root.ask(&format!("DELETE /users/me/api-keys/{id}")).await.expect_error(404, "NOT_FOUND");
    root.ask(&format!("DELETE /admin/service-accounts/1/keys/{id}")).await.expect_error(404, "NOT_FOUND");
    world.with_token(&key).ask("GET /users/me").await.expect(200);
}

#[tokio::test]
async fn faults_of_a_body_are_reported() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let refused = async |body: &str| {
        ulla.ask(&format!("POST /users/me/api-keys {body}")).await.expect_error(422, "VALIDATION_ERROR").faults()
    };
    let fault = |field: &str, kind: &str| (field.to_owned(), kind.to_owned());
    assert_eq!(refused("{}").await, [fault("name", "missing"), fault("permissions", "missing")]);
    let with = |permissions: &str| format!(r#"{{"name": "N", "permissions": {permissions}}}"#);
    for permissions in [r#""universities:view""#, "null", "{}", "[1]", "[null]"] {
        assert_eq!(refused(&with(permissions)).await, [fault("permissions", "type_error")], "{permissions}");
    }
    for permissions in ["[]", r#"["x"]"#, r#"["roles:view", "roles:view"]"#, r#"["ROLES:VIEW"]"#] {
        assert_eq!(refused(&with(permissions)).await, [fault("permissions", "value_error")], "{permissions}");
    }
    for end in ["2020-01-01T00:00:00Z", "2027-01-15T08:00:00Z", "tomorrow", "2030-01-01"] {
        let body = format!(r#"{{"name": "N", "permissions": ["roles:view"], "expires_at": "{end}"}}"#);
        assert_eq!(refused(&body).await, [fault("expires_at", "value_error")], "{end}");
    }
    assert!(keys(&ulla).await.is_empty());
}

#[tokio::test]
async fn keys_need_a_recent_sign_in_or_the_right_password() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let (id, _) = make(&ulla, &["universities:view"]).await;
    world.service.advance(601);
    let create =
        |password: &str| format!(r#"POST /users/me/api-keys {{"name": "N", "permissions": ["roles:view"]{password}}}"#);
    let member = |password: &str| format!(r#", "password": "{password}""#);
    ulla.ask(&create("")).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    ulla.ask(&format!("DELETE /users/me/api-keys/{id}")).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    ulla.ask(&create(&member(WRONG))).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    ulla.ask(&create(&member(RIGHT))).await.expect(201);
    let delete = format!(r#"DELETE /users/me/api-keys/{id} {{"password": "{RIGHT}"}}"#);
    ulla.ask(&delete).await.expect(204);
    assert_eq!(keys(&ulla).await.len(), 1);
}
