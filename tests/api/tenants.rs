//! Resources of another university are indistinguishable from missing ones: by status, body, headers, round trips, and
//! by paging through a list.

use serde_json::Value;

use crate::support::Reply;
use crate::support::contract::is_built;
use crate::support::world::{Visitor, World};

/// A world with an administrator in each university and an enrolment in the second.
fn world() -> World {
    let world = World::of(&[
        ("ulla", "UNIVERSITY_ADMIN@1"),
        ("dora", "DEPARTMENT_ADMIN@1/1"),
        ("xenia", "UNIVERSITY_ADMIN@2"),
        ("xavi", "STUDENT@2 TA@2/4"),
        ("nobody", ""),
        ("root", "PLATFORM_ADMIN"),
    ]);
    world.enroll("xavi", 4);
    world
}

/// Everything a client sees of a reply, except the request id.
fn seen(reply: &Reply) -> (u16, Value, Vec<(String, String)>) {
    let mut body = reply.body.clone();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    let headers = reply.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    (reply.status, body, headers.map(|(name, value)| (name.to_string(), text(value))).collect())
}

/// Sends both requests in turn: replies and numbers of round trips are the same.
async fn assert_same(world: &World, visitor: &Visitor<'_>, theirs: &str, unknown: &str, status: u16) {
    let before = world.dump();
    let first = visitor.ask(theirs).await.expect(status);
    let first_calls = world.service.last_d1_calls();
    let second = visitor.ask(unknown).await;
    assert_eq!(seen(&first), seen(&second), "{theirs} and {unknown}");
    assert_eq!(first_calls, world.service.last_d1_calls(), "{theirs} and {unknown}");
    assert_eq!(world.dump(), before, "{theirs}");
}

