//! Reads at a replica of the database: which operations use it, and from which state on.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::http::routes::{Access, ROUTES, ReadsAt};
use edge_auth::ports::Db;
use serde_json::{Value, json};

use crate::support::federation::FEDERATION;
use crate::support::replicated::{
    BOTH, FAR, NEAR, Replicated, bookmark, replicated_world, replicated_world_with, signed_in,
};
use crate::support::sqlite::Sqlite;
use crate::support::world::{Visitor, World};
use crate::support::{EMAIL, PASSWORD, Reply, START, Service};

pub(crate) async fn ask_with(visitor: &Visitor<'_>, world: &World, request: &str, bookmark: &str) -> Reply {
    let (head, body) = visitor.request(request);
    world.service.send(head.header("X-Edge-Auth-Bookmark", bookmark).body(Body::from(body)).unwrap()).await
}

/// Changes whose handlers decide nothing by the rows that were read with the caller.
const GUARDED: [&str; 11] = [
    "logoutAll",
    "endSession",
    "updateProfile",
    "renamePasskey",
    "createUniversity",
    "updateUniversity",
    "deleteUniversity",
    "createDepartment",
    "deleteDepartment",
    "enroll",
    "endEnrollment",
];

/// Every operation that decides for others, or is for machines, reads the primary.
#[test]
fn reads_of_sessions_and_guarded_changes_are_near() {
    let far = ["exportData", "finishFederatedSignIn"];
    for route in ROUTES {
        let has_session = matches!(route.access, Access::User | Access::Permit(..) | Access::OptionalUser);
        let is_read = route.method == "GET" && has_session && !route.path.starts_with("/admin");
        let is_near = (is_read && !far.contains(&route.operation_id)) || GUARDED.contains(&route.operation_id);
        assert_eq!(route.reads_at == ReadsAt::Nearest, is_near, "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn a_read_costs_one_batch_at_the_replica() {
    let (world, db) = replicated_world_with(&FEDERATION).await;
    let ulla = signed_in(&world, &db, "ulla").await;
    let enrollment = world.enroll("ulla", 1).to_string();
    db.catch_up();
    let paths = ROUTES.iter().filter(|route| route.reads_at == ReadsAt::Nearest && route.method == "GET");
    for route in paths {
        let path = route.path.replace("enrollments/{id}", &format!("enrollments/{enrollment}")).replace("{id}", "1");
        let reply = ulla.ask(&format!("GET {path}")).await;
        assert_eq!((reply.status, db.asked()), (200, NEAR), "{path}");
        let line = world.service.logs("Request finished").pop().unwrap();
        assert_eq!((&line["d1_calls"], &line["near_d1_calls"]), (&json!(1), &json!(1)), "{path}");
    }
    for sql in db.near_statements() {
        assert!(sql.trim_start().starts_with("SELECT") || sql.trim_start().starts_with("WITH"), "{sql}");
        assert!(["INSERT", "UPDATE", "DELETE"].iter().all(|word| !sql.contains(word)), "{sql}");
    }
}

#[tokio::test]
async fn without_the_setting_nothing_is_near() {
    let db = Arc::new(Sqlite::migrated());
    let replicated = Replicated::of(Arc::clone(&db));
    let service = Service::on(db, Arc::clone(&replicated) as Arc<dyn Db>, &[]);
    let tokens = service.register(EMAIL).await;
    replicated.follow(true);
    replicated.asked();
    service.me(&tokens.access).await.expect(200);
    assert_eq!(replicated.asked(), FAR);
    // No heartbeat either.
    service.send_mails().await;
    assert_eq!(replicated.asked(), (0, 0));
}

#[tokio::test]
async fn a_token_without_a_bookmark_reads_the_primary() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    let settings = world.service.settings();
    let issuers = Issuers::only("edge-auth");
    let authority = TokenAuthority::new(&settings.secret_keys, issuers, "edge-auth");
    let token = bob.token().strip_prefix("Bearer ").unwrap();
    let kind = edge_auth::domain::session::token::TokenKind::Access;
    let mut claims = authority.verify(kind, token, START).unwrap();
    assert!(claims.bookmark.take().is_some());
    let earlier = world.with_token(authority.sign(kind, &claims).unwrap().expose());
    earlier.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), FAR);
}

