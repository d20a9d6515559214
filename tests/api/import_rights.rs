//! The right to import: the callers that have it, and the ends of it between two batches of a request.

use serde_json::{Value, json};

use crate::api_keys::make;
use crate::service_accounts::add;
use crate::support::import::{
    Before, IMPORT, SCOPES, count, events, foreseen_import, import, importer, numbered, times,
};
use crate::support::limiter::LIMIT;
use crate::support::watched_body::Watch;
use crate::support::world::{Person, Visitor, World};

const PEOPLE: [Person; 5] = [
    ("root", "PLATFORM_ADMIN"),
    ("second", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("bob", ""),
    ("mia", "PLATFORM_ADMIN"),
];
const LINE: &str = r#"{"email": "ada@example.com"}"#;

/// An access token of a service account, narrowed to these scopes.
async fn token(world: &World, account: &Value, key: &str, scope: &str) -> String {
    let client = account["client_id"].as_str().unwrap();
    let form = format!("grant_type=client_credentials&client_id={client}&client_secret={key}&scope={scope}");
    let reply = world.anonymous().ask(&format!("POST /oauth/token {form}")).await.expect(200);
    reply.body["access_token"].as_str().unwrap().to_owned()
}

/// A refusal before the body, which writes no user.
async fn refuses(world: &World, visitor: &Visitor<'_>, status: u16, code: &str) {
    for path in ["/admin/users/import", "/admin/users/import?dry_run=true"] {
        let watch = Watch::default();
        let head = visitor.request(&format!("POST {path} x")).0;
        let reply = world.service.send(head.body(watch.body()).unwrap()).await;
        reply.expect_error(status, code);
        assert!(!watch.was_asked(), "{code}");
    }
    assert_eq!(count(&world.service.db, "users"), 5);
}

#[tokio::test]
async fn others_are_refused_before_the_body() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    refuses(&world, &world.anonymous(), 401, "AUTH_TOKEN_INVALID").await;
    refuses(&world, &world.with_token("ea_sk_x"), 401, "AUTH_TOKEN_INVALID").await;
    for name in ["bob", "ulla"] {
        refuses(&world, &world.sign_in(name).await, 403, "FORBIDDEN").await;
    }
    let all: Vec<&str> = edge_auth::domain::authz::Permission::all().map(|(name, _)| name).collect();
    let (_, key) = make(&root, &all).await;
    refuses(&world, &world.with_token(&key), 403, "FORBIDDEN").await;
    let without = ["introspect", "authz:check", "users:read", "roles:grant", "audit:read", "client-address"];
    let (account, key) = add(&root, &without).await;
    refuses(&world, &world.with_token(&key), 403, "FORBIDDEN").await;
    let token = token(&world, &account, &key, "roles:grant").await;
    refuses(&world, &world.with_token(&token), 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn a_token_of_a_service_account_has_its_own_scopes() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (account, key) = add(&root, &["users:import", "roles:grant", "users:read"]).await;
    let other = token(&world, &account, &key, "users:read roles:grant").await;
    refuses(&world, &world.with_token(&other), 403, "FORBIDDEN").await;
    let lines = [
        json!({"email": "a@example.com", "external_id": "1", "roles": [{"role": "TA", "university_id": 1}]}),
        json!({"email": "b@example.com", "external_id": "2"}),
    ];
    let narrow = token(&world, &account, &key, "users:import").await;
    let words = foreseen_import(&world, &world.with_token(&narrow), &lines).await;
    assert_eq!(words, ["refused role_not_allowed", "created"], "the account could, the token could not");
    let wide = token(&world, &account, &key, "users:import roles:grant").await;
    assert_eq!(import(&world.with_token(&wide), &lines).await, ["created", "exists"], "the importer is the account");
    assert_eq!(import(&world.with_token(&key), &lines).await, ["exists", "exists"]);
}

/// An administrator signs in anew after ten minutes; a service account has no sign-in.
#[tokio::test]
async fn an_old_sign_in_of_an_administrator_is_not_enough() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let (_, service) = importer(&world, &["users:import"]).await;
    world.service.advance(600);
    root.ask(&format!("{IMPORT} {LINE}")).await.expect(200);
    world.service.db.execute("DELETE FROM users WHERE id > 5");
    world.service.advance(1);
    refuses(&world, &root, 401, "AUTH_STEP_UP_REQUIRED").await;
    service.ask(&format!("{IMPORT} {LINE}")).await.expect(200);
}

