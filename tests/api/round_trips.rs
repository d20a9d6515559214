//! Round trips to the database: the number of every operation of the table of routes, when it succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use edge_auth::http::routes::ROUTES;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};

use crate::round_trips_requests::OPERATIONS;
use crate::support::PASSWORD;
use crate::support::contract::is_built;
use crate::support::federation::joined;
use crate::support::machine;
use crate::support::mail::with_links;
use crate::support::sqlite::Sqlite;
use crate::support::world::{Person, Visitor, World, address};

pub const PEOPLE: [Person; 9] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("stu", "STUDENT@1"),
    ("bob", ""),
    ("eve", ""),
    ("pat", ""),
    ("mia", ""),
    ("fay", ""),
];

pub const OPERATOR_KEY: &str = "an-operator-key-of-32-characters";

pub const SETTINGS: &[(&str, &str)] = &joined::<6, 16>([
    ("OPERATOR_KEY", OPERATOR_KEY),
    ("ALGORITHM", "EdDSA"),
    ("SIGNING_KEY_AHEAD_HOURS", "0"),
    ("MAIL", "binding"),
    ("MAIL_FROM", "login@example.com"),
    ("EMAIL_SIGN_IN", "on"),
]);

/// Number, operation, caller and request of each line.
pub fn operations() -> impl Iterator<Item = (u64, &'static str, &'static str, &'static str)> {
    OPERATIONS.lines().filter(|line| !line.is_empty() && is_built(line)).map(|line| {
        let (number, rest) = line.split_once(' ').unwrap();
        let (operation, rest) = rest.split_once(' ').unwrap();
        let (caller, request) = rest.trim_start().split_once(' ').unwrap();
        (number.parse().unwrap(), operation, caller, request.trim_start())
    })
}

/// The request with a new session of bob's in the place of `REFRESH` and `SESSION`.
async fn completed(world: &World, request: &str) -> String {
    let request = world.with_newest(&request.replace("PASSWORD", PASSWORD));
    machine::add(&world.service.db);
    let request = with_links(&world.service.db, &request);
    let client = format!("client_id={}&client_secret={}", machine::CLIENT_ID, machine::key());
    let request = request.replace("CLIENT", &client);
    if !request.contains("REFRESH") && !request.contains("SESSION") {
        return request;
    }
    let tokens = world.service.login(&address("bob"), PASSWORD).await.expect(200).tokens();
    let sessions = world.service.get_as("/auth/sessions", &tokens.access).await.expect(200).body;
    request.replace("REFRESH", &tokens.refresh).replace("SESSION", &sessions["sessions"][0]["id"].to_string())
}

/// The caller of a line, signed in, and its request.
pub async fn prepared<'a>(world: &'a World, caller: &str, request: &str) -> (Visitor<'a>, String) {
    let request = completed(world, request).await;
    let visitor = match caller {
        "anyone" => world.anonymous(),
        "operator" => world.with_token(OPERATOR_KEY),
        "machine" => world.machine(),
        "expired" => {
            let visitor = world.sign_in("stu").await;
            world.service.advance(3600);
            visitor
        }
        "revoked" => {
            let visitor = world.sign_in("stu").await;
            world.service.db.execute("DELETE FROM sessions");
            visitor
        }
        name => world.sign_in(name).await,
    };
    (visitor, request)
}

/// Signatures with key pairs cost no round trip, once the isolate has the key ring.
#[tokio::test]
async fn every_operation_takes_the_round_trips_that_are_stated() {
    let world = World::through(&PEOPLE, SETTINGS, |db| db);
    world.service.get("/.well-known/jwks.json").await.expect(200);
    let mut found = Vec::new();
    let mut stated = Vec::new();
    for (number, operation, caller, request) in operations() {
        let (visitor, request) = prepared(&world, caller, request).await;
        let status = visitor.ask(&request).await.status;
        assert!((200..400).contains(&status), "{status} for {caller}: {request}");
        found.push((operation, caller, world.service.last_d1_calls()));
        stated.push((operation, caller, number));
    }
    let wrong: Vec<_> = found.iter().zip(&stated).filter(|(found, stated)| found != stated).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let known: BTreeSet<&str> = operations().map(|(_, operation, ..)| operation).collect();
    let routes: BTreeSet<&str> = ROUTES.iter().map(|route| route.operation_id).collect();
    assert_eq!(known, routes);
}

