//! Courses and enrolments: visibility, enrolment, changes and deletion.

use serde_json::{Value, json};

use crate::support::world::{Person, Visitor, World, address};
use crate::support::{EMAIL, PASSWORD, Service};

const PEOPLE: [Person; 6] = [
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("ines", "INSTRUCTOR@1/1"),
    ("stu", "STUDENT@1"),
    ("both", "STUDENT@1 STUDENT@2"),
    ("root", "PLATFORM_ADMIN"),
];

/// The ids of the courses that the visitor is shown, and of those with the visitor's enrolment.
async fn courses(visitor: &Visitor<'_>) -> (Vec<i64>, Vec<i64>) {
    let items = visitor.all("/courses").await;
    let id = |item: &Value| item["id"].as_i64().unwrap();
    let enrolled = items.iter().filter(|item| item["enrolled"] == true).map(id).collect();
    (items.iter().map(id).collect(), enrolled)
}

#[tokio::test]
async fn anonymous_callers_see_public_courses_only() {
    let world = World::of(&PEOPLE);
    let stranger = world.anonymous();
    assert_eq!(courses(&stranger).await, (vec![1, 3, 4], vec![]));
    assert_eq!(world.service.last_d1_calls(), 1);
    for (course, status) in [(1, 200), (2, 404), (3, 200), (4, 200), (5, 404), (99, 404)] {
        stranger.ask(&format!("GET /courses/{course}")).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), 1);
    }
    let course = stranger.ask("GET /courses/1").await.body;
    let expected = json!({"id": 1, "university_id": 1, "department_id": 1, "title": "Optics", "code": "P1",
                          "is_public": true, "created_at": "1970-01-01T00:00:00.001Z", "enrolled": false});
    assert_eq!(course, expected);
}

#[tokio::test]
async fn members_also_see_the_unpublished_courses_of_their_universities() {
    let world = World::of(&[PEOPLE.as_slice(), &[("own", "")]].concat());
    world.enroll("stu", 3);
    world.enroll("own", 4);
    world.enroll("own", 5);
    let cases = [
        ("stu", vec![1, 2, 3, 4], vec![3]),
        ("ines", vec![1, 2, 3, 4], vec![]),
        ("both", vec![1, 2, 3, 4, 5], vec![]),
        ("own", vec![1, 3, 4], vec![4]),
        ("root", vec![1, 2, 3, 4, 5], vec![]),
    ];
    for (name, all, enrolled) in cases {
        let visitor = world.sign_in(name).await;
        assert_eq!(courses(&visitor).await, (all.clone(), enrolled.clone()), "{name}");
        assert_eq!(world.service.last_d1_calls(), 1);
        for course in 1..=5 {
            let reply = visitor.ask(&format!("GET /courses/{course}")).await;
            assert_eq!(reply.status == 200, all.contains(&course), "{name} {course}");
            assert_eq!(reply.body["enrolled"] == true, enrolled.contains(&course), "{name} {course}");
        }
    }
}

#[tokio::test]
async fn an_invalid_token_counts_as_none_where_authentication_is_optional() {
    let foreign = Service::with(&[("SECRET_KEY", "another secret of another service.")]).register(EMAIL).await;
    let world = World::of(&PEOPLE);
    let login = async |name| world.service.login(&address(name), PASSWORD).await.expect(200).tokens();
    let (tokens, over, off) = (login("stu").await, login("stu").await, login("both").await);
    world.service.logout(&over.refresh).await.expect(200);
    world.set_active("both", false);
    let altered = format!("{}x", tokens.access);
    let bad = ["x", "a.b.c", "", &altered, &tokens.refresh, &over.access, &off.access, &foreign.access];
    let good = world.with_token(&tokens.access);
    assert_eq!(courses(&good).await.0, [1, 2, 3, 4]);
    for token in bad {
        let visitor = world.with_token(token);
        assert_eq!(courses(&visitor).await.0, [1, 3, 4], "{token}");
        visitor.ask("GET /courses/2").await.expect_error(404, "NOT_FOUND");
    }
    world.service.advance(900);
    assert_eq!(courses(&good).await.0, [1, 3, 4], "it has expired");
}

