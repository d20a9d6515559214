//! Audit events of acts of administrators and operators on universities, departments, courses, enrolments of others and
//! the circuit breaker.

use axum::body::Body;
use axum::http::Request;
use edge_auth::domain::time::DAY;
use edge_auth::service::platform::clean_up::clean_up;
use edge_auth::store::Store;
use serde_json::{Value, json};

use crate::support::contract::is_built;
use crate::support::world::{Person, World};
use crate::support::{Service, clock};

const PEOPLE: [Person; 5] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("stu", "STUDENT@1"),
    ("second", "PLATFORM_ADMIN"),
];

const OPERATOR_KEY: &str = "an-operator-key-of-the-tests-0123456789";

/// `[type, reason, user, actor, university, object]` of every event, oldest first.
fn recorded(service: &Service) -> Vec<Value> {
    let members = ["type", "reason", "user_id", "actor_id", "university_id", "object_id"];
    let rows = service.db.rows("SELECT * FROM audit_events ORDER BY id");
    rows.iter().map(|row| json!(members.map(|member| row[member].clone()))).collect()
}

/// Requests in order: the user, the status, the request, and the event that it leaves, if any.
const ACTS: [(&str, u16, &str, Option<&str>); 25] = [
    ("root", 201, r#"POST /universities {"name": "New", "slug": "new"}"#, Some("university_created 1 3 -")),
    ("root", 409, r#"POST /universities {"name": "New", "slug": "new"}"#, None),
    ("root", 200, r#"PATCH /universities/3 {"name": "Newer"}"#, Some("university_changed 1 3 -")),
    ("root", 200, r#"PATCH /universities/3 {"name": "Newer", "slug": "new"}"#, None),
    ("root", 409, r#"PATCH /universities/3 {"name": "Newest", "slug": "here"}"#, None),
    ("root", 404, r#"PATCH /universities/9 {"name": "Newest"}"#, None),
    ("root", 409, "DELETE /universities/1", None),
    ("ulla", 201, r#"POST /universities/1/departments {"name": "New"}"#, Some("department_created 2 1 5")),
    ("ulla", 409, r#"POST /universities/1/departments {"name": "New"}"#, None),
    ("ulla", 204, "DELETE /universities/1/departments/5", Some("department_deleted 2 1 5")),
    ("ulla", 404, "DELETE /universities/1/departments/5", None),
    ("ulla", 409, "DELETE /universities/1/departments/1", None),
    ("root", 204, "DELETE /universities/3", Some("university_deleted 1 3 -")),
    (
        "dora",
        201,
        r#"POST /universities/1/courses {"title": "N", "code": "N1", "department_id": 1, "is_public": true}"#,
        Some("course_created 3 1 6"),
    ),
    (
        "dora",
        409,
        r#"POST /universities/1/courses {"title": "N", "code": "N1", "department_id": 1, "is_public": true}"#,
        None,
    ),
    ("dora", 200, r#"PATCH /courses/6 {"is_public": false}"#, Some("course_changed 3 1 6")),
    ("dora", 200, r#"PATCH /courses/6 {"is_public": false, "title": "N", "code": "N1", "department_id": 1}"#, None),
    ("dora", 409, r#"PATCH /courses/6 {"title": "O", "code": "P1"}"#, None),
    ("ulla", 422, r#"PATCH /courses/6 {"department_id": 77}"#, None),
    ("ulla", 200, r#"PATCH /courses/6 {"department_id": null}"#, Some("course_changed 2 1 6")),
    ("ulla", 200, r#"PATCH /courses/6 {"department_id": null}"#, None),
    ("ulla", 204, "DELETE /courses/6", Some("course_deleted 2 1 6")),
    ("ulla", 404, "DELETE /courses/6", None),
    ("stu", 201, "POST /courses/1/enrollments", None),
    ("stu", 204, "DELETE /enrollments/1", None),
];

#[tokio::test]
async fn acts_on_universities_departments_and_courses_leave_one_event_each() {
    let world = World::of(&PEOPLE);
    for (caller, status, request, expected) in ACTS.into_iter().filter(|(_, _, request, _)| is_built(request)) {
        let visitor = world.sign_in(caller).await;
        world.service.db.execute("DELETE FROM audit_events");
        visitor.ask(request).await.expect(status);
        let expected = expected.map(|text| {
            let [event_type, actor, university, object] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let id = |text: &str| text.parse::<i64>().map_or(Value::Null, Into::into);
            json!([event_type, null, null, id(actor), id(university), id(object)])
        });
        assert_eq!(recorded(&world.service), expected.into_iter().collect::<Vec<_>>(), "{request}");
    }
}

#[cfg(feature = "campus")]
#[tokio::test]
async fn an_enrolment_ended_by_another_user_is_an_event_about_its_owner() {
    let world = World::of(&PEOPLE);
    let (ulla, enrollment) = (world.sign_in("ulla").await, world.enroll("stu", 1));
    world.service.db.execute("DELETE FROM audit_events");
    ulla.ask(&format!("DELETE /enrollments/{enrollment}")).await.expect(204);
    let (stu, actor) = (world.id("stu"), world.id("ulla"));
    assert_eq!(recorded(&world.service), [json!(["enrollment_ended", null, stu, actor, 1, 1])]);
    ulla.ask(&format!("DELETE /enrollments/{enrollment}")).await.expect(404);
    // The owner sees the event, without the address of the administrator.
    let export = world.sign_in("stu").await.ask("GET /users/me/export").await.expect(200).body;
    let events = export["audit_events"].as_array().unwrap();
    let event = events.iter().find(|event| event["type"] == "enrollment_ended").unwrap();
    assert_eq!((&event["ip"], &event["user_agent"]), (&Value::Null, &Value::Null));
}

#[cfg(feature = "campus")]
#[tokio::test]
async fn a_course_overtaken_by_a_move_is_not_recorded_as_changed_or_deleted() {
    for (request, statement) in
        [(r#"PATCH /courses/1 {"title": "Renamed"}"#, "UPDATE courses"), ("DELETE /courses/1", "DELETE FROM courses")]
    {
        let world = World::overtaken(&PEOPLE, statement, "UPDATE courses SET department_id = 2 WHERE id = 1");
        let dora = world.sign_in("dora").await;
        world.service.db.execute("DELETE FROM audit_events");
        dora.ask(request).await.expect_error(409, "CONFLICT");
        assert_eq!(recorded(&world.service), Vec::<Value>::new(), "{request}");
    }
}

#[tokio::test]
async fn administrators_read_acts_with_university_object_and_ray() {
    let world = World::of(&PEOPLE);
    let ulla = world.sign_in("ulla").await.ask(r#"POST /universities/1/departments {"name": "New"}"#).await;
    assert_eq!(ulla.body["id"], 5);
    world.service.db.execute("UPDATE audit_events SET ray = '230b030023ae2822-SJC' WHERE type LIKE 'department%'");
    let root = world.sign_in("root").await;
    let events = root.all("/admin/audit-events?type=department_created").await;
    assert_eq!(events.len(), 1);
    let members = ["user_id", "actor_id", "university_id", "object_id", "ray"];
    let event = json!(members.map(|member| events[0][member].clone()));
    assert_eq!(event, json!([null, 2, 1, 5, "230b030023ae2822-SJC"]));
}

#[tokio::test]
async fn the_ray_of_a_request_is_in_its_events_and_in_the_export_until_the_erasure() {
    let world = World::of(&PEOPLE);
    let ray = |service: &Service| service.db.rows("SELECT ray FROM audit_events WHERE ray IS NOT NULL").len();
    let visitor = world.sign_in("second").await;
    let request = |method: &str, path: &str, body: Value| {
        let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
        request
            .header("CF-Ray", "230b030023ae2822-SJC")
            .header("Authorization", visitor.token())
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    world.service.send(request("PATCH", "/users/me", json!({"full_name": "S"}))).await.expect(200);
    world.service.send(request("PATCH", "/universities/1", json!({"name": "S"}))).await.expect(200);
    world.service.send(request("PATCH", "/admin/users/4", json!({"full_name": "S"}))).await.expect(200);
    assert_eq!(ray(&world.service), 3);
    let export = visitor.ask("GET /users/me/export").await.expect(200).body;
    let events = export["audit_events"].as_array().unwrap();
    let own = events.iter().find(|event| event["type"] == "profile_changed").unwrap();
    assert_eq!(own["ray"], "230b030023ae2822-SJC");
    world.sign_in("root").await.ask("DELETE /admin/users/5").await.expect(204);
    world.service.advance(DAY / 1000);
    let store = Store::new(world.service.db.clone(), world.service.gate());
    clean_up(&store, clock(), world.service.settings(), false).await.unwrap();
    assert_eq!(ray(&world.service), 0);
}

/// Sends an operator's command; returns the reply's status once the tasks behind the response have run.
async fn command(service: &Service, state: &str) -> u16 {
    let request = Request::post("/operator/circuit-breaker").header("Authorization", format!("Bearer {OPERATOR_KEY}"));
    let request = request.header("Content-Type", "application/json").header("CF-Connecting-IP", "203.0.113.7");
    let reply = service.send(request.body(Body::from(json!({"state": state}).to_string())).unwrap()).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    reply.status
}

#[tokio::test]
async fn commands_of_the_operator_are_logged_and_recorded_behind_the_response() {
    let service = Service::with(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    for state in ["open", "closed", "automatic"] {
        service.db.execute("DELETE FROM audit_events");
        assert_eq!(command(&service, state).await, 200);
        assert_eq!(recorded(&service), [json!(["breaker_commanded", state, null, null, null, null])], "{state}");
        assert_eq!(service.db.one::<String>("SELECT ip FROM audit_events"), "203.0.113.7");
        let line = service.logs("Operator commands the circuit breaker").pop().unwrap();
        assert_eq!((&line["level"], &line["command"]), (&"WARNING".into(), &state.into()));
        assert_eq!(line["network"], "203.0.113.0/24");
        assert_eq!(service.last_d1_calls(), 0);
    }
    let wrong = Request::post("/operator/circuit-breaker").header("Authorization", "Bearer wrong");
    service.send(wrong.body(Body::from("{}")).unwrap()).await.expect(401);
    assert_eq!(service.logs("Operator commands the circuit breaker").len(), 3);
}

#[tokio::test]
async fn commands_of_the_operator_work_while_the_database_is_down() {
    let service = Service::with(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    service.db.execute("DROP TABLE audit_events");
    for state in ["open", "closed", "automatic", "open"] {
        assert_eq!(command(&service, state).await, 200);
    }
    assert_eq!(service.logs("Operator commands the circuit breaker").len(), 4);
    let failures = service.logs("Command is not in the audit log");
    assert_eq!(failures.len(), 4);
    assert_eq!((&failures[3]["level"], &failures[3]["command"]), (&"WARNING".into(), &"open".into()));
}
