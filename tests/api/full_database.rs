//! A full database signs no user out: the size that the database reports, and batches that fail for want of space.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::{Value, json};

use crate::api_keys::{make, make_with};
use crate::support::factors::{with_factors, with_factors_of};
use crate::support::federation::{come_back_with_code, exchange, joined, start};
use crate::support::identities::with_identities;
use crate::support::provider::Person as ProviderPerson;
use crate::support::sqlite::Sqlite;
use crate::support::world::{Person, World, address};
use crate::support::{EMAIL, PASSWORD};

const OPERATOR_KEY: &str = "an-operator-key-of-32-characters";

const PEOPLE: [Person; 7] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("stu", "STUDENT@1"),
    ("bob", ""),
    ("eve", ""),
    ("mia", ""),
    ("fay", ""),
];

/// Reports a size, and perhaps refuses every insertion of an event for want of space.
struct Filling {
    db: Arc<Sqlite>,
    size: AtomicI64,
    refuses_events: AtomicBool,
}

impl Db for Filling {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let additions = ["INSERT INTO audit_events", "INSERT INTO mails", "INSERT INTO notice_counts"];
        let inserts = statements.iter().any(|statement| additions.iter().any(|insert| statement.sql.contains(insert)));
        if inserts && self.refuses_events.load(Ordering::Relaxed) {
            let full = DbError::from_message("D1_ERROR: Exceeded maximum DB size");
            return Box::pin(std::future::ready(Err(full)));
        }
        self.db.batch(statements)
    }

    fn size_bytes(&self) -> Option<i64> {
        Some(self.size.load(Ordering::Relaxed))
    }
}

fn world() -> (World, Arc<Filling>) {
    let mut port = None;
    let settings: [_; 14] = joined([
        ("D1_SIZE_LIMIT_MB", "100"),
        ("OPERATOR_KEY", OPERATOR_KEY),
        ("MAIL", "binding"),
        ("MAIL_FROM", "login@example.com"),
    ]);
    let world = World::through(&PEOPLE, &settings, |db| {
        let filling = Arc::new(Filling { db, size: AtomicI64::new(0), refuses_events: AtomicBool::new(false) });
        port = Some(Arc::clone(&filling));
        filling
    });
    (world, port.unwrap())
}

fn events(world: &World) -> i64 {
    world.service.db.one("SELECT count(*) FROM audit_events")
}

#[tokio::test]
async fn readiness_and_the_log_tell_that_space_is_low() {
    let (world, port) = world();
    let state = async |key: &str| {
        let reply = world.with_token(key).ask("GET /health/ready").await.expect(200);
        reply.body["checks"]["storage"].clone()
    };
    for (size, name, lines) in [(79_999_999, "ok", 0), (80_000_000, "low", 1), (95_000_000, "full", 1)] {
        port.size.store(size, Ordering::Relaxed);
        assert_eq!(state("x").await, json!({"state": name}));
        assert_eq!(state(OPERATOR_KEY).await, json!({"state": name, "used_bytes": size}));
        assert_eq!(world.service.logs("Database is nearly full").len(), lines);
    }
    world.service.advance(3600);
    state("x").await;
    state("x").await;
    let lines = world.service.logs("Database is nearly full");
    assert_eq!(lines.len(), 2, "once an hour");
    let shown = ["level", "name", "state", "used_bytes", "limit_bytes"].map(|field| lines[1][field].clone());
    assert_eq!(json!(shown), json!(["ERROR", "app.storage", "full", 95_000_000, 100_000_000]));
}