#[tokio::test]
async fn a_replica_without_the_sign_in_is_not_used_for_its_token() {
    let (world, db) = replicated_world().await;
    let bob = world.sign_in("bob").await;
    db.asked();
    bob.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), BOTH);
    db.catch_up();
    bob.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), NEAR);
}

/// Registration, refresh and step-up give tokens whose session the user can read at once, too.
#[tokio::test]
async fn each_new_access_token_has_its_own_floor() {
    let (world, db) = replicated_world().await;
    let registered = world.service.register(EMAIL).await;
    world.service.me(&registered.access).await.expect(200);
    db.catch_up();
    let refreshed = world.service.refresh(&registered.refresh).await.expect(200).tokens();
    db.asked();
    world.service.me(&registered.access).await.expect(200);
    assert_eq!(db.asked(), NEAR);
    world.service.me(&refreshed.access).await.expect(200);
    assert_eq!(db.asked(), BOTH);
    db.catch_up();
    let body = json!({"password": PASSWORD});
    let stepped = world.service.call("POST", "/auth/step-up", &refreshed.access, Some(&body)).await.expect(200).body;
    db.asked();
    world.service.me(stepped["access_token"].as_str().unwrap()).await.expect(200);
    assert_eq!(db.asked(), BOTH);
}

#[tokio::test]
async fn a_client_that_sends_the_bookmark_of_its_change_reads_it() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    let changed = bob.ask(r#"PATCH /users/me {"full_name": "Robert"}"#).await.expect(200);
    let bookmark = changed.header("x-edge-auth-bookmark").unwrap().to_owned();
    // A replica admits, and the primary confirms in the batch of the change.
    assert_eq!(db.asked(), BOTH);
    // Without the bookmark the replica may answer as before.
    let old = bob.ask("GET /users/me").await.expect(200);
    assert_eq!((old.body["full_name"].as_str(), db.asked()), (None, NEAR));
    assert_eq!(old.header("x-edge-auth-bookmark"), None, "a read has none");
    let new = ask_with(&bob, &world, "GET /users/me", &bookmark).await.expect(200);
    assert_eq!((new.body["full_name"].as_str(), db.asked()), (Some("Robert"), BOTH));
    db.catch_up();
    let new = ask_with(&bob, &world, "GET /users/me", &bookmark).await.expect(200);
    assert_eq!((new.body["full_name"].as_str(), db.asked()), (Some("Robert"), NEAR));
}

/// An earlier bookmark than the token's changes nothing, and one that the service did not give costs the way to the primary.
/// None keeps other users away from the replica.
#[tokio::test]
async fn a_bookmark_of_the_client_only_raises_the_floor() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    let early = bob.ask(r#"PATCH /users/me {"full_name": "Robert"}"#).await.expect(200);
    let early = early.header("x-edge-auth-bookmark").unwrap();
    db.catch_up();
    let late = world.sign_in("eve").await;
    db.asked();
    ask_with(&late, &world, "GET /users/me", early).await.expect(200);
    assert_eq!(db.asked(), BOTH);
    let [plain, long] = [bookmark(2000).as_str().to_owned(), "a".repeat(257)];
    for text in [plain.as_str(), "zzzzzzzz", "", "a b", long.as_str()] {
        ask_with(&bob, &world, "GET /users/me", text).await.expect(200);
        assert_eq!(db.asked(), FAR, "{text:?}");
        bob.ask("GET /users/me").await.expect(200);
        assert_eq!(db.asked(), NEAR, "after {text:?}");
    }
}

