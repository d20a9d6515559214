//! Somebody stays who can let others in: the last active administrator of a university, or of the platform, cannot be
//! removed in any way. The platform may disable a university's.

use serde_json::json;

use crate::support::world::{Person, World};

/// One active administrator of each kind, and a second one who is disabled and counts for nothing.
const PEOPLE: [Person; 4] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("off", "PLATFORM_ADMIN UNIVERSITY_ADMIN@1"),
    // Administers another university, which does not count either.
    ("xenia", "UNIVERSITY_ADMIN@2"),
];

const PASSWORD: &str = r#"{"password": "correct horse battery staple"}"#;

fn world(is_second_active: bool) -> World {
    let world = World::of(&PEOPLE);
    world.set_active("off", is_second_active);
    world
}

/// The ways to be rid of somebody with this role, each with who goes it and what it answers if it can be gone.
fn ways(world: &World, name: &str, role: &str) -> Vec<(&'static str, String, u16)> {
    let (id, grant) = (world.id(name), world.grant(name, role));
    let owner = if name == "root" { "root" } else { "ulla" };
    vec![
        ("root", format!("DELETE /universities/1/roles/{grant}"), 204),
        (owner, format!("DELETE /universities/1/roles/{grant}"), 204),
        ("root", format!("DELETE /admin/users/{id}"), 204),
        (owner, format!("DELETE /users/me {PASSWORD}"), 204),
    ]
}

/// Disabling is another: it is the platform's answer to a thief, so a university's last one is not safe from it.
fn disabling(id: i64) -> [String; 2] {
    [r#"{"is_active": false}"#, r#"{"is_active": false, "full_name": "Gone"}"#]
        .map(|body| format!("PATCH /admin/users/{id} {body}"))
}

const LAST: [(&str, &str); 2] = [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1")];

#[tokio::test]
async fn the_last_administrator_stays_whatever_is_tried() {
    for (name, role) in LAST {
        let world = world(false);
        let before = world.dump();
        let mut tried: Vec<_> = ways(&world, name, role).into_iter().map(|(who, way, _)| (who, way)).collect();
        tried.extend(disabling(world.id("root")).map(|way| ("root", way)));
        for (who, way) in tried {
            let reply = world.sign_in(who).await.ask(&way).await.expect_error(409, "CONFLICT");
            assert_eq!(reply.body["error"]["message"], "The last administrator cannot be removed");
            assert_eq!(world.dump(), before, "{way}");
        }
        let sessions = "SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL";
        assert_eq!(world.service.db.one::<i64>(sessions), 0, "nobody was signed out");
        let done = "SELECT count(*) FROM audit_events WHERE type IN ('role_removed', 'disabled', 'deleted')";
        assert_eq!(world.service.db.one::<i64>(done), 0, "what was refused is not written down as done");
    }
}

#[tokio::test]
async fn with_a_second_active_one_each_way_is_open() {
    for (name, role) in LAST {
        for index in 0..4 {
            let world = world(true);
            let (who, way, status) = ways(&world, name, role).swap_remove(index);
            world.sign_in(who).await.ask(&way).await.expect(status);
        }
    }
}

#[tokio::test]
async fn of_two_who_remove_each_other_one_stays() {
    for (name, role) in LAST {
        let world = world(true);
        let (first, second) = (world.sign_in(name).await, world.sign_in("off").await);
        let [theirs, own] = ["off", name].map(|name| world.grant(name, role));
        first.ask(&format!("DELETE /universities/1/roles/{theirs}")).await.expect(204);
        // `off` has the other role still, and may remove what a PLATFORM_ADMIN or UNIVERSITY_ADMIN may.
        let status = second.ask(&format!("DELETE /universities/1/roles/{own}")).await.status;
        assert!(matches!(status, 404 | 409), "{role}: {status}");
        let left = format!(
            "SELECT count(*) FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
             WHERE g.id = {own} AND u.is_active = 1"
        );
        assert_eq!(world.service.db.one::<i64>(&left), 1, "{role}");
    }
}

#[tokio::test]
async fn a_disabled_administrator_can_go_and_be_enabled() {
    let world = world(false);
    let root = world.sign_in("root").await;
    let (off, role) = (world.id("off"), world.grant("off", "UNIVERSITY_ADMIN@1"));
    root.ask(&format!("DELETE /universities/1/roles/{role}")).await.expect(204);
    root.ask(&format!(r#"PATCH /admin/users/{off} {{"is_active": true}}"#)).await.expect(200);
    root.ask(&format!(r#"PATCH /admin/users/{off} {{"is_active": false}}"#)).await.expect(200);
    root.ask(&format!("DELETE /admin/users/{off}")).await.expect(204);
}

#[tokio::test]
async fn a_universitys_last_administrator_can_be_disabled_and_then_be_gone() {
    for step in 0..2 {
        let world = world(false);
        let (root, ulla) = (world.sign_in("root").await, world.sign_in("ulla").await);
        root.ask(&disabling(world.id("ulla"))[step]).await.expect(200);
        ulla.ask("GET /universities/1").await.expect_error(403, "AUTH_INACTIVE_USER");
        let ways = ways(&world, "ulla", "UNIVERSITY_ADMIN@1");
        let (who, way, status) = &ways[if step == 0 { 0 } else { 2 }];
        world.sign_in(who).await.ask(way).await.expect(*status);
    }
}

#[tokio::test]
async fn who_was_made_the_last_administrator_while_disabled_can_be_unmade() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("bob", "")]);
    world.set_active("bob", false);
    let root = world.sign_in("root").await;
    let body = r#"{"email": "bob@example.com", "role": "UNIVERSITY_ADMIN"}"#;
    let role = root.ask(&format!("POST /universities/1/roles {body}")).await.expect(201).body["id"].take();
    root.ask(&format!("DELETE /universities/1/roles/{role}")).await.expect(204);
}

#[tokio::test]
async fn other_roles_have_no_last_one() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("dora", "DEPARTMENT_ADMIN@1/1 STUDENT@1")]);
    let root = world.sign_in("root").await;
    for role in ["DEPARTMENT_ADMIN@1/1", "STUDENT@1"] {
        let id = world.grant("dora", role);
        root.ask(&format!("DELETE /universities/1/roles/{id}")).await.expect(204);
    }
    world.sign_in("dora").await.ask(&format!("DELETE /users/me {PASSWORD}")).await.expect(204);
}

