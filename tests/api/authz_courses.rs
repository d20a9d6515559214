//! `/authz/check` about courses and enrolments.

use serde_json::json;

use crate::authz::{PEOPLE, UNKNOWN, check};
use crate::support::world::World;

#[tokio::test]
async fn contradicting_ids_name_no_resource() {
    let world = World::of(&PEOPLE);
    world.enroll("own", 1);
    let contradictions = [
        json!({"course_id": 1, "university_id": 2}),
        json!({"course_id": 1, "department_id": 2}),
        json!({"course_id": 3, "department_id": 1}),
        json!({"course_id": 1, "university_id": 1, "department_id": 4}),
        json!({"enrollment_id": 1, "university_id": 2}),
        json!({"enrollment_id": 1, "department_id": 2}),
        json!({"enrollment_id": 1, "course_id": 3}),
    ];
    for name in ["U", "P"] {
        let visitor = world.sign_in(name).await;
        for ids in &contradictions {
            let mut question = ids.clone();
            question["permission"] = json!("enrollments:view");
            assert_eq!(check(&visitor, &question).await, (false, UNKNOWN.to_owned()), "{name} {question}");
        }
        let agreeing =
            json!({"permission": "enrollments:view", "enrollment_id": 1, "university_id": 1, "department_id": 1});
        assert!(check(&visitor, &agreeing).await.0, "{name}");
    }
}

#[tokio::test]
async fn an_enrolment_may_be_named_together_with_its_course() {
    let world = World::of(&PEOPLE);
    world.enroll("own", 1);
    for name in ["own", "T1", "U", "P"] {
        let alone = json!({"permission": "enrollments:view", "enrollment_id": 1});
        let with_course = json!({"permission": "enrollments:view", "enrollment_id": 1, "course_id": 1});
        let visitor = world.sign_in(name).await;
        assert_eq!(check(&visitor, &with_course).await, check(&visitor, &alone).await, "{name}");
    }
}

#[tokio::test]
async fn an_unpublished_course_takes_no_enrolments() {
    let world = World::of(&PEOPLE);
    let student = world.sign_in("S").await;
    student.ask("POST /courses/2/enrollments").await.expect_error(403, "FORBIDDEN");
    let question = json!({"permission": "enrollments:create", "course_id": 2});
    assert_eq!(check(&student, &question).await, (false, "the course is not published".to_owned()));
}

#[tokio::test]
async fn any_user_may_see_a_published_course() {
    let world = World::of(&PEOPLE);
    for name in ["new", "xU"] {
        let visitor = world.sign_in(name).await;
        visitor.ask("GET /courses/1").await.expect(200);
        let question = json!({"permission": "courses:view", "course_id": 1});
        assert_eq!(check(&visitor, &question).await, (true, "published".to_owned()), "{name}");
    }
}
