//! Granting and revoking roles: no caller escalates its own rights, and changes apply from the next request.

use serde_json::{Value, json};

use crate::support::contract::is_built;
use crate::support::world::{Person, World, address};

const ROLES: [&str; 6] = ["STUDENT", "TA", "INSTRUCTOR", "DEPARTMENT_ADMIN", "UNIVERSITY_ADMIN", "PLATFORM_ADMIN"];

/// Administrators, and a user without roles.
const STAFF: [Person; 4] =
    [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("dora", "DEPARTMENT_ADMIN@1/1"), ("bob", "")];

/// A request that grants a role to the user named by this JSON member.
fn grant(user: &str, role: &str, department: impl Into<Option<i64>>) -> String {
    let department = json!(department.into());
    format!(r#"POST /universities/1/roles {{{user}, "role": "{role}", "department_id": {department}}}"#)
}

#[tokio::test]
async fn no_caller_grants_a_role_above_its_own() {
    for (rank, own) in ROLES.iter().enumerate() {
        let place = match *own {
            "PLATFORM_ADMIN" => "",
            "DEPARTMENT_ADMIN" => "@1/1",
            _ => "@1",
        };
        let roles = format!("{own}{place}").leak();
        let world = World::of(&[("eve", roles), ("bob", "")]);
        let eve = world.sign_in("eve").await;
        for wanted in ROLES.iter().skip(rank + 1) {
            for name in ["eve", "bob"] {
                let users = [format!(r#""user_id": {}"#, world.id(name)), format!(r#""email": "{}""#, address(name))];
                for (user, department) in users.iter().flat_map(|user| [(user, None), (user, Some(1))]) {
                    let status = eve.ask(&grant(user, wanted, department)).await.status;
                    assert!(matches!(status, 403 | 422), "{own} gives {wanted}: {status}");
                }
            }
        }
        assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM user_university_roles"), 1, "{own}");
    }
}

#[tokio::test]
async fn indirect_self_promotion_is_refused() {
    let world = World::of(&STAFF);
    let (dora, bob) = (world.sign_in("dora").await, world.sign_in("bob").await);
    let before = world.dump();
    let own = world.grant("dora", "DEPARTMENT_ADMIN@1/1");
    let me = format!(r#""user_id": {}"#, world.id("dora"));
    for role in ["STUDENT", "TA", "INSTRUCTOR"] {
        dora.ask(&grant(&me, role, None)).await.expect_error(403, "FORBIDDEN");
        dora.ask(&grant(&me, role, 2)).await.expect_error(403, "FORBIDDEN");
    }
    dora.ask(&grant(&me, "DEPARTMENT_ADMIN", 2)).await.expect_error(403, "FORBIDDEN");
    let body = r#"{"role": "UNIVERSITY_ADMIN", "department_id": null}"#;
    for method in ["PATCH", "PUT"] {
        dora.ask(&format!("{method} /universities/1/roles/{own} {body}")).await.expect(405);
    }
    let ulla = world.grant("ulla", "UNIVERSITY_ADMIN@1");
    dora.ask(&format!("DELETE /universities/1/roles/{ulla}")).await.expect_error(403, "FORBIDDEN");
    let roles = r#"{"roles": [{"university_id": null, "department_id": null, "role": "PLATFORM_ADMIN"}], "id": 1}"#;
    assert_eq!(bob.ask(&format!("PATCH /users/me {roles}")).await.expect(200).body["roles"], json!([]));
    assert_eq!(world.dump(), before);
    let new =
        r#"{"email": "new@example.com", "password": "correct horse battery staple", "roles": ["PLATFORM_ADMIN"]}"#;
    let new = world.anonymous().ask(&format!("POST /auth/register {new}")).await.expect(201).tokens();
    assert_eq!(world.with_token(&new.access).ask("GET /users/me").await.expect(200).body["roles"], json!([]));
}

#[tokio::test]
async fn a_department_administrator_grants_only_within_the_department() {
    let tim = [("tim", "TA@1 TA@1/1 TA@1/2")];
    let world = World::of(&[STAFF.as_slice(), &tim].concat());
    let dora = world.sign_in("dora").await;
    world.service.db.execute("INSERT INTO user_university_roles (user_id, role, university_id, created_at) SELECT id, 'TA', 1, 1 FROM users WHERE email LIKE 'bob@%'");
    world.verify("bob");
    let bob = format!(r#""email": "{}""#, address("bob"));
    // Another department, none, one of another university and a missing one get the same refusal.
    for department in [Some(2), None, Some(4), Some(99)] {
        dora.ask(&grant(&bob, "STUDENT", department)).await.expect_error(403, "FORBIDDEN");
    }
    for role in ["STUDENT", "TA", "INSTRUCTOR"] {
        dora.ask(&grant(&bob, role, 1)).await.expect(201);
    }
    for (role, status) in [("TA@1/1", 204), ("TA@1/2", 403), ("TA@1", 403)] {
        let id = world.grant("tim", role);
        dora.ask(&format!("DELETE /universities/1/roles/{id}")).await.expect(status);
    }
    let seen = dora.all("/universities/1/roles?limit=1").await;
    // Her own role and the three she granted.
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.iter().all(|item| item["department_id"] == 1));
}

#[tokio::test]
async fn granted_and_revoked_roles_apply_from_the_next_request() {
    let world = World::of(&STAFF);
    world.verify("bob");
    let (root, ulla, bob) = (world.sign_in("root").await, world.sign_in("ulla").await, world.sign_in("bob").await);
    bob.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
    assert_eq!(bob.all("/universities").await, [] as [Value; 0]);
    let email = format!(r#""email": " {} ""#, address("bob").to_uppercase());
    let given = root.ask(&grant(&email, "INSTRUCTOR", 1)).await.expect(201).body;
    assert_eq!(world.service.last_d1_calls(), 2);
    let expected = json!({"user_id": world.id("bob"), "email": address("bob"), "full_name": null, "role": "INSTRUCTOR",
                          "university_id": 1, "department_id": 1});
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(given[member], *value, "{member}");
    }
    bob.ask("GET /universities/1").await.expect(200);
    assert_eq!(bob.all("/universities").await.len(), 1);
    bob.ask("GET /universities/1/departments").await.expect(200);
    let roles = &bob.ask("GET /users/me").await.expect(200).body["roles"];
    assert_eq!(*roles, json!([{"university_id": 1, "department_id": 1, "role": "INSTRUCTOR"}]));
    assert_eq!(bob.ask("GET /users/me/export").await.expect(200).body["user"]["roles"], *roles);
    ulla.ask(&format!("DELETE /universities/1/roles/{}", given["id"])).await.expect(204);
    assert_eq!(world.service.last_d1_calls(), 2);
    bob.ask("GET /universities/1/departments").await.expect_error(404, "NOT_FOUND");
    bob.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
    ulla.ask(&format!("DELETE /universities/1/roles/{}", given["id"])).await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_role_is_granted_once() {
    let world = World::of(&STAFF);
    world.verify("bob");
    let root = world.sign_in("root").await;
    let bob = format!(r#""user_id": {}"#, world.id("bob"));
    let by_address = format!(r#""email": "{}""#, address("bob"));
    for (role, department) in [("STUDENT", None), ("STUDENT", Some(1)), ("PLATFORM_ADMIN", None)] {
        root.ask(&grant(&bob, role, department)).await.expect(201);
        for user in [&bob, &by_address] {
            root.ask(&grant(user, role, department)).await.expect_error(409, "CONFLICT");
        }
    }
    let elsewhere = grant(&bob, "PLATFORM_ADMIN", None).replace("/1/", "/2/");
    root.ask(&elsewhere).await.expect_error(409, "CONFLICT");
    root.ask(&grant(&bob, "STUDENT", None).replace("/1/", "/2/")).await.expect(201);
    let given = "SELECT count(*) FROM audit_events WHERE type = 'role_granted'";
    assert_eq!(world.service.db.one::<i64>(given), 4, "refused grants are not recorded");
}

#[tokio::test]
async fn the_platform_administrator_role_belongs_to_no_university() {
    let world = World::of(&STAFF);
    let (root, ulla) = (world.sign_in("root").await, world.sign_in("ulla").await);
    let bob = format!(r#""user_id": {}"#, world.id("bob"));
    let given = root.ask(&grant(&bob, "PLATFORM_ADMIN", None)).await.expect(201).body;
    assert_eq!((&given["university_id"], &given["department_id"]), (&json!(null), &json!(null)));
    let listed = ulla.all("/universities/1/roles").await;
    assert!(listed.iter().all(|item| item["role"] != "PLATFORM_ADMIN"), "{listed:?}");
    ulla.ask(&format!("DELETE /universities/1/roles/{}", given["id"])).await.expect_error(404, "NOT_FOUND");
    world.sign_in("bob").await.ask("GET /admin/users").await.expect(200);
    root.ask(&format!("DELETE /universities/2/roles/{}", given["id"])).await.expect(204);
    world.sign_in("bob").await.ask("GET /admin/users").await.expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn any_user_may_give_up_a_role() {
    for role in ["STUDENT@1", "TA@1/1", "INSTRUCTOR@1", "DEPARTMENT_ADMIN@1/1", "UNIVERSITY_ADMIN@1"] {
        let world = World::of(&[STAFF.as_slice(), &[("eve", role), ("tim", "TA@1")]].concat());
        let eve = world.sign_in("eve").await;
        let [own, others] = [("eve", role), ("tim", "TA@1")].map(|(name, role)| world.grant(name, role));
        if role != "UNIVERSITY_ADMIN@1" {
            eve.ask(&format!("DELETE /universities/1/roles/{others}")).await.expect_error(403, "FORBIDDEN");
        }
        eve.ask(&format!("DELETE /universities/1/roles/{own}")).await.expect(204);
        eve.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
        let events = "SELECT count(*) FROM audit_events WHERE type = 'role_removed' AND actor_id IS NULL";
        assert_eq!(world.service.db.one::<i64>(events), 1, "{role}: no other actor is recorded");
    }
}

#[tokio::test]
async fn an_unknown_user_is_granted_no_role() {
    let world = World::of(&STAFF);
    let root = world.sign_in("root").await;
    let erased = world.id("bob");
    root.ask(&format!("DELETE /admin/users/{erased}")).await.expect(204);
    for user in [r#""user_id": 99"#, &format!(r#""user_id": {erased}"#)] {
        root.ask(&grant(user, "STUDENT", None)).await.expect_error(404, "NOT_FOUND");
        root.ask(&grant(user, "STUDENT", 1)).await.expect_error(404, "NOT_FOUND");
    }
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'role_granted'"), 0);
}

#[tokio::test]
async fn every_fault_of_a_request_for_a_role_is_listed() {
    let world = World::of(&STAFF);
    let root = world.sign_in("root").await;
    let cases: [(&str, &[(&str, &str)]); 9] = [
        ("{}", &[("user_id", "missing"), ("role", "missing")]),
        (r#"{"user_id": null, "role": "STUDENT"}"#, &[("user_id", "missing")]),
        (r#"{"user_id": "4", "role": 7}"#, &[("user_id", "type_error"), ("role", "type_error")]),
        (r#"{"user_id": 0, "role": "student"}"#, &[("user_id", "value_error"), ("role", "value_error")]),
        (r#"{"user_id": 4, "email": "bob@example.com", "role": "TA"}"#, &[("email", "value_error")]),
        (
            r#"{"email": "bob", "role": "TA", "department_id": -1}"#,
            &[("email", "value_error.email"), ("department_id", "value_error")],
        ),
        (r#"{"user_id": 4, "role": "DEPARTMENT_ADMIN"}"#, &[("department_id", "missing")]),
        (r#"{"user_id": 4, "role": "UNIVERSITY_ADMIN", "department_id": 1}"#, &[("department_id", "value_error")]),
        (
            r#"{"role": "PLATFORM_ADMIN", "department_id": 1}"#,
            &[("user_id", "missing"), ("department_id", "value_error")],
        ),
    ];
    for (body, expected) in cases {
        let faults = root.ask(&format!("POST /universities/1/roles {body}")).await.expect(422).faults();
        let faults: Vec<_> = faults.iter().map(|(member, kind)| (member.as_str(), kind.as_str())).collect();
        assert_eq!(faults, expected, "{body}");
    }
}

#[tokio::test]
async fn a_department_in_use_cannot_be_deleted_and_no_role_is_widened() {
    let world = World::of(&[("ulla", "UNIVERSITY_ADMIN@1"), ("stu", "STUDENT@1/2")]);
    let ulla = world.sign_in("ulla").await;
    let before = world.dump();
    for department in [1, 2] {
        ulla.ask(&format!("DELETE /universities/1/departments/{department}")).await.expect_error(409, "CONFLICT");
    }
    assert_eq!(world.dump(), before);
    if is_built("courses") {
        let stu = world.sign_in("stu").await;
        stu.ask("POST /courses/3/enrollments").await.expect_error(403, "FORBIDDEN");
    }
    let role = world.grant("stu", "STUDENT@1/2");
    ulla.ask(&format!("DELETE /universities/1/roles/{role}")).await.expect(204);
    ulla.ask("DELETE /universities/1/departments/2").await.expect(204);
    ulla.ask("DELETE /universities/1/departments/2").await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn deleting_an_empty_university_deletes_its_roles() {
    let world = World::of(&STAFF);
    let root = world.sign_in("root").await;
    let new = root.ask(r#"POST /universities {"name": "New", "slug": "new"}"#).await.expect(201).body["id"].take();
    let bob = format!(r#""user_id": {}"#, world.id("bob"));
    root.ask(&grant(&bob, "UNIVERSITY_ADMIN", None).replace("/1/", &format!("/{new}/"))).await.expect(201);
    let taken = r#"{"name": "Again", "slug": "new"}"#;
    root.ask(&format!("POST /universities {taken}")).await.expect_error(409, "CONFLICT");
    root.ask(&format!("PATCH /universities/1 {taken}")).await.expect_error(409, "CONFLICT");
    let bob = world.sign_in("bob").await;
    let department = format!(r#"POST /universities/{new}/departments {{"name": "One"}}"#);
    let department = bob.ask(&department).await.expect(201).body["id"].take();
    root.ask(&format!("DELETE /universities/{new}")).await.expect_error(409, "CONFLICT");
    bob.ask(&format!("DELETE /universities/{new}/departments/{department}")).await.expect(204);
    root.ask(&format!("DELETE /universities/{new}")).await.expect(204);
    bob.ask(&format!("GET /universities/{new}")).await.expect_error(404, "NOT_FOUND");
    assert_eq!(bob.ask("GET /users/me").await.expect(200).body["roles"], json!([]));
}

#[tokio::test]
async fn a_university_with_over_a_thousand_roles_cannot_be_deleted_and_keeps_them_all() {
    let world = World::of(&STAFF);
    world.service.db.execute(
        "INSERT INTO universities (id, name, slug, created_at) VALUES (7, 'Large', 'large', 1);
         WITH RECURSIVE n (i) AS (SELECT 101 UNION ALL SELECT i + 1 FROM n WHERE i < 1101)
         INSERT INTO users (id, email, password_hash, created_at) SELECT i, i || '@example.com', 'x', 1 FROM n;
         INSERT INTO user_university_roles (user_id, university_id, role, created_at)
         SELECT id, 7, 'STUDENT', 1 FROM users WHERE id > 100;",
    );
    let root = world.sign_in("root").await;
    root.ask("DELETE /universities/7").await.expect_error(409, "CONFLICT");
    let left = "SELECT count(*) FROM user_university_roles WHERE university_id = 7";
    assert_eq!(world.service.db.one::<i64>(left), 1001);
    world.service.db.execute("DELETE FROM user_university_roles WHERE user_id = 101");
    root.ask("DELETE /universities/7").await.expect(204);
    assert_eq!(world.service.last_d1_calls(), 2);
    assert_eq!(world.service.db.one::<i64>(left), 0);
    assert!(world.service.db.one::<i64>("SELECT count(*) FROM user_university_roles") > 0, "those of others stay");
}
