//! Concurrent writes between a request's read and its write: the writing statements re-check their conditions.

use crate::support::contract::is_built;
use crate::support::world::{Person, World};

/// The ids of users and of roles, in this order, are 1, 2, 3 ...
const PEOPLE: [Person; 5] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("second", "PLATFORM_ADMIN UNIVERSITY_ADMIN@1"),
    ("stu", "STUDENT@1"),
    ("bob", ""),
];

/// Sends a request as `caller`; a concurrent writer runs `sql` right before the batch with this statement.
async fn ask(caller: &str, request: &str, statement: &'static str, sql: &'static str, status: u16) -> World {
    let world = World::overtaken(&PEOPLE, statement, sql);
    world.sign_in(caller).await.ask(request).await.expect(status);
    world
}

fn count(world: &World, sql: &str) -> i64 {
    world.service.db.one(&format!("SELECT count(*) FROM {sql}"))
}

#[tokio::test]
async fn two_administrators_removing_each_other_leave_one() {
    let remove = "DELETE FROM user_university_roles";
    let erase = "SET email = 'erased:'";
    let password = r#"{"password": "correct horse battery staple"}"#;
    for (caller, request, statement, concurrent, status) in [
        (
            "root",
            "DELETE /universities/1/roles/3".to_owned(),
            remove,
            "DELETE FROM user_university_roles WHERE id = 1",
            403,
        ),
        (
            "ulla",
            "DELETE /universities/1/roles/4".to_owned(),
            remove,
            "DELETE FROM user_university_roles WHERE id = 2",
            403,
        ),
        (
            "root",
            "DELETE /universities/1/roles/3".to_owned(),
            remove,
            "UPDATE users SET is_active = 0 WHERE id = 1",
            403,
        ),
        (
            "root",
            "DELETE /universities/1/roles/2".to_owned(),
            remove,
            "UPDATE users SET is_active = 0 WHERE id = 3",
            409,
        ),
        (
            "root",
            r#"PATCH /admin/users/3 {"is_active": false, "full_name": "Gone"}"#.to_owned(),
            "UPDATE users SET is_active",
            "DELETE FROM user_university_roles WHERE id = 1",
            403,
        ),
        (
            "second",
            r#"PATCH /admin/users/3 {"is_active": false, "full_name": "Gone"}"#.to_owned(),
            "UPDATE users SET is_active",
            "UPDATE users SET is_active = 0 WHERE id = 1",
            409,
        ),
        ("root", "DELETE /admin/users/3".to_owned(), erase, "UPDATE users SET is_active = 0 WHERE id IN (1, 2)", 403),
        ("root", "DELETE /admin/users/3".to_owned(), erase, "UPDATE users SET is_active = 0 WHERE id = 2", 409),
        (
            "second",
            format!("DELETE /users/me {password}"),
            erase,
            "UPDATE users SET is_active = 0 WHERE id IN (1, 2)",
            409,
        ),
    ] {
        let world = ask(caller, &request, statement, concurrent, status).await;
        let active =
            "user_university_roles AS g JOIN users AS u ON u.id = g.user_id WHERE u.is_active = 1 AND role LIKE";
        assert!(count(&world, &format!("{active} 'PLATFORM%'")) >= 1, "{request}, and {concurrent}");
        assert!(count(&world, &format!("{active} 'UNIVERSITY%'")) >= 1, "{request}, and {concurrent}");
        assert_eq!(count(&world, "users WHERE full_name IS NOT NULL"), 0, "a change is applied in full or not at all");
    }
}

#[tokio::test]
async fn a_caller_that_lost_its_role_concurrently_grants_and_revokes_nothing() {
    let grant = r#"POST /universities/1/roles {"email": "bob@example.com", "role": "UNIVERSITY_ADMIN"}"#;
    let (granting, revoking) = ("INSERT INTO user_university_roles", "DELETE FROM user_university_roles");
    let lost = "DELETE FROM user_university_roles WHERE id = 2";
    let disabled = "UPDATE users SET is_active = 0 WHERE id = 2";
    for (request, statement, concurrent, roles) in [
        (grant, granting, lost, 4),
        (grant, granting, disabled, 5),
        ("DELETE /universities/1/roles/5", revoking, lost, 4),
        ("DELETE /universities/1/roles/5", revoking, disabled, 5),
        // The caller's own role.
        ("DELETE /universities/1/roles/2", revoking, disabled, 5),
    ] {
        let world = World::overtaken(&PEOPLE, statement, concurrent);
        world.sign_in("ulla").await.ask(request).await.expect_error(403, "FORBIDDEN");
        assert_eq!(count(&world, "user_university_roles"), roles, "{request}, and {concurrent}");
        assert_eq!(count(&world, "audit_events WHERE type LIKE 'role%'"), 0, "{request}, and {concurrent}");
    }
}

