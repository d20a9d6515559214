//! The order of checks: path and method, limit per client network, access, limit per user, body. Nothing that is refused
//! earlier waits for the body.

use axum::http::{Request, header};
use edge_auth::http::routes::{Access, ROUTES};
use serde_json::json;

use crate::round_trips::{PEOPLE, SETTINGS, operations, prepared};
use crate::support::contract::{DESCRIPTION, operation};
use crate::support::machine::media_type;
use crate::support::watched_body::{Watch, interrupted_body, slow_body};
use crate::support::world::{Visitor, World};
use crate::support::{EMAIL, PASSWORD, Reply, Service};

fn world() -> World {
    World::through(&PEOPLE, SETTINGS, |db| db)
}

/// Sends a request with a body that never comes: the reply, and whether the service waited for the body.
async fn sent(world: &World, visitor: &Visitor<'_>, request: &str) -> (Reply, bool) {
    let watch = Watch::default();
    let mut head = visitor.request(request).0;
    let path = request.split(' ').nth(1).unwrap();
    head.headers_mut().unwrap().insert(header::CONTENT_TYPE, media_type(path).parse().unwrap());
    let reply = world.service.send(head.body(watch.body()).unwrap()).await;
    (reply, watch.was_asked())
}

fn takes_a_body(request: &str) -> bool {
    let (method, path) = request.split_once(' ').unwrap();
    let path = path.split([' ', '?']).next().unwrap();
    operation(&method.parse().unwrap(), path).unwrap()["requestBody"].is_object()
}

#[tokio::test]
async fn an_unknown_path_or_method_is_refused_without_the_body() {
    let world = world();
    for request in ["POST /nowhere", "POST /auth", "PUT /users/me/", "POST /health/"] {
        let (reply, was_asked) = sent(&world, &world.anonymous(), request).await;
        assert_eq!((reply.status, was_asked), (404, false), "{request}");
    }
    for route in ROUTES {
        let path = route.path.replace("{id}", "1").replace("{department_id}", "1").replace("{grant_id}", "1");
        let (reply, was_asked) = sent(&world, &world.anonymous(), &format!("TRACE {path}")).await;
        assert_eq!((reply.status, was_asked), (405, false), "{path}");
    }
}

#[tokio::test]
async fn a_caller_without_access_is_refused_without_the_body() {
    let world = world();
    let root = world.sign_in("root").await;
    world.set_active("root", false);
    for route in ROUTES.iter().filter(|route| !matches!(route.access, Access::Public | Access::OptionalUser)) {
        let path = route.path.replace("{id}", "1").replace("{department_id}", "1").replace("{grant_id}", "1");
        let request = format!("{} {path}", route.method);
        let (reply, was_asked) = sent(&world, &world.anonymous(), &request).await;
        assert_eq!((reply.status, was_asked), (401, false), "{request}");
        let (reply, was_asked) = sent(&world, &root, &request).await;
        let status = if matches!(route.access, Access::Operator | Access::Client) { 401 } else { 403 };
        assert_eq!((reply.status, was_asked), (status, false), "{request}");
    }
}

/// Every operation, by a caller that may: it waits for a body if it takes one, for at most its deadline, and changes
/// nothing without it.
#[tokio::test]
async fn a_late_body_is_refused_by_every_operation_that_takes_one_and_no_other_waits() {
    let world = world();
    for (_, operation, caller, request) in operations() {
        let (visitor, request) = prepared(&world, caller, request).await;
        let before = world.dump();
        if takes_a_body(&request) {
            let (reply, was_asked) = sent(&world, &visitor, &request).await;
            assert_eq!(reply.status, 408, "{operation}: {reply:?}");
            assert!(was_asked, "{operation}");
            assert_eq!(world.dump(), before, "{operation}");
            visitor.ask(&request).await;
        } else {
            let (reply, was_asked) = sent(&world, &visitor, &request).await;
            assert!((200..400).contains(&reply.status) && !was_asked, "{operation}: {reply:?}");
        }
    }
}

/// Media type, coding and announced length are part of the body: they come after access, and before the wait.
#[tokio::test]
async fn a_body_that_its_head_rules_out_is_refused_without_being_read() {
    let world = world();
    let bob = world.sign_in("bob").await;
    let json = ("Content-Type", "application/json");
    let refusals = [
        (415, vec![("Content-Type", "text/plain")]),
        (415, vec![]),
        (415, vec![json, ("Content-Encoding", "gzip")]),
        (413, vec![json, ("Content-Length", "16385")]),
    ];
    for (status, headers) in refusals {
        for (visitor, request, expected) in [
            (&world.anonymous(), "PATCH /users/me", 401),
            (&bob, "PATCH /users/me", status),
            (&world.anonymous(), "POST /auth/login", status),
            (&world.anonymous(), "POST /auth/logout-all", 401),
        ] {
            let watch = Watch::default();
            let head =
                headers.iter().fold(visitor.request(request).0, |head, (name, value)| head.header(*name, *value));
            let reply = world.service.send(head.body(watch.body()).unwrap()).await;
            assert_eq!((reply.status, watch.was_asked()), (expected, false), "{request} {headers:?}");
        }
    }
}

/// A slow client must not date its request back: the waits of the throttle and the life of tokens count from its end.
#[tokio::test]
async fn decisions_are_made_when_the_body_is_complete() {
    let service = Service::new();
    service.register(EMAIL).await;
    let body = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let request = Request::post("/auth/login").header("Content-Type", "application/json");
    service.send(request.body(slow_body(9, body)).unwrap()).await.expect(200);
    let lifetimes = "SELECT max(created_at) - min(created_at) FROM sessions";
    assert_eq!(service.db.one::<i64>(lifetimes), 9 * 1000);
}

/// A client that withholds its body acts with the rights that it has at the end of the body.
#[tokio::test]
async fn access_is_decided_again_after_a_slow_body() {
    for (seconds, sql, status) in [
        (0, "DELETE FROM sessions", 201),
        (2, "DELETE FROM sessions", 401),
        (2, "DELETE FROM user_university_roles WHERE role = 'PLATFORM_ADMIN'", 403),
        (2, "UPDATE users SET is_active = 0 WHERE id = 1", 403),
        (2, "SELECT 1", 201),
    ] {
        let world = World::of(&[("root", "PLATFORM_ADMIN")]);
        let root = world.sign_in("root").await;
        let db = world.service.db.clone();
        let (head, body) = root.request(r#"POST /universities {"name": "New", "slug": "new"}"#);
        let change = move || db.execute(sql);
        let reply = world.service.send(head.body(interrupted_body(seconds, body, change)).unwrap()).await;
        assert_eq!(reply.status, status, "{sql} after {seconds} s: {reply:?}");
        assert_eq!(
            world.service.db.one::<i64>("SELECT count(*) FROM universities WHERE slug = 'new'"),
            i64::from(status == 201)
        );
    }
}

#[test]
fn the_description_has_a_deadline_for_every_body() {
    for (path, item) in DESCRIPTION["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let has_deadline = operation["responses"]["408"].is_object();
            assert_eq!(has_deadline, operation["requestBody"].is_object(), "{method} {path}");
        }
    }
}
