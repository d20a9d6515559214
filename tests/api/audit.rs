//! The audit log as platform administrators read it: event, subject and actor.

use serde_json::{Value, json};

use crate::support::PASSWORD;
use crate::support::world::{Person, World};

const PEOPLE: [Person; 4] =
    [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("bob", ""), ("second", "UNIVERSITY_ADMIN@1")];

/// `(type, reason, user, actor, university)` of every event, oldest first.
async fn recorded(world: &World, parameters: &str) -> Vec<Value> {
    let root = world.sign_in("root").await;
    let mut items = root.all(&format!("/admin/audit-events{parameters}")).await;
    assert_eq!(world.service.last_d1_calls(), 1);
    items.reverse();
    let members = ["type", "reason", "user_id", "actor_id", "university_id"];
    items.iter().map(|item| json!(members.map(|member| &item[member]))).collect()
}

#[tokio::test]
async fn an_event_names_type_subject_actor_and_university() {
    let world = World::of(&PEOPLE);
    let (root, ulla) = (world.sign_in("root").await, world.sign_in("ulla").await);
    world.service.db.execute("DELETE FROM audit_events");
    let role = root.ask(r#"POST /universities/1/roles {"user_id": 3, "role": "TA", "department_id": 1}"#).await;
    let admin = root.ask(r#"POST /universities/1/roles {"user_id": 3, "role": "PLATFORM_ADMIN"}"#).await;
    ulla.ask(&format!("DELETE /universities/1/roles/{}", role.body["id"])).await.expect(204);
    root.ask(&format!("DELETE /universities/1/roles/{}", admin.body["id"])).await.expect(204);
    world.sign_in("bob").await.ask(r#"PATCH /users/me {"full_name": "B"}"#).await.expect(200);
    root.ask(r#"PATCH /admin/users/3 {"full_name": "Bob"}"#).await.expect(200);
    root.ask("POST /admin/users/3/logout").await.expect(200);
    root.ask("POST /admin/users/3/logout").await.expect(200);
    root.ask(r#"PATCH /admin/users/3 {"is_active": false}"#).await.expect(200);
    root.ask(r#"PATCH /admin/users/3 {"is_active": true}"#).await.expect(200);
    root.ask("DELETE /admin/users/3").await.expect(204);
    let expected = [
        json!(["role_granted", "TA", 3, 1, 1]),
        json!(["role_granted", "PLATFORM_ADMIN", 3, 1, null]),
        json!(["role_removed", "TA", 3, 2, 1]),
        json!(["role_removed", "PLATFORM_ADMIN", 3, 1, null]),
        json!(["signed_in", null, 3, null, null]),
        json!(["profile_changed", null, 3, null, null]),
        json!(["profile_changed", null, 3, 1, null]),
        json!(["sessions_ended", null, 3, 1, null]),
        json!(["disabled", null, 3, 1, null]),
        json!(["enabled", null, 3, 1, null]),
        json!(["deleted", null, 3, 1, null]),
    ];
    assert_eq!(recorded(&world, "?user_id=3").await, expected);
}

#[tokio::test]
async fn events_are_filtered_by_user_and_by_type() {
    let world = World::of(&PEOPLE);
    let bob = world.service.login("bob@example.com", PASSWORD).await.tokens();
    world.service.logout(&bob.refresh).await.expect(200);
    world.service.login("bob@example.com", "wrong").await.expect(401);
    world.service.login("nobody@example.com", "wrong").await.expect(401);
    let signed_in = json!(["signed_in", null, 3, null, null]);
    let signed_out = json!(["signed_out", null, 3, null, null]);
    let refused = json!(["sign_in_refused", "wrong_password", 3, null, null]);
    let unknown = json!(["sign_in_refused", "unknown_user", null, null, null]);
    let cases = [
        // Counted refusals are at the beginning of their hour.
        ("?user_id=3", vec![&refused, &signed_in, &signed_out]),
        ("?type=signed_out", vec![&signed_out]),
        ("?type=sign_in_refused", vec![&refused, &unknown]),
        ("?user_id=3&type=signed_out", vec![&signed_out]),
        ("?user_id=3&type=sign_in_refused", vec![&refused]),
        ("?user_id=4", vec![]),
        ("?user_id=4&type=signed_out", vec![]),
        ("?type=role_granted", vec![]),
    ];
    for (parameters, expected) in cases {
        let (mut found, mut expected) = (recorded(&world, parameters).await, expected);
        if parameters == "?type=sign_in_refused" {
            // They are in no order among each other.
            found.sort_by_key(|event| event[2].is_null());
            expected.sort_by_key(|event| event[2].is_null());
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{parameters}");
    }
    let root = world.sign_in("root").await;
    let wrong = "GET /admin/audit-events?cursor=x&limit=0&type=SIGNED_IN&user_id=0";
    let faults = root.ask(wrong).await.expect_error(422, "VALIDATION_ERROR").faults();
    let expected = ["user_id", "type", "limit", "cursor"].map(|name| (name.to_owned(), "value_error".to_owned()));
    assert_eq!(faults, expected);
}

#[tokio::test]
async fn an_event_names_address_request_and_session() {
    let world = World::of(&PEOPLE);
    let body = json!({"email": "bob@example.com", "password": PASSWORD});
    let reply = world.service.post_from("192.0.2.7", "/auth/login", &body).await.expect(200);
    let root = world.sign_in("root").await;
    let event = root.all("/admin/audit-events?user_id=3").await.remove(0);
    assert_eq!(event["request_id"], reply.header("x-request-id").unwrap());
    assert_eq!(event["ip"], "192.0.2.7");
    let session: i64 = world.service.db.one("SELECT id FROM sessions WHERE user_id = 3");
    assert_eq!(event["session_id"], session);
}

#[tokio::test]
async fn refused_operations_are_not_recorded_as_done() {
    let world = World::of(&PEOPLE);
    let (root, ulla, bob) = (world.sign_in("root").await, world.sign_in("ulla").await, world.sign_in("bob").await);
    world.service.db.execute("DELETE FROM audit_events");
    for (visitor, request) in [
        (&bob, r#"POST /universities/1/roles {"user_id": 3, "role": "TA"}"#),
        (&ulla, r#"POST /universities/1/roles {"user_id": 3, "role": "PLATFORM_ADMIN"}"#),
        (&ulla, r#"POST /universities/1/roles {"email": "bob@example.com", "role": "TA", "department_id": 4}"#),
        (&ulla, r#"POST /universities/1/roles {"user_id": 2, "role": "UNIVERSITY_ADMIN"}"#),
        (&root, "DELETE /universities/1/roles/1"),
        (&root, r#"PATCH /admin/users/1 {"is_active": false, "full_name": "R"}"#),
        (&root, "DELETE /admin/users/1"),
        (&root, r#"PATCH /admin/users/3 {"is_active": true}"#),
        (&bob, "DELETE /admin/users/1"),
    ] {
        visitor.ask(request).await;
        assert_eq!(world.service.db.rows("SELECT * FROM audit_events WHERE type <> 'access_refused'"), [], "{request}");
    }
}