#[tokio::test]
async fn a_conflicting_concurrent_write_is_409() {
    let grant = r#"POST /universities/1/roles {"user_id": 5, "role": "TA"}"#;
    let course = r#"POST /universities/1/courses {"title": "N", "code": "N1", "is_public": true}"#;
    for (caller, request, statement, concurrent) in [
        (
            "root",
            grant,
            "INSERT INTO user_university_roles",
            "INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (5, 1, 'TA', 1)",
        ),
        (
            "ulla",
            course,
            "INSERT INTO courses",
            "INSERT INTO courses (university_id, title, code, is_public, created_at) VALUES (1, 'M', 'N1', 1, 1)",
        ),
        (
            "stu",
            "POST /courses/1/enrollments",
            "INSERT INTO enrollments",
            "INSERT INTO enrollments (course_id, user_id, created_at) VALUES (1, 4, 1)",
        ),
        (
            "ulla",
            "DELETE /universities/1/departments/3",
            "DELETE FROM departments",
            "UPDATE courses SET department_id = 3 WHERE id = 3",
        ),
    ] {
        if !is_built(request) {
            continue;
        }
        ask(caller, request, statement, concurrent, 409).await;
    }
}

#[tokio::test]
async fn concurrently_deleted_rows_are_not_written() {
    let grant = r#"POST /universities/1/roles {"user_id": 5, "role": "TA", "department_id": 3}"#;
    let erased = "UPDATE users SET erasure_cursor = 0, is_active = 0, email = 'erased:5' WHERE id = 5";
    let no_department = "DELETE FROM departments WHERE id = 3";
    for (caller, request, statement, concurrent, status) in [
        ("root", grant, "INSERT INTO user_university_roles", erased, 404),
        ("root", grant, "INSERT INTO user_university_roles", no_department, 422),
        ("ulla", r#"PATCH /courses/3 {"department_id": 3}"#, "UPDATE courses", no_department, 422),
        ("ulla", r#"PATCH /courses/3 {"title": "N"}"#, "UPDATE courses", "DELETE FROM courses WHERE id = 3", 404),
        ("ulla", "DELETE /courses/3", "DELETE FROM courses", "DELETE FROM courses WHERE id = 3", 404),
        ("ulla", "DELETE /universities/1/departments/3", "DELETE FROM departments", no_department, 404),
        (
            "ulla",
            "DELETE /universities/1/roles/5",
            "DELETE FROM user_university_roles",
            "DELETE FROM user_university_roles WHERE id = 5",
            404,
        ),
        ("root", r#"PATCH /admin/users/5 {"full_name": "Bob"}"#, "UPDATE users SET is_active", erased, 404),
        ("root", "POST /admin/users/5/logout", "held.role", erased, 404),
    ] {
        if !is_built(request) {
            continue;
        }
        let world = ask(caller, request, statement, concurrent, status).await;
        assert_eq!(count(&world, "user_university_roles WHERE user_id = 5"), 0, "{request}");
        assert_eq!(count(&world, "audit_events WHERE type NOT LIKE 'signed_in'"), 0, "{request}");
    }
}

#[tokio::test]
async fn concurrently_unpublished_or_deleted_resources_are_reported_as_such() {
    let hide = "UPDATE courses SET is_public = 0";
    let delete = "DELETE FROM courses WHERE id = 3";
    let no_university = "DELETE FROM universities WHERE id = 7";
    let department = r#"POST /universities/7/departments {"name": "N"}"#;
    let course = r#"POST /universities/7/courses {"title": "N", "code": "N", "is_public": true}"#;
    for (caller, request, statement, concurrent, status) in [
        ("stu", "POST /courses/3/enrollments", "INSERT INTO enrollments", hide, 403),
        ("stu", "POST /courses/3/enrollments", "INSERT INTO enrollments", delete, 404),
        ("root", department, "INSERT INTO departments", no_university, 404),
        ("root", course, "INSERT INTO courses", no_university, 404),
        ("root", "DELETE /universities/7", "DELETE FROM universities", no_university, 404),
    ] {
        if !is_built(request) {
            continue;
        }
        let world = World::overtaken(&PEOPLE, statement, concurrent);
        world.service.db.execute("INSERT INTO universities (id, name, slug, created_at) VALUES (7, 'N', 'n', 1)");
        let reply = world.sign_in(caller).await.ask(request).await;
        assert_eq!(count(&world, "enrollments"), 0);
        assert_eq!(reply.status, status, "{request}, and {concurrent}: {reply:?}");
    }
}

#[cfg(feature = "campus")]
#[tokio::test]
async fn a_concurrently_disabled_student_is_not_enrolled() {
    let disabled = "UPDATE users SET is_active = 0 WHERE id = 4";
    let world = World::overtaken(&PEOPLE, "INSERT INTO enrollments", disabled);
    let reply = world.sign_in("stu").await.ask("POST /courses/3/enrollments").await;
    reply.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(count(&world, "enrollments"), 0);
}

#[cfg(feature = "campus")]
#[tokio::test]
async fn a_course_moved_out_of_the_department_concurrently_is_unchanged() {
    let people: [Person; 2] = [("dora", "DEPARTMENT_ADMIN@1/1"), ("stu", "STUDENT@1")];
    let moved = "UPDATE courses SET department_id = 2 WHERE id = 1";
    for (request, statement) in [
        (r#"PATCH /courses/1 {"title": "Hers", "is_public": false}"#, "UPDATE courses"),
        ("DELETE /courses/1", "DELETE FROM courses"),
    ] {
        let world = World::overtaken(&people, statement, moved);
        let enrollment = world.enroll("stu", 1);
        world.sign_in("dora").await.ask(request).await.expect_error(409, "CONFLICT");
        assert_eq!(count(&world, "courses WHERE id = 1 AND title <> 'Hers' AND is_public = 1"), 1, "{request}");
        assert_eq!(count(&world, &format!("enrollments WHERE id = {enrollment}")), 1, "{request}");
        world.sign_in("dora").await.ask(request).await.expect_error(403, "FORBIDDEN");
    }
}

/// Access was decided in an earlier batch, so each write asks again whether the actor is an active administrator.
#[tokio::test]
async fn an_administrator_that_is_stopped_concurrently_changes_no_user() {
    for stopped in [
        "UPDATE users SET is_active = 0 WHERE id = 1",
        "DELETE FROM user_university_roles WHERE user_id = 1",
        "UPDATE users SET erasure_cursor = 0, is_active = 0, email = 'erased:1' WHERE id = 1",
    ] {
        for request in [
            r#"PATCH /admin/users/5 {"is_active": false, "full_name": "Bob"}"#,
            r#"PATCH /admin/users/5 {"full_name": "Bob"}"#,
            "POST /admin/users/5/logout",
            "POST /admin/users/5/unlock",
            "DELETE /admin/users/5",
        ] {
            let world = World::overtaken(&PEOPLE, "held.role", stopped);
            let bob = world.sign_in("bob").await;
            world.sign_in("root").await.ask(request).await.expect_error(403, "FORBIDDEN");
            bob.ask("GET /users/me").await.expect(200);
            assert_eq!(count(&world, "users WHERE id = 5 AND full_name IS NULL AND is_active = 1"), 1, "{request}");
            assert_eq!(count(&world, "audit_events WHERE type <> 'signed_in'"), 0, "{request}");
        }
    }
}

#[tokio::test]
async fn an_administrator_may_disable_their_own_account() {
    let world = World::of(&PEOPLE);
    world
        .service
        .db
        .execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (5, 'PLATFORM_ADMIN', 1)");
    let bob = world.sign_in("bob").await;
    bob.ask(r#"PATCH /admin/users/5 {"is_active": false, "full_name": "Bob"}"#).await.expect(200);
    assert_eq!(count(&world, "users WHERE id = 5 AND full_name = 'Bob' AND is_active = 0"), 1);
    assert_eq!(count(&world, "sessions WHERE user_id = 5"), 0);
}

#[tokio::test]
async fn a_concurrently_erased_administrator_leaves_no_address() {
    let erased = "UPDATE users SET erasure_cursor = 0, is_active = 0, email = 'erased:1' WHERE id = 1";
    for (request, statement, events) in
        [("DELETE /universities/7", "DELETE FROM universities", "type = 'role_removed'")]
    {
        let world = World::overtaken(&PEOPLE, statement, erased);
        world.service.db.execute(
            "INSERT INTO universities (id, name, slug, created_at) VALUES (7, 'N', 'n', 1);
             INSERT INTO user_university_roles (user_id, university_id, role, created_at) VALUES (5, 7, 'TA', 1)",
        );
        world.sign_in("stu").await;
        world.sign_in("root").await.ask(request).await;
        let of_root = format!("audit_events WHERE actor_id = 1 AND {events}");
        assert_eq!(count(&world, &of_root), 1, "{request}");
        let traces = format!("{of_root} AND (ip IS NOT NULL OR user_agent IS NOT NULL OR request_id <> '')");
        assert_eq!(count(&world, &traces), 0, "{request}");
    }
}