/// A replica never refuses: a new role, a new course and a new session are found at once.
#[tokio::test]
async fn a_refusal_of_a_replica_is_asked_at_the_primary() {
    let (world, db) = replicated_world().await;
    let (root, ulla, bob) = (world.sign_in("root").await, world.sign_in("ulla").await, world.sign_in("bob").await);
    db.catch_up();
    bob.ask("GET /universities/1/roles").await.expect_error(404, "NOT_FOUND");
    let role = json!({"user_id": world.id("bob"), "role": "UNIVERSITY_ADMIN"});
    root.ask(&format!("POST /universities/1/roles {role}")).await.expect(201);
    let made = ulla
        .ask(r#"POST /universities/1/courses {"title": "New", "code": "N1", "is_public": false}"#)
        .await
        .expect(201);
    db.asked();
    bob.ask("GET /universities/1/roles").await.expect(200);
    assert_eq!(db.asked(), BOTH);
    let course = format!("GET /courses/{}", made.body["id"]);
    ulla.ask(&course).await.expect(200);
    assert_eq!(db.asked(), BOTH);
    db.catch_up();
    bob.ask("GET /universities/1/roles").await.expect(200);
    ulla.ask(&course).await.expect(200);
    assert_eq!(db.asked(), (2, 0));
}

/// The event of a missing permission is written once, by the primary's refusal.
#[tokio::test]
async fn a_refusal_is_recorded_once() {
    let (world, db) = replicated_world().await;
    let stu = signed_in(&world, &db, "stu").await;
    stu.ask("GET /courses/1/enrollments").await.expect_error(403, "FORBIDDEN");
    assert_eq!(db.asked(), (1, 2));
    let events: i64 =
        world.service.db.one("SELECT sum(coalesce(count, 1)) FROM audit_events WHERE type = 'access_refused'");
    assert_eq!(events, 1);
}

/// The limit per user counts the request once, although it was asked twice.
#[tokio::test]
async fn a_request_that_is_asked_twice_is_counted_once() {
    let (world, db) = replicated_world_with(&[("RATE_LIMITING", "on")]).await;
    let bob = signed_in(&world, &db, "bob").await;
    // The replica grants, and then finds no such row.
    bob.ask("GET /courses/99").await.expect_error(404, "NOT_FOUND");
    assert_eq!(db.asked(), BOTH);
    let counts = world.service.limiter.counts();
    let user = counts.iter().find(|(binding, ..)| *binding == "USER_READ_LIMITER").unwrap();
    assert_eq!(user.2, 1);
}

/// A replica that has an earlier version of the key ring causes no look-up.
#[tokio::test]
async fn the_key_ring_of_a_replica_may_be_older_than_the_copy_of_the_isolate() {
    let settings = [("ALGORITHM", "EdDSA"), ("SIGNING_KEY_AHEAD_HOURS", "0"), ("OPERATOR_KEY", OPERATOR_KEY)];
    let (world, db) = replicated_world_with(&settings).await;
    let bob = signed_in(&world, &db, "bob").await;
    world.service.advance(1);
    let rotation = Request::post("/operator/signing-keys")
        .header("Authorization", format!("Bearer {OPERATOR_KEY}"))
        .header("Content-Type", "application/json")
        .body(Body::from(json!({"action": "rotate"}).to_string()));
    world.service.send(rotation.unwrap()).await.expect(200);
    // The isolate learns the new version at the primary.
    world.sign_in("eve").await;
    db.asked();
    bob.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), NEAR);
}

const OPERATOR_KEY: &str = "an-operator-key-of-32-characters";

/// `/authz/check`, the administration and the export see the primary, although the replica has everything.
#[tokio::test]
async fn decisions_for_others_are_as_recent_as_the_primary() {
    let (world, db) = replicated_world().await;
    let root = signed_in(&world, &db, "root").await;
    let asked: [(&str, Value); 3] = [
        ("GET /admin/users", Value::Null),
        ("GET /users/me/export", Value::Null),
        ("POST /authz/check", json!({"permission": "platform:administer"})),
    ];
    for (request, body) in asked {
        let body = if body.is_null() { String::new() } else { format!(" {body}") };
        root.ask(&format!("{request}{body}")).await.expect(200);
        assert_eq!(db.asked().0, 0, "{request}");
    }
}