#[tokio::test]
async fn an_importer_whose_right_has_ended_is_refused() {
    for (sql, status, code) in [
        ("UPDATE service_accounts SET is_active = 0 WHERE id > 1", 403, "AUTH_INACTIVE_USER"),
        ("UPDATE service_accounts SET scopes = '[\"roles:grant\"]' WHERE id > 1", 403, "FORBIDDEN"),
        ("DELETE FROM api_keys WHERE service_account_id > 1", 401, "AUTH_TOKEN_INVALID"),
        ("UPDATE api_keys SET expires_at = 1799999999000 WHERE service_account_id > 1", 401, "AUTH_TOKEN_INVALID"),
    ] {
        let world = World::of(&PEOPLE);
        let (_, service) = importer(&world, &SCOPES).await;
        world.service.db.execute(sql);
        refuses(&world, &service, status, code).await;
    }
}

/// Half of the lines create accounts, and the others rename those that the importer has made before.
fn mixed(names: &str) -> Vec<Value> {
    let mut lines = numbered(120);
    for line in lines.iter_mut().step_by(2) {
        line["full_name"] = json!(names);
    }
    lines
}

/// Between the first and the second batch.
#[tokio::test]
async fn a_right_that_ends_between_two_batches_stops_the_rest() {
    for (is_service, sql) in [
        (true, "DELETE FROM api_keys WHERE service_account_id > 1"),
        (true, "UPDATE service_accounts SET is_active = 0 WHERE id > 1"),
        (true, "UPDATE service_accounts SET scopes = '[\"users:read\",\"roles:grant\"]' WHERE id > 1"),
        (true, "DELETE FROM api_keys WHERE service_account_id > 1; DELETE FROM service_accounts WHERE id > 1"),
        (false, "UPDATE users SET is_active = 0 WHERE id = 1"),
        (false, "DELETE FROM user_university_roles WHERE user_id = 1"),
        (false, "UPDATE user_university_roles SET role = 'UNIVERSITY_ADMIN', university_id = 1 WHERE user_id = 1"),
        (false, "UPDATE users SET is_active = 0, erasure_cursor = 0, email = 'erased:1' WHERE id = 1"),
    ] {
        let world = Before::world(&PEOPLE, &[], move |db, number| {
            // The first request has the first batch.
            if number == 3 {
                db.execute(sql);
            }
            Ok(())
        });
        let visitor = if is_service { importer(&world, &SCOPES).await.1 } else { world.sign_in("root").await };
        let own: Vec<Value> = mixed("Before").into_iter().step_by(2).take(50).collect();
        assert_eq!(import(&visitor, &own).await, vec!["created"; 50]);
        let words = import(&visitor, &mixed("After")).await;
        let done = |from: usize| words.iter().skip(from).step_by(2).cloned().collect::<Vec<_>>();
        assert_eq!(done(0), times(&[(25, "updated"), (35, "failed stopped")]), "{sql}");
        assert_eq!(done(1), times(&[(25, "created"), (35, "failed stopped")]), "{sql}");
        let db = &world.service.db;
        assert_eq!(count(db, "users"), 5 + 50 + 25, "{sql}");
        assert_eq!(count(db, "users WHERE full_name = 'After'"), 25, "{sql}");
        assert_eq!(events(db).len(), 50 + 50, "{sql}");
    }
}

