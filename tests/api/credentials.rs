//! Every route with every kind of credential: a route takes a session, and anything else only where its line says so.

use axum::body::Body;
use axum::http::Request;
use edge_auth::domain::ids::ApiKeyId;
use edge_auth::domain::machine::api_key::ApiKey;
use edge_auth::domain::machine::scope::Scope;
use edge_auth::http::routes::{Access, ROUTES, Route};

use crate::api_keys::make;
use crate::round_trips::counted;
use crate::service_accounts::add;
use crate::support::Reply;
use crate::support::contract::is_built;
use crate::support::federation::FEDERATION;
use crate::support::identities::with_identities_of;
use crate::support::world::{Person, World};

const PEOPLE: [Person; 2] = [("root", "PLATFORM_ADMIN"), ("bob", "")];

/// Sends a request to the route, without a body. The resources do not exist, since access comes first.
async fn try_route(world: &World, route: &Route, token: &str) -> Reply {
    let path = ["{id}", "{department_id}", "{grant_id}", "{key_id}"]
        .iter()
        .fold(route.path.to_owned(), |path, parameter| path.replace(parameter, "999"));
    let request = Request::builder().method(route.method).uri(path).header("Authorization", format!("Bearer {token}"));
    world.service.send(request.body(Body::empty()).unwrap()).await
}

/// The routes with a caller.
fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| matches!(route.access, Access::User | Access::Permit(..) | Access::OptionalUser))
}

fn is_refused(reply: &Reply) -> bool {
    reply.status == 401 || (reply.status == 403 && reply.body["error"]["code"] == "FORBIDDEN")
}

/// A key with every permission of a platform administrator, and an account with one scope, or with all but one.
#[tokio::test]
async fn a_route_takes_the_credentials_of_its_line_and_no_others() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let all: Vec<&str> = edge_auth::domain::authz::Permission::all().map(|(name, _)| name).collect();
    let (_, key) = make(&root, &all).await;
    let mut services = Vec::new();
    for scope in Scope::ALL {
        services.push((scope, add(&root, &[scope.as_str()]).await.1));
    }
    for route in routes() {
        let name = format!("{} {}", route.method, route.path);
        if route.access == Access::OptionalUser {
            // A credential that is not taken counts as none.
            assert!(!is_refused(&try_route(&world, route, &key).await), "{name}");
            continue;
        }
        let reply = try_route(&world, route, &key).await;
        assert_eq!(is_refused(&reply), !route.accepted.takes_keys(), "{name}: {reply:?}");
        for (scope, service) in &services {
            let reply = try_route(&world, route, service).await;
            assert_eq!(is_refused(&reply), route.accepted.scope() != Some(*scope), "{name} {scope:?}: {reply:?}");
            assert_eq!(world.service.last_d1_calls(), 1, "{name}");
        }
    }
}

/// The lines of the table, once more: a new one is a decision.
#[test]
fn only_these_routes_take_keys() {
    let lines = |is_taken: fn(&Route) -> bool| -> Vec<&str> {
        ROUTES.iter().filter(|route| is_taken(route)).map(|route| route.operation_id).collect()
    };
    let keys = [
        "getCurrentUser",
        "listUniversities",
        "getUniversity",
        "listDepartments",
        "createDepartment",
        "deleteDepartment",
        "listRoles",
        "listUniversityCourses",
        "createCourse",
        "listCourses",
        "getCourse",
        "updateCourse",
        "deleteCourse",
        "listEnrollments",
        "enroll",
        "getEnrollment",
        "endEnrollment",
        "checkPermission",
    ];
    let keys: Vec<&str> = keys.into_iter().filter(|name| is_built(name)).collect();
    assert_eq!(lines(|route| route.accepted.takes_keys()), keys);
    let services = [
        "checkPermission",
        "adminListUsers",
        "adminImportUsers",
        "adminGetUser",
        "adminListEvents",
        "introspect",
        "revoke",
    ];
    assert_eq!(lines(|route| route.accepted.scope().is_some()), services);
}

/// Neither key starts the link of an identity, or ends it, at a provider of the deployment.
#[tokio::test]
async fn an_identity_is_linked_by_a_session_only() {
    let world = World::through(&PEOPLE, &FEDERATION, |db| db);
    let (root, bob) = (world.sign_in("root").await, world.sign_in("bob").await);
    let all: Vec<&str> = edge_auth::domain::authz::Permission::all().map(|(name, _)| name).collect();
    let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let (_, key) = make(&bob, &all).await;
    let (_, service_key) = add(&root, &scopes).await;
    for request in [
        r#"POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in", "link": true}"#,
        r#"POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in", "step_up": true}"#,
        "POST /auth/federated/exchange LINK_OF_OWNER",
        "POST /auth/federated/exchange STEP_UP_OF_OWNER",
        "POST /auth/federated/acme/id-token ID_TOKEN_TO_LINK",
        "GET /users/me/identities",
        "DELETE /users/me/identities/{identity}",
    ] {
        let request = with_identities_of(&world.service.db, "bob", request);
        // The use of a key is noted where it counts as none, too.
        let identities = || world.service.db.rows("SELECT * FROM identities");
        let before = identities();
        for token in [&key, &service_key] {
            let reply = world.with_token(token).ask(&request).await;
            assert!(is_refused(&reply), "{request}: {reply:?}");
        }
        assert_eq!(identities(), before, "{request}");
        let status = bob.ask(&request).await.status;
        assert!(status < 300, "{request}: the session may: {status}");
    }
}