/// Everything that must go on, and that only adds. The names of the events that a change leaves are in the last column.
const OPERATIONS: [(&str, u16, &str); 13] = [
    ("bob", 200, r#"PATCH /users/me {"full_name": "Bob"}"#),
    ("bob", 200, r#"PUT /users/me/password {"current_password": "PASSWORD", "new_password": "PASSWORD"}"#),
    ("root", 200, r#"PATCH /admin/users/5 {"is_active": false}"#),
    ("root", 200, r#"PATCH /admin/users/5 {"is_active": true}"#),
    ("root", 200, "POST /admin/users/5/logout"),
    ("ulla", 204, "DELETE /universities/1/roles/3"),
    ("bob", 200, "GET /users/me/export"),
    ("bob", 200, "POST /auth/logout-all"),
    ("mia", 204, "DELETE /users/me/mfa/totp"),
    ("root", 204, "DELETE /admin/users/6/mfa"),
    ("fay", 204, "DELETE /users/me/identities/{identity}"),
    ("mia", 200, "POST /users/me/factors/confirm"),
    ("eve", 204, r#"DELETE /users/me {"password": "PASSWORD"}"#),
];

async fn use_everything(world: &World) {
    let service = &world.service;
    let tokens = service.login(&address("bob"), PASSWORD).await.expect(200).tokens();
    let tokens = service.refresh(&tokens.refresh).await.expect(200).tokens();
    service.me(&tokens.access).await.expect(200);
    service.logout(&tokens.refresh).await.expect(200);
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    world.verify("mia");
    with_factors(&service.db, "TOTP_CODE {passkey}");
    for (path, body) in [("exchange", "EXCHANGE_OF_OWNER"), ("acme/id-token", "ID_TOKEN_OF_OWNER")] {
        let request = with_identities(&service.db, &format!("POST /auth/federated/{path} {body}"));
        world.anonymous().ask(&request).await.expect(200);
    }
    for (caller, status, request) in OPERATIONS {
        let request = with_identities(&service.db, &request.replace("PASSWORD", PASSWORD));
        world.sign_in(caller).await.ask(&request).await.expect(status);
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users WHERE email = 'eve@example.com'"), 0);
    let bob = world.sign_in("bob").await;
    let ended = bob.ask("POST /auth/logout-all").await.expect(200).body;
    assert_eq!(ended["sessions_ended"], 1);
}

/// New accounts, further identities and mailed codes.
async fn refuses_identities(world: &World) {
    let (service, fay) = (&world.service, world.sign_in("fay").await);
    for (visitor, body) in [(&world.anonymous(), "EXCHANGE_OF_STRANGER"), (&fay, "LINK_OF_OWNER")] {
        let request = with_identities(&service.db, &format!("POST /auth/federated/exchange {body}"));
        let reply = visitor.ask(&request).await.expect_error(503, "SERVICE_UNAVAILABLE");
        assert_eq!(reply.header("retry-after"), Some("3600"), "{body}");
    }
    let started = start(service, "acme").await;
    let code = come_back_with_code(service, &started, &ProviderPerson::of("another", &address("fay"))).await;
    exchange(service, &started.flow, &code).await.expect_error(503, "SERVICE_UNAVAILABLE");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities WHERE subject <> 'fay'"), 0);
}

#[tokio::test]
async fn a_full_database_refuses_only_operations_that_add_and_records_only_changes() {
    let (world, port) = world();
    let stu = world.sign_in("stu").await;
    world.service.db.execute("UPDATE users SET email_verified_at = 1");
    let (_, key) = make(&stu, &["universities:view"]).await;
    port.size.store(95_000_000, Ordering::Relaxed);
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let reply = world.service.post("/auth/register", &body).await.expect_error(503, "SERVICE_UNAVAILABLE");
    assert_eq!(reply.header("retry-after"), Some("3600"));
    assert_eq!(world.service.last_d1_calls(), 0);
    #[cfg(feature = "campus")]
    stu.ask("POST /courses/1/enrollments").await.expect_error(503, "SERVICE_UNAVAILABLE");
    make_with(&stu, r#""permissions": ["universities:view"]"#).await.expect_error(503, "SERVICE_UNAVAILABLE");
    for request in ["/users/me/mfa/totp", "/users/me/mfa/recovery-codes", "/users/me/passkeys/options"] {
        stu.ask(&format!("POST {request}")).await.expect_error(503, "SERVICE_UNAVAILABLE");
    }
    let passkey = with_factors_of(&world.service.db, "stu", r#"{"name": "N", "credential": PASSKEY_CREDENTIAL}"#);
    stu.ask(&format!("POST /users/me/passkeys {passkey}")).await.expect_error(503, "SERVICE_UNAVAILABLE");
    refuses_identities(&world).await;
    let root = world.sign_in("root").await;
    for request in
        [r#"POST /admin/service-accounts {"name": "N", "scopes": []}"#, "POST /admin/service-accounts/1/keys"]
    {
        root.ask(request).await.expect_error(503, "SERVICE_UNAVAILABLE");
    }
    world.with_token(&key).ask("GET /universities/1").await.expect(200);
    let used = "SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL";
    assert_eq!(world.service.db.one::<i64>(used), 0, "the use of a key is not noted");
    let before = events(&world);
    world.service.login(&address("bob"), "a wrong password").await.expect(401);
    assert_eq!(world.service.db.one::<i64>("SELECT sum(failures) FROM throttles"), 1, "it is counted");
    stu.ask("GET /admin/users").await.expect(403);
    assert_eq!(events(&world), before);
    use_everything(&world).await;
    assert!(events(&world) > before + 10);
    port.size.store(94_999_999, Ordering::Relaxed);
    world.service.post("/auth/register", &body).await.expect(201);
}

#[tokio::test]
async fn a_batch_that_finds_no_space_is_repeated_without_its_events_which_go_to_the_log() {
    let (world, port) = world();
    port.refuses_events.store(true, Ordering::Relaxed);
    use_everything(&world).await;
    world.service.login(&address("bob"), "a wrong password").await.expect(401);
    assert_eq!(events(&world), 0);
    assert_eq!(world.service.db.one::<i64>("SELECT sum(failures) FROM throttles"), 1);
    let lines = world.service.logs("Event not recorded: the database is full");
    let shown =
        |line: &Value| json!([line["level"], line["name"], line["event_type"], line["user_id"], line["actor_id"]]);
    let logged: Vec<Value> = lines.iter().map(shown).filter(|line| line[2] != "signed_in").collect();
    let line = |event: &str, user: i64, actor: Value| json!(["ERROR", "app.audit", event, user, actor]);
    let expected = [
        line("signed_out", 4, Value::Null),
        line("profile_changed", 4, Value::Null),
        line("password_changed", 4, Value::Null),
        line("disabled", 5, json!(1)),
        line("enabled", 5, json!(1)),
        line("role_removed", 3, json!(2)),
        line("sessions_ended", 4, Value::Null),
        line("factor_removed", 6, Value::Null),
        line("factors_reset", 6, json!(1)),
        line("identity_unlinked", 7, Value::Null),
        line("deleted", 5, Value::Null),
        line("sessions_ended", 4, Value::Null),
    ];
    assert_eq!(logged, expected);
    let ready = world.with_token(OPERATOR_KEY).ask("GET /health/ready").await.expect(200).body;
    assert_eq!(ready["checks"]["circuit_breaker"]["failure_count"], 0, "no failure of the database");
}