#[tokio::test]
async fn a_last_administrator_may_still_be_renamed_and_signed_out() {
    let world = world(false);
    let root = world.sign_in("root").await;
    let id = world.id("ulla");
    let renamed = root.ask(&format!(r#"PATCH /admin/users/{id} {{"full_name": "Ulla"}}"#)).await.expect(200);
    assert_eq!((&renamed.body["full_name"], &renamed.body["is_active"]), (&json!("Ulla"), &json!(true)));
    let ulla = world.sign_in("ulla").await;
    root.ask(&format!("POST /admin/users/{id}/logout")).await.expect(200);
    ulla.ask("GET /users/me").await.expect_error(401, "AUTH_TOKEN_REVOKED");
    world.sign_in("ulla").await;
}

#[tokio::test]
async fn a_new_administrator_lets_the_old_one_go() {
    let world = world(false);
    let root = world.sign_in("root").await;
    let old = format!("DELETE /universities/1/roles/{}", world.grant("ulla", "UNIVERSITY_ADMIN@1"));
    root.ask(&old).await.expect_error(409, "CONFLICT");
    let body = format!(r#"{{"user_id": {}, "role": "UNIVERSITY_ADMIN"}}"#, world.id("xenia"));
    root.ask(&format!("POST /universities/1/roles {body}")).await.expect(201);
    root.ask(&old).await.expect(204);
}

#[tokio::test]
async fn a_last_administrator_who_wanted_to_go_is_recorded_as_refused() {
    let world = world(false);
    let ulla = world.sign_in("ulla").await;
    ulla.ask(&format!("DELETE /users/me {PASSWORD}")).await.expect_error(409, "CONFLICT");
    let events = world.service.db.rows("SELECT type, reason, user_id, actor_id FROM audit_events ORDER BY id");
    let last = serde_json::Value::from(events.last().unwrap().clone());
    let expected =
        json!({"type": "deletion_refused", "reason": "overtaken", "user_id": world.id("ulla"), "actor_id": null});
    assert_eq!(last, expected);
}