/// A key that the database does not confirm is no different from none, on every route.
#[tokio::test]
async fn no_route_takes_an_unknown_or_malformed_key() {
    let world = World::of(&PEOPLE);
    let bob = world.sign_in("bob").await;
    let (id, key) = make(&bob, &["universities:view"]).await;
    bob.ask(&format!("DELETE /users/me/api-keys/{id}")).await.expect(204);
    let malformed = key.replacen("ea_sk_", "ea_sk_0", 1);
    for route in routes().filter(|route| route.access != Access::OptionalUser) {
        for (token, calls) in [(&key, 1), (&malformed, 0)] {
            try_route(&world, route, token).await.expect_error(401, "AUTH_TOKEN_INVALID");
            assert_eq!(world.service.last_d1_calls(), calls, "{} {}", route.method, route.path);
        }
    }
}

/// Where sign-in is optional, a key without the permission is like no key.
#[cfg(feature = "campus")]
#[tokio::test]
async fn a_key_without_the_permission_counts_as_none_where_sign_in_is_optional() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (_, with) = make(&root, &["courses:view"]).await;
    let (_, without) = make(&root, &["universities:view"]).await;
    let list = async |token: &str| world.with_token(token).all("/courses").await.len();
    assert_eq!(list(&with).await, 5);
    assert_eq!(list(&without).await, world.anonymous().all("/courses").await.len());
    world.with_token(&with).ask("GET /courses/2").await.expect(200);
    world.with_token(&without).ask("GET /courses/2").await.expect_error(404, "NOT_FOUND");
    world.with_token(&without).ask("GET /courses/1").await.expect(200);
    world.with_token("ea_sk_x").ask("GET /courses/1").await.expect(200);
}

/// Each operation of courses and enrolments, with the round trips of a session.
#[cfg(feature = "campus")]
#[tokio::test]
async fn a_key_changes_courses_and_enrolments() {
    let world = World::of(&[("ulla", "UNIVERSITY_ADMIN@1"), ("stu", "STUDENT@1")]);
    let (ulla, stu) = (world.sign_in("ulla").await, world.sign_in("stu").await);
    let (_, key) = make(&ulla, &["universities:view", "courses:manage", "enrollments:list", "enrollments:end"]).await;
    let ulla = world.with_token(&key);
    let (_, key) = make(&stu, &["enrollments:create", "enrollments:view"]).await;
    let stu = world.with_token(&key);
    let new = r#"{"title": "New", "code": "N1", "is_public": true}"#;
    for (visitor, status, calls, request) in [
        (&ulla, 201, 2, format!("POST /universities/1/courses {new}")),
        (&ulla, 200, 2, r#"PATCH /courses/6 {"title": "Renamed"}"#.to_owned()),
        (&stu, 201, 2, "POST /courses/6/enrollments".to_owned()),
        (&stu, 200, 1, "GET /enrollments/1".to_owned()),
        (&stu, 403, 2, "DELETE /enrollments/1".to_owned()),
        (&ulla, 200, 1, "GET /courses/6/enrollments".to_owned()),
        (&ulla, 204, 2, "DELETE /enrollments/1".to_owned()),
        (&ulla, 204, 2, "DELETE /courses/6".to_owned()),
    ] {
        visitor.ask(&request).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), calls, "{request}");
    }
}

/// The statements of a plan run before the key is confirmed. For a forged key of a real id, and for an account without the
/// scope, they return no row.
#[tokio::test]
async fn a_key_that_is_refused_makes_the_database_return_nothing() {
    let (world, counter) = counted();
    let root = world.sign_in("root").await;
    let (user_key, _) = make(&root, &["universities:view"]).await;
    let (_, idle) = add(&root, &["introspect"]).await;
    let (account, reading) = add(&root, &["users:read", "audit:read"]).await;
    let service_key: i64 =
        world.service.db.one(&format!("SELECT id FROM api_keys WHERE service_account_id = {}", account["id"]));
    let forged = [user_key, service_key].map(|id| ApiKey::mint(ApiKeyId::new(id).unwrap(), [7; 32]).text());
    let rows = async |token: &str, path: &str| {
        counter.rows.lock().unwrap().clear();
        let status = world.with_token(token).ask(&format!("GET {path}")).await.status;
        let rows = counter.rows.lock().unwrap();
        let others = rows.iter().filter(|(sql, _)| sql.contains("LIMIT") || sql.contains("FROM users"));
        (status, others.map(|(_, number)| *number).sum::<usize>())
    };
    for path in
        ["/admin/users", "/admin/users?is_active=true", "/admin/users/1", "/admin/audit-events", "/universities"]
    {
        for key in &forged {
            assert_eq!(rows(key.expose(), path).await, (401, 0), "{path}");
        }
        if path.starts_with("/admin") {
            assert_eq!(rows(&idle, path).await, (403, 0), "{path}");
            let (status, number) = rows(&reading, path).await;
            assert!(status == 200 && number > 0, "{path}");
        }
    }
}