#[tokio::test]
async fn a_student_enrols_once_in_a_published_course() {
    let world = World::of(&PEOPLE);
    let stu = world.sign_in("stu").await;
    let enrollment = stu.ask("POST /courses/1/enrollments").await.expect(201).body;
    assert_eq!(world.service.last_d1_calls(), 2);
    assert_eq!((&enrollment["course_id"], &enrollment["user_id"]), (&json!(1), &json!(world.id("stu"))));
    let again = stu.ask("POST /courses/1/enrollments").await.expect_error(409, "CONFLICT");
    assert_eq!(again.body["error"]["message"], "Already enrolled");
    let hidden = stu.ask("POST /courses/2/enrollments").await.expect_error(403, "FORBIDDEN");
    assert_eq!(hidden.body["error"]["message"], "Course is not published");
    for name in ["ulla", "dora", "ines", "root"] {
        let reply = world.sign_in(name).await.ask("POST /courses/1/enrollments").await.expect_error(403, "FORBIDDEN");
        assert_eq!(reply.body["error"]["message"], "Not allowed", "{name}");
    }
    let path = format!("/enrollments/{}", enrollment["id"]);
    assert_eq!(stu.ask(&format!("GET {path}")).await.expect(200).body, enrollment);
    stu.ask(&format!("DELETE {path}")).await.expect(204);
    stu.ask(&format!("GET {path}")).await.expect_error(404, "NOT_FOUND");
    stu.ask(&format!("DELETE {path}")).await.expect_error(404, "NOT_FOUND");
    let next = stu.ask("POST /courses/1/enrollments").await.expect(201).body;
    assert!(next["id"].as_i64() > enrollment["id"].as_i64(), "ids are never reused");
}

#[tokio::test]
async fn other_students_enrolments_are_forbidden() {
    let world = World::of(&PEOPLE);
    let id = world.enroll("stu", 1);
    let both = world.sign_in("both").await;
    let reply = both.ask(&format!("GET /enrollments/{id}")).await.expect_error(403, "FORBIDDEN");
    assert_eq!(reply.body["error"]["message"], "Not your enrollment");
    both.ask(&format!("DELETE /enrollments/{id}")).await.expect_error(403, "FORBIDDEN");
    let ines = world.sign_in("ines").await;
    ines.ask(&format!("GET /enrollments/{id}")).await.expect(200);
    ines.ask(&format!("DELETE /enrollments/{id}")).await.expect_error(403, "FORBIDDEN");
    let participants = ines.all("/courses/1/enrollments").await;
    assert_eq!(participants.len(), 1);
    let expected = json!({"id": id, "course_id": 1, "user_id": world.id("stu"), "email": address("stu"),
                          "full_name": null, "created_at": "1970-01-01T00:00:00.001Z"});
    assert_eq!(participants[0], expected);
}