#[tokio::test]
async fn resources_of_another_university_look_like_missing_ones() {
    let world = world();
    let grant = world.grant("xavi", "TA@2/4").to_string();
    let requests: [(&str, &str); 22] = [
        ("GET /universities/{}", "2"),
        (r#"PATCH /universities/{} {"name": "Mine"}"#, "2"),
        ("DELETE /universities/{}", "2"),
        ("GET /universities/{}/departments", "2"),
        (r#"POST /universities/{}/departments {"name": "Mine"}"#, "2"),
        ("DELETE /universities/{}/departments/4", "2"),
        ("DELETE /universities/1/departments/{}", "4"),
        ("GET /universities/{}/roles", "2"),
        (r#"POST /universities/{}/roles {"user_id": 1, "role": "STUDENT"}"#, "2"),
        (r#"POST /universities/{}/roles {"not": "a role"}"#, "2"),
        ("DELETE /universities/1/roles/{}", &grant),
        ("DELETE /universities/{}/roles/1", "2"),
        ("GET /universities/{}/courses", "2"),
        (r#"POST /universities/{}/courses {"title": "A", "code": "B", "is_public": true}"#, "2"),
        ("GET /courses/{}", "5"),
        (r#"PATCH /courses/{} {"title": "Mine"}"#, "4"),
        ("DELETE /courses/{}", "4"),
        ("GET /courses/{}/enrollments", "4"),
        ("POST /courses/{}/enrollments", "4"),
        ("GET /enrollments/{}", "1"),
        ("DELETE /enrollments/{}", "1"),
        ("GET /courses/{}/enrollments?limit=0", "5"),
    ];
    for name in ["ulla", "dora", "nobody"] {
        let visitor = world.sign_in(name).await;
        for (request, id) in requests {
            if name == "dora" && request.starts_with("DELETE /universities/1/departments") {
                // She may delete no department at all: 403 for an unknown one as well.
                continue;
            }
            if !is_built(request) {
                continue;
            }
            let [theirs, unknown] = [id, "999"].map(|id| request.replace("{}", id));
            assert_same(&world, &visitor, &theirs, &unknown, 404).await;
        }
    }
}

#[tokio::test]
async fn another_universitys_department_in_a_body_is_unknown() {
    let world = world();
    let (ulla, dora) = (world.sign_in("ulla").await, world.sign_in("dora").await);
    let requests = [
        r#"POST /universities/1/courses {"title": "A", "code": "B", "is_public": true, "department_id": {}}"#,
        r#"PATCH /courses/1 {"department_id": {}}"#,
        r#"POST /universities/1/roles {"user_id": 1, "role": "TA", "department_id": {}}"#,
    ];
    for request in requests.into_iter().filter(|request| is_built(request)) {
        let [theirs, unknown] = ["4", "999"].map(|id| request.replace("{}", id));
        assert_same(&world, &ulla, &theirs, &unknown, 422).await;
        let fault = ulla.ask(&theirs).await.body["error"]["details"]["errors"][0].take();
        assert_eq!(fault["loc"], serde_json::json!(["body", "department_id"]), "{request}");
        assert_same(&world, &dora, &theirs, &unknown, 403).await;
    }
}

#[tokio::test]
async fn the_id_of_another_universitys_member_looks_unknown() {
    let world = world();
    let xavi = world.id("xavi").to_string();
    for (name, department) in [("ulla", "null"), ("ulla", "1"), ("dora", "1")] {
        let visitor = world.sign_in(name).await;
        for role in ["STUDENT", "TA", "INSTRUCTOR"] {
            let request = |id: &str| {
                let body = format!(r#"{{"user_id": {id}, "role": "{role}", "department_id": {department}}}"#);
                format!("POST /universities/1/roles {body}")
            };
            assert_same(&world, &visitor, &request(&xavi), &request("999"), 404).await;
        }
    }
}

#[tokio::test]
async fn a_platform_administrator_sees_every_existing_resource() {
    let world = world();
    let root = world.sign_in("root").await;
    let there = ["/universities/2", "/courses/5", "/courses/4/enrollments", "/enrollments/1", "/universities/2/roles"];
    for path in there.into_iter().filter(|path| is_built(path)) {
        root.ask(&format!("GET {path}")).await.expect(200);
    }
    for path in ["/universities/999", "/courses/999", "/enrollments/999", "/universities/999/roles"] {
        root.ask(&format!("GET {path}")).await.expect_error(404, "NOT_FOUND");
    }
    let grant = world.grant("ulla", "UNIVERSITY_ADMIN@1");
    root.ask(&format!("DELETE /universities/2/roles/{grant}")).await.expect_error(404, "NOT_FOUND");
    root.ask("DELETE /universities/2/departments/1").await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_cursor_is_a_position_and_grants_no_access() {
    let world = world();
    world.service.db.execute("INSERT INTO enrollments (course_id, user_id, created_at) VALUES (1, 5, 1), (4, 5, 1)");
    let ulla = world.sign_in("ulla").await;
    let lists = [
        "/universities",
        "/universities/1/departments",
        "/universities/1/roles",
        "/universities/1/courses",
        "/courses",
        "/courses/1/enrollments",
    ];
    for path in lists.into_iter().filter(|path| is_built(path)) {
        let own = ulla.all(path).await;
        assert!(!own.is_empty(), "{path}");
        // Every position in the table, including rows of the other university and positions past the end.
        for cursor in 1..=12 {
            let page = ulla.ask(&format!("GET {path}?cursor={cursor}")).await.expect(200).body;
            let expected: Vec<_> = own.iter().filter(|item| item["id"].as_i64().unwrap() > cursor).collect();
            assert_eq!(page["items"].as_array().unwrap().iter().collect::<Vec<_>>(), expected, "{path} {cursor}");
            assert_eq!(page["next_cursor"], Value::Null);
        }
    }
}

#[tokio::test]
async fn a_malformed_id_is_404_and_401_without_a_token() {
    let world = world();
    let ulla = world.sign_in("ulla").await;
    let paths = ["/universities/{}", "/courses/{}/enrollments", "/enrollments/{}", "/universities/1/roles/{}"];
    for path in paths.into_iter().filter(|path| is_built(path)) {
        let method = if path.contains("roles") { "DELETE" } else { "GET" };
        for id in ["0", "-1", "01", "1.0", "x", "9007199254740992", "1%20", "%ff", "1%2F2", "+1"] {
            let request = format!("{method} {}", path.replace("{}", id));
            ulla.ask(&request).await.expect_error(404, "NOT_FOUND");
            world.anonymous().ask(&request).await.expect_error(401, "AUTH_TOKEN_INVALID");
        }
    }
}