/// Others go on importing: a right is that of its holder.
#[tokio::test]
async fn a_right_that_ends_stops_its_holder_only() {
    let world = Before::world(&PEOPLE, &[], |db, number| {
        if number == 1 {
            db.execute("UPDATE users SET is_active = 0 WHERE id = 1");
        }
        Ok(())
    });
    let (root, second) = (world.sign_in("root").await, world.sign_in("second").await);
    let lines = numbered(2);
    assert_eq!(import(&root, &lines).await, ["failed stopped"; 2]);
    assert_eq!(import(&second, &lines).await, ["created"; 2]);
}

/// The scope for roles ends, and that for users does not: an account is made with all of its roles or not at all.
#[tokio::test]
async fn without_the_right_to_give_roles_their_lines_are_not_written() {
    let world = Before::world(&PEOPLE, &[], |db, number| {
        if number == 2 {
            db.execute("UPDATE service_accounts SET scopes = '[\"users:import\"]' WHERE id > 1");
        }
        Ok(())
    });
    let (_, service) = importer(&world, &SCOPES).await;
    let mut lines = numbered(100);
    for line in lines.iter_mut().step_by(2) {
        line["roles"] = json!([{"role": "TA", "university_id": 1}, {"role": "STUDENT", "university_id": 2}]);
    }
    let words = import(&service, &lines).await;
    let of = |from: usize| words.iter().skip(from).step_by(2).cloned().collect::<Vec<_>>();
    assert_eq!(of(0), times(&[(25, "created"), (25, "failed overtaken")]));
    assert_eq!(of(1), times(&[(50, "created")]));
    let db = &world.service.db;
    assert_eq!(count(db, "user_university_roles WHERE user_id > 5"), 50);
    assert_eq!(count(db, "audit_events WHERE type = 'role_granted'"), 50);
    let again = import(&service, &lines).await;
    let roles: Vec<_> = again.iter().step_by(2).cloned().collect();
    assert_eq!(roles, times(&[(50, "refused role_not_allowed")]), "a line with roles is read first");
    assert_eq!(count(db, "users"), 5 + 75);
}

/// With `MFA_REQUIRED_ROLES` the right of an administrator counts only in a session with a second factor.
#[tokio::test]
async fn an_administrator_without_the_demanded_factor_imports_nothing() {
    let settings = [("MFA_REQUIRED_ROLES", r#"["PLATFORM_ADMIN"]"#)];
    let world = World::through(&PEOPLE, &settings, |db| db);
    let root = world.sign_in("root").await;
    let reply = root.ask(&format!("{IMPORT} {LINE}")).await.expect_error(403, "FORBIDDEN");
    assert_eq!(reply.body["error"]["details"]["required"], "mfa");
    assert_eq!(count(&world.service.db, "users"), 5);
    crate::support::factors::with_factors_of(&world.service.db, "mia", "TOTP_CODE");
    let mia = world.sign_in("mia").await;
    assert_eq!(import(&mia, &[serde_json::from_str(LINE).unwrap()]).await, ["created"]);
}

/// Each importer has a limit of its own, which is asked for before the body.
#[tokio::test]
async fn an_importer_over_the_limit_waits_whatever_its_network() {
    let world = World::through(&PEOPLE, &[("RATE_LIMITING", "on")], |db| db);
    let root = world.sign_in("root").await;
    let (_, service) = importer(&world, &SCOPES).await;
    world.service.limiter.open();
    for visitor in [&root, &service] {
        for number in 0..=LIMIT {
            let head = visitor.request(&format!("{IMPORT} x")).0;
            let head = head.header("CF-Connecting-IP", format!("198.51.{number}.1"));
            let reply = world.service.send(head.body(LINE.to_owned().into()).unwrap()).await;
            assert_eq!(reply.status, if number < LIMIT { 200 } else { 429 }, "{number}");
        }
        world.service.limiter.shut("IMPORTER_LIMITER");
        let watch = Watch::default();
        let head = visitor.request(&format!("{IMPORT} x")).0;
        let reply = world.service.send(head.body(watch.body()).unwrap()).await.expect_error(429, "RATE_LIMITED");
        assert!(reply.header("retry-after").is_some() && !watch.was_asked());
        world.service.limiter.open();
    }
}