#[tokio::test]
async fn an_enrolment_outlives_the_role_but_does_not_reveal_an_unpublished_course() {
    let world = World::of(&PEOPLE);
    let (ulla, stu) = (world.sign_in("ulla").await, world.sign_in("stu").await);
    let id = stu.ask("POST /courses/1/enrollments").await.expect(201).body["id"].take();
    ulla.ask(r#"PATCH /courses/1 {"is_public": false}"#).await.expect(200);
    stu.ask("GET /courses/1").await.expect(200);
    let role = world.grant("stu", "STUDENT@1");
    ulla.ask(&format!("DELETE /universities/1/roles/{role}")).await.expect(204);
    assert_eq!(courses(&stu).await, (vec![3, 4], vec![]));
    stu.ask("GET /courses/1").await.expect_error(404, "NOT_FOUND");
    stu.ask(&format!("GET /enrollments/{id}")).await.expect(200);
    stu.ask("POST /courses/3/enrollments").await.expect_error(404, "NOT_FOUND");
    ulla.ask(r#"PATCH /courses/1 {"is_public": true}"#).await.expect(200);
    assert_eq!(courses(&stu).await, (vec![1, 3, 4], vec![1]));
    stu.ask(&format!("DELETE /enrollments/{id}")).await.expect(204);
    assert_eq!(courses(&stu).await, (vec![1, 3, 4], vec![]));
}

#[tokio::test]
async fn a_patch_changes_only_the_members_it_names() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    let mut course = ulla.ask("GET /courses/1").await.expect(200).body;
    let steps = [
        (json!({}), json!({})),
        (json!({"title": "  Light "}), json!({"title": "Light"})),
        (json!({"code": "P9"}), json!({"code": "P9"})),
        (json!({"code": "P9"}), json!({})),
        (json!({"is_public": false}), json!({"is_public": false})),
        (json!({"department_id": 2}), json!({"department_id": 2})),
        (json!({"title": "Rays"}), json!({"title": "Rays"})),
        (json!({"department_id": null}), json!({"department_id": null})),
        (json!({"id": 9, "university_id": 2, "enrolled": true, "created_at": "2000-01-01T00:00:00Z"}), json!({})),
    ];
    for (change, difference) in steps {
        course.as_object_mut().unwrap().extend(difference.as_object().unwrap().clone());
        assert_eq!(ulla.ask(&format!("PATCH /courses/1 {change}")).await.expect(200).body, course, "{change}");
        assert_eq!(world.service.last_d1_calls(), 2);
        assert_eq!(ulla.ask("GET /courses/1").await.expect(200).body, course, "{change}");
    }
    let wrong = r#"{"title": null, "code": " ", "is_public": null, "department_id": "1"}"#;
    let faults = ulla.ask(&format!("PATCH /courses/1 {wrong}")).await.expect(422).faults();
    let expected = [
        ("title", "type_error"),
        ("code", "string_too_short"),
        ("is_public", "type_error"),
        ("department_id", "type_error"),
    ];
    assert_eq!(faults, expected.map(|(member, kind)| (member.to_owned(), kind.to_owned())));
    let faults = ulla.ask("POST /universities/1/courses {}").await.expect(422).faults();
    let missing = ["title", "code", "is_public"].map(|member| (member.to_owned(), "missing".to_owned()));
    assert_eq!(faults, missing);
}

#[tokio::test]
async fn a_course_moves_only_to_departments_the_caller_manages() {
    let world = World::of(&PEOPLE);
    let (dora, ulla) = (world.sign_in("dora").await, world.sign_in("ulla").await);
    let before = world.dump();
    for department in ["2", "null", "4", "99"] {
        let change = format!(r#"{{"title": "Moved", "department_id": {department}}}"#);
        dora.ask(&format!("PATCH /courses/1 {change}")).await.expect_error(403, "FORBIDDEN");
        let new = format!(r#"{{"title": "New", "code": "N1", "is_public": true, "department_id": {department}}}"#);
        dora.ask(&format!("POST /universities/1/courses {new}")).await.expect_error(403, "FORBIDDEN");
    }
    dora.ask(r#"PATCH /courses/3 {"department_id": 1}"#).await.expect_error(403, "FORBIDDEN");
    assert_eq!(world.dump(), before);
    dora.ask(r#"PATCH /courses/1 {"department_id": 1, "title": "Stays"}"#).await.expect(200);
    ulla.ask(r#"PATCH /courses/1 {"department_id": 2}"#).await.expect(200);
    dora.ask(r#"PATCH /courses/1 {"title": "Mine"}"#).await.expect_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn course_codes_are_unique_within_a_university() {
    let world = World::of(&PEOPLE);
    let (ulla, root) = (world.sign_in("ulla").await, world.sign_in("root").await);
    let new = |code: &str| format!(r#"courses {{"title": "New", "code": "{code}", "is_public": false}}"#);
    let before = world.dump();
    ulla.ask(&format!("POST /universities/1/{}", new(" P1 "))).await.expect_error(409, "CONFLICT");
    ulla.ask(r#"PATCH /courses/2 {"code": "P1", "title": "Not this either"}"#).await.expect_error(409, "CONFLICT");
    assert_eq!(world.dump(), before);
    root.ask(&format!("POST /universities/2/{}", new("R1"))).await.expect(201);
    let course = ulla.ask(&format!("POST /universities/1/{}", new("N1"))).await.expect(201).body;
    assert_eq!(world.service.last_d1_calls(), 2);
    assert_eq!((&course["department_id"], &course["enrolled"]), (&json!(null), &json!(false)));
}

/// Enrols this many new users in course 1.
fn enroll_many(world: &World, size: i64) {
    world.service.db.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 99 + {size})
         INSERT INTO users (id, email, password_hash, created_at) SELECT i, i || '@example.com', 'x', 1 FROM n;
         INSERT INTO enrollments (course_id, user_id, created_at) SELECT 1, id, 1 FROM users WHERE id >= 100;",
    ));
}

#[tokio::test]
async fn deleting_a_course_deletes_its_enrolments_a_thousand_at_a_time() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await;
    enroll_many(&world, 1000);
    world.enroll("stu", 1);
    world.enroll("stu", 3);
    ulla.ask("DELETE /courses/1").await.expect(204);
    assert_eq!(world.service.last_d1_calls(), 3);
    ulla.ask("DELETE /courses/1").await.expect_error(404, "NOT_FOUND");
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM enrollments"), 1, "those of others stay");
}

#[tokio::test]
async fn a_course_too_large_for_one_deletion_blocks_new_enrolments_first() {
    let world = World::of(&PEOPLE);
    let (ulla, stu) = (world.sign_in("ulla").await, world.sign_in("stu").await);
    enroll_many(&world, 20_001);
    let reply = ulla.ask("DELETE /courses/1").await.expect_error(409, "CONFLICT");
    assert_eq!(reply.body["error"]["message"], "Course still has enrollments: repeat the request");
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM enrollments WHERE course_id = 1"), 1);
    stu.ask("POST /courses/1/enrollments").await.expect_error(403, "FORBIDDEN");
    ulla.ask("DELETE /courses/1").await.expect(204);
}

#[tokio::test]
async fn an_export_lists_the_users_enrolments() {
    let world = World::of(&PEOPLE);
    let id = world.enroll("stu", 1);
    world.enroll("both", 3);
    let export = world.sign_in("stu").await.ask("GET /users/me/export").await.expect(200).body;
    let expected = json!([{"id": id, "course_id": 1, "created_at": "1970-01-01T00:00:00.001Z"}]);
    assert_eq!(export["enrollments"], expected);
}

/// A user may have any number of enrolments: with or without events on the same pages, each is exported once.
#[tokio::test]
async fn a_long_export_lists_each_enrolment_once() {
    for (courses, events) in [(249, 0), (250, 0), (251, 0), (600, 0), (600, 900), (260, 260)] {
        let world = World::of(&[("stu", "STUDENT@1"), ("tim", "STUDENT@1")]);
        world.service.db.execute(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {courses})
             INSERT INTO courses (id, university_id, title, code, is_public, created_at)
             SELECT 100 + i, 1, 'T', 'C' || i, 1, 1 FROM n;
             INSERT INTO enrollments (course_id, user_id, created_at)
             SELECT c.id, u.id, 1 FROM courses AS c, users AS u WHERE c.id > 100;
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {events})
             INSERT INTO audit_events (created_at, type, user_id, request_id)
             SELECT i, 'signed_out', 1, 'r' FROM n WHERE i > 0"
        ));
        let stu = world.sign_in("stu").await;
        let expected: i64 = world.service.db.one("SELECT count(*) FROM audit_events WHERE user_id = 1");
        let [mut enrolled, mut happened] = [Vec::new(), Vec::new()];
        let (mut cursor, mut pages) = (String::new(), 0);
        loop {
            let page = stu.ask(&format!("GET /users/me/export{cursor}")).await.expect(200).body;
            let column = |section: &str, member: &str| -> Vec<i64> {
                let rows = page[section].as_array().unwrap();
                assert!(rows.len() <= 250, "{section}");
                rows.iter().map(|row| row[member].as_i64().unwrap()).collect()
            };
            enrolled.extend(column("enrollments", "course_id"));
            happened.extend(column("audit_events", "id"));
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("?cursor={next}");
        }
        let descending: Vec<i64> = (101..=100 + courses).rev().collect();
        assert_eq!(enrolled, descending, "{courses} {events}");
        assert_eq!(i64::try_from(happened.len()).unwrap(), expected, "{courses} {events}");
        assert!(happened.is_sorted_by(|a, b| a > b));
        let full = (courses.max(expected) + 249) / 250;
        assert_eq!(pages, full, "{courses} {events}");
    }
}
