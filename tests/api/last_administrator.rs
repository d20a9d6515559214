//! The last active administrator of a university or of the platform cannot be removed, so access can always be granted.
//! Exception: a platform administrator may disable a university's last administrator.

use serde_json::json;

use crate::support::world::{Person, World};

/// One active administrator of each kind, and a second, disabled one that does not count.
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

/// Every removal of a user with this role: the caller, the request and its status when allowed.
fn removals(world: &World, name: &str, role: &str) -> Vec<(&'static str, String, u16)> {
    let (id, grant) = (world.id(name), world.grant(name, role));
    let owner = if name == "root" { "root" } else { "ulla" };
    vec![
        ("root", format!("DELETE /universities/1/roles/{grant}"), 204),
        (owner, format!("DELETE /universities/1/roles/{grant}"), 204),
        ("root", format!("DELETE /admin/users/{id}"), 204),
        (owner, format!("DELETE /users/me {PASSWORD}"), 204),
    ]
}

/// Disabling is the platform's answer to a stolen account, so it applies to a university's last administrator too.
fn disabling(id: i64) -> [String; 2] {
    [r#"{"is_active": false}"#, r#"{"is_active": false, "full_name": "Gone"}"#]
        .map(|body| format!("PATCH /admin/users/{id} {body}"))
}

const LAST: [(&str, &str); 2] = [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1")];

#[tokio::test]
async fn the_last_administrator_cannot_be_removed() {
    for (name, role) in LAST {
        let world = world(false);
        let before = world.dump();
        let mut attempts: Vec<_> =
            removals(&world, name, role).into_iter().map(|(caller, request, _)| (caller, request)).collect();
        attempts.extend(disabling(world.id("root")).map(|request| ("root", request)));
        for (caller, request) in attempts {
            let reply = world.sign_in(caller).await.ask(&request).await.expect_error(409, "CONFLICT");
            assert_eq!(reply.body["error"]["message"], "The last administrator cannot be removed");
            assert_eq!(world.dump(), before, "{request}");
        }
        let done = "SELECT count(*) FROM audit_events
                    WHERE type IN ('role_removed', 'disabled', 'deleted', 'session_ended', 'sessions_ended')";
        assert_eq!(world.service.db.one::<i64>(done), 0, "refusals are not recorded as done");
    }
}

#[tokio::test]
async fn a_second_active_administrator_allows_every_removal() {
    for (name, role) in LAST {
        for index in 0..4 {
            let world = world(true);
            let (caller, request, status) = removals(&world, name, role).swap_remove(index);
            world.sign_in(caller).await.ask(&request).await.expect(status);
        }
    }
}

#[tokio::test]
async fn two_administrators_removing_each_other_in_turn_leave_one() {
    for (name, role) in LAST {
        let world = world(true);
        let (first, second) = (world.sign_in(name).await, world.sign_in("off").await);
        let [theirs, own] = ["off", name].map(|name| world.grant(name, role));
        first.ask(&format!("DELETE /universities/1/roles/{theirs}")).await.expect(204);
        // `off` still has its other role and keeps the rights of a PLATFORM_ADMIN or UNIVERSITY_ADMIN.
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
async fn a_disabled_administrator_can_lose_roles_be_enabled_and_be_deleted() {
    let world = world(false);
    let root = world.sign_in("root").await;
    let (off, role) = (world.id("off"), world.grant("off", "UNIVERSITY_ADMIN@1"));
    root.ask(&format!("DELETE /universities/1/roles/{role}")).await.expect(204);
    root.ask(&format!(r#"PATCH /admin/users/{off} {{"is_active": true}}"#)).await.expect(200);
    root.ask(&format!(r#"PATCH /admin/users/{off} {{"is_active": false}}"#)).await.expect(200);
    root.ask(&format!("DELETE /admin/users/{off}")).await.expect(204);
}

#[tokio::test]
async fn a_universitys_last_administrator_can_be_disabled_and_then_removed() {
    for step in 0..2 {
        let world = world(false);
        let (root, ulla) = (world.sign_in("root").await, world.sign_in("ulla").await);
        root.ask(&disabling(world.id("ulla"))[step]).await.expect(200);
        ulla.ask("GET /universities/1").await.expect_error(403, "AUTH_INACTIVE_USER");
        let removals = removals(&world, "ulla", "UNIVERSITY_ADMIN@1");
        let (caller, request, status) = &removals[if step == 0 { 0 } else { 2 }];
        world.sign_in(caller).await.ask(request).await.expect(*status);
    }
}

#[tokio::test]
async fn a_last_administrator_appointed_while_disabled_can_be_removed() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("bob", "")]);
    world.set_active("bob", false);
    world.verify("bob");
    let root = world.sign_in("root").await;
    let body = r#"{"email": "bob@example.com", "role": "UNIVERSITY_ADMIN"}"#;
    let role = root.ask(&format!("POST /universities/1/roles {body}")).await.expect(201).body["id"].take();
    root.ask(&format!("DELETE /universities/1/roles/{role}")).await.expect(204);
}

#[tokio::test]
async fn the_last_holder_of_any_other_role_can_be_removed() {
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
async fn a_new_administrator_allows_removal_of_the_old_one() {
    let world = world(false);
    let root = world.sign_in("root").await;
    let old = format!("DELETE /universities/1/roles/{}", world.grant("ulla", "UNIVERSITY_ADMIN@1"));
    root.ask(&old).await.expect_error(409, "CONFLICT");
    let body = format!(r#"{{"user_id": {}, "role": "UNIVERSITY_ADMIN"}}"#, world.id("xenia"));
    root.ask(&format!("POST /universities/1/roles {body}")).await.expect(201);
    root.ask(&old).await.expect(204);
}

#[tokio::test]
async fn a_last_administrators_refused_self_deletion_is_recorded() {
    let world = world(false);
    let ulla = world.sign_in("ulla").await;
    ulla.ask(&format!("DELETE /users/me {PASSWORD}")).await.expect_error(409, "CONFLICT");
    let refused = "SELECT type, reason, user_id, actor_id FROM audit_events WHERE type <> 'signed_in'";
    let events = world.service.db.rows(refused);
    let last = serde_json::Value::from(events.last().unwrap().clone());
    let expected =
        json!({"type": "deletion_refused", "reason": "overtaken", "user_id": world.id("ulla"), "actor_id": null});
    assert_eq!(last, expected);
}