/// Refusals of second factors, in order: the round trips, the status, the caller, the request.
const REFUSED_FACTORS: [(u64, u16, &str, &str); 11] = [
    (2, 401, "anyone", r#"POST /auth/login {"email": "mia@example.com", "password": "PASSWORD"}"#),
    (2, 401, "anyone", r#"POST /auth/mfa {"mfa_token": "MFA_TOKEN", "code": "WRONG_CODE"}"#),
    (2, 401, "anyone", r#"POST /auth/mfa {"mfa_token": "MFA_TOKEN", "recovery_code": "a wrong code"}"#),
    (2, 401, "anyone", r#"POST /auth/mfa {"mfa_token": "MFA_TOKEN", "passkey": STEP_UP_ASSERTION}"#),
    (0, 401, "anyone", r#"POST /auth/mfa {"mfa_token": "a wrong token", "code": "TOTP_CODE"}"#),
    (0, 401, "anyone", r#"POST /auth/passkey {"flow": "AA", "credential": STEP_UP_ASSERTION}"#),
    (2, 401, "mia", r#"POST /auth/step-up {"code": "WRONG_CODE"}"#),
    (2, 401, "mia", r#"POST /auth/step-up {"passkey": MFA_ASSERTION}"#),
    (1, 401, "mia", r#"POST /auth/step-up {"password": "PASSWORD"}"#),
    (1, 422, "mia", r#"POST /users/me/mfa/totp/confirm {"code": "WRONG_CODE"}"#),
    (2, 401, "bob", r#"POST /auth/step-up {"password": "a wrong password"}"#),
];

#[tokio::test]
async fn a_refused_second_factor_takes_the_round_trips_that_are_stated() {
    let world = World::through(&PEOPLE, SETTINGS, |db| db);
    world.service.get("/.well-known/jwks.json").await.expect(200);
    world.verify("mia");
    with_links(&world.service.db, "TOTP_CODE PENDING_CODE");
    for (number, status, caller, request) in REFUSED_FACTORS {
        let (visitor, request) = prepared(&world, caller, request).await;
        visitor.ask(&request).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), number, "{caller}: {request}");
    }
    // The second one finds the challenge answered.
    let answer = with_links(&world.service.db, "POST /auth/passkey PASSKEY_SIGN_IN");
    for (number, status) in [(2, 200), (1, 401)] {
        world.anonymous().ask(&answer).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), number);
    }
}

/// Refusals of flows, in order: the round trips, the status, the caller, the request. An empty request is the one before.
const REFUSED_FLOWS: [(u64, u16, &str, &str); 17] = [
    (0, 401, "anyone", "GET /auth/federated/acme/callback?state=x&code=x"),
    (0, 401, "anyone", r#"POST /auth/federated/exchange {"flow": "x", "code": "x"}"#),
    (1, 401, "bob", r#"POST /auth/federated/exchange {"flow": "x", "code": "x"}"#),
    (0, 401, "anyone", r#"POST /auth/federated/acme/id-token {"flow": "x", "id_token": "x"}"#),
    (0, 401, "anyone", r#"POST /auth/federated/confirm {"flow": "x", "code": "x"}"#),
    (0, 401, "anyone", "POST /auth/federated/exchange LINK_OF_OWNER"),
    (1, 401, "bob", "POST /auth/federated/exchange LINK_OF_OWNER"),
    (0, 404, "anyone", r#"POST /auth/federated/other {"native": true}"#),
    (2, 303, "anyone", "GET /auth/federated/acme/callback?CALLBACK_QUERY"),
    (1, 303, "anyone", ""),
    (2, 200, "anyone", "POST /auth/federated/exchange EXCHANGE_OF_OWNER"),
    (2, 401, "anyone", ""),
    // The answer to a link may have been lost, so its repetition shows the identity.
    (2, 200, "fay", "POST /auth/federated/exchange LINK_OF_OWNER"),
    (2, 200, "fay", ""),
    (2, 401, "anyone", "POST /auth/federated/exchange EXCHANGE_TO_JOIN"),
    (2, 200, "anyone", "POST /auth/federated/confirm CONFIRMATION_OF_OWNER"),
    (1, 401, "anyone", ""),
];

#[tokio::test]
async fn a_refused_flow_takes_the_round_trips_that_are_stated() {
    let world = World::through(&PEOPLE, SETTINGS, |db| db);
    world.service.get("/.well-known/jwks.json").await.expect(200);
    let mut last = String::new();
    for (number, status, caller, request) in REFUSED_FLOWS {
        let request = if request.is_empty() { last } else { request.to_owned() };
        let (visitor, request) = prepared(&world, caller, &request).await;
        visitor.ask(&request).await.expect(status);
        assert_eq!(world.service.last_d1_calls(), number, "{caller}: {request}");
        last = request;
    }
    // Without a recent sign-in: with a password, and without one.
    for (has_password, number) in [(true, 1), (false, 2)] {
        let fay = world.sign_in("fay").await;
        world.service.advance(601);
        for request in [
            r#"POST /auth/federated/acme {"native": true, "link": true}"#,
            "POST /auth/federated/exchange LINK_OF_OWNER",
            "DELETE /users/me/identities/{identity}",
        ] {
            let request = with_links(&world.service.db, request);
            world.service.db.execute(&format!("UPDATE users SET has_password = {has_password}"));
            fay.ask(&request).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
            assert_eq!(world.service.last_d1_calls(), number, "{request}");
        }
    }
}

/// Counts the rows that each statement returned.
pub struct Counter {
    db: Arc<Sqlite>,
    pub rows: Mutex<BTreeMap<&'static str, usize>>,
}

impl Db for Counter {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let texts: Vec<_> = statements.iter().map(|statement| statement.sql).collect();
            let results = self.db.batch(statements).await?;
            for (sql, rows) in texts.into_iter().zip(&results) {
                let rows = rows.all::<serde_json::Value>()?.len();
                self.rows.lock().unwrap().insert(sql, rows);
            }
            Ok(results)
        })
    }
}

/// A world whose database counts the rows of each statement.
pub fn counted() -> (World, Arc<Counter>) {
    let mut counter = None;
    let world = World::through(&PEOPLE, &[], |db| {
        let port = Arc::new(Counter { db, rows: Mutex::default() });
        counter = Some(Arc::clone(&port));
        port
    });
    (world, counter.unwrap())
}

/// The statements that return other users' rows look at the roles of the caller themselves.
#[tokio::test]
async fn a_refused_caller_makes_the_database_return_nothing() {
    let (world, counter) = counted();
    let root = world.sign_in("root").await;
    world.enroll("stu", 1);
    for (caller, path) in [
        ("ulla", "/admin/users"),
        ("ulla", "/admin/users?is_active=true"),
        ("ulla", "/admin/users?email=bob@example.com"),
        ("ulla", "/admin/audit-events"),
        ("ulla", "/admin/audit-events?user_id=1"),
        ("ulla", "/admin/audit-events?user_id=1&type=signed_in"),
        ("ulla", "/admin/audit-events?type=signed_in"),
        ("ulla", "/admin/users/1"),
        ("ulla", "/admin/users/1/sessions"),
        ("stu", "/universities/1/roles"),
        ("bob", "/universities/1/roles"),
        ("bob", "/universities/1/departments"),
        ("bob", "/universities/1/courses"),
        ("bob", "/courses/1/enrollments"),
        ("stu", "/courses/1/enrollments"),
    ]
    .into_iter()
    .filter(|(_, path)| is_built(path))
    {
        let request = format!("GET {path}");
        let visitor = world.sign_in(caller).await;
        counter.rows.lock().unwrap().clear();
        let status = visitor.ask(&request).await.status;
        assert_eq!(status, if caller == "bob" { 404 } else { 403 }, "{caller} {path}");
        let lists = |rows: &BTreeMap<&'static str, usize>| -> Vec<usize> {
            let lists = rows.iter().filter(|(sql, _)| sql.contains("LIMIT"));
            lists.map(|(_, number)| *number).collect()
        };
        let refused = lists(&counter.rows.lock().unwrap());
        assert!(!refused.is_empty() && refused.iter().all(|number| *number == 0), "{path}: {refused:?}");
        root.ask(&request).await.expect(200);
        assert!(lists(&counter.rows.lock().unwrap()).iter().any(|number| *number > 0), "{path}");
    }
}

/// The export's statements, one of which writes an event, run only for the caller that has access.
#[tokio::test]
async fn a_refused_export_reads_nothing_and_leaves_no_event() {
    let (world, counter) = counted();
    let exported = || world.service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'exported'");
    for (refuse, status) in [("UPDATE users SET is_active = 0 WHERE id = 5", 403), ("DELETE FROM sessions", 401)] {
        let bob = world.sign_in("bob").await;
        world.service.db.execute(refuse);
        counter.rows.lock().unwrap().clear();
        bob.ask("GET /users/me/export").await.expect(status);
        assert_eq!(exported(), 0, "{refuse}");
        let is_read = counter.rows.lock().unwrap().iter().any(|(sql, rows)| sql.contains(":limit") && *rows > 0);
        assert!(!is_read, "{refuse}");
        world.set_active("bob", true);
    }
    world.sign_in("bob").await.ask("GET /users/me/export").await.expect(200);
    assert_eq!(exported(), 1);
}

/// A query is judged only after the caller was admitted, and an operation with an invalid one is not read.
#[tokio::test]
async fn a_refused_caller_is_not_told_that_the_query_is_invalid() {
    let world = World::of(&PEOPLE);
    let (bob, ulla) = (world.sign_in("bob").await, world.sign_in("ulla").await);
    for (path, code, status) in [
        ("/universities/1/roles?limit=0", "NOT_FOUND", 404),
        ("/universities/1/departments?cursor=x", "NOT_FOUND", 404),
        ("/admin/users?limit=0", "FORBIDDEN", 403),
        ("/admin/users/x", "FORBIDDEN", 403),
    ] {
        world.anonymous().ask(&format!("GET {path}")).await.expect_error(401, "AUTH_TOKEN_INVALID");
        assert_eq!(world.service.last_d1_calls(), 0, "{path}");
        bob.ask(&format!("GET {path}")).await.expect_error(status, code);
        assert_eq!(world.service.last_d1_calls(), 1 + u64::from(status == 403), "{path}: a refused access is an event");
    }
    ulla.ask("GET /universities/1/roles?limit=0").await.expect_error(422, "VALIDATION_ERROR");
    assert_eq!(world.service.last_d1_calls(), 1);
}
