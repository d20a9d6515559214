//! The throttle per account: the wait after each number of wrong passwords, to the millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use edge_auth::domain::limits::throttle::{FREE_FAILURES, wait_ms};
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::json;

use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Reply, Service, Tokens};

const WRONG: &str = "not the password of anybody";

async fn fail(service: &Service, times: usize) {
    for _ in 0..times {
        service.login(EMAIL, WRONG).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

fn failures(service: &Service) -> i64 {
    counted(service, "sum(failures)", "user/1/known/00")
}

/// An aggregate over the throttles with such keys; 0 if there are none.
fn counted(service: &Service, aggregate: &str, keys: &str) -> i64 {
    service.db.one(&format!("SELECT coalesce({aggregate}, 0) FROM throttles WHERE key LIKE '{keys}'"))
}

async fn registered() -> Service {
    let service = Service::new();
    service.register(EMAIL).await;
    service
}

/// Everything in a reply that could distinguish one refusal from another.
fn seen(reply: &Reply) -> (u16, Vec<(String, String)>, String) {
    let headers = reply.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (reply.status, headers.collect(), reply.body["error"].to_string())
}

#[tokio::test]
async fn five_wrong_passwords_cause_no_wait() {
    let service = registered().await;
    fail(&service, 5).await;
    service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(failures(&service), 0, "a success forgives them");
    fail(&service, 5).await;
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn from_the_sixth_failure_the_wait_doubles_up_to_fifteen_minutes() {
    let service = registered().await;
    fail(&service, 5).await;
    for count in 6..=18 {
        fail(&service, 1).await;
        let blocked_until = counted(&service, "max(blocked_until)", "user/1/known/00");
        let now = crate::support::clock().millis();
        assert_eq!(blocked_until - now, wait_ms(count, FREE_FAILURES), "the SQL agrees with the rule");
        let wait = wait_ms(count, FREE_FAILURES) / 1000;
        service.advance(wait - 1);
        service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.advance(1);
    }
    service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(failures(&service), 0);
}

#[tokio::test]
async fn attempts_during_a_wait_neither_count_nor_extend_it() {
    let service = registered().await;
    fail(&service, 7).await;
    assert_eq!(failures(&service), 6, "the seventh came during the wait of the sixth");
    let until = |service: &Service| counted(service, "max(blocked_until)", "user/1/known/00");
    let before = until(&service);
    fail(&service, 20).await;
    service.login(EMAIL, PASSWORD).await.expect(401);
    assert_eq!((failures(&service), until(&service)), (6, before));
    service.advance(1);
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_throttled_reply_looks_like_a_wrong_password() {
    let service = registered().await;
    let wrong = service.login(EMAIL, WRONG).await;
    let unknown = service.login("nobody@example.com", WRONG).await;
    fail(&service, 6).await;
    service.db.watch_events();
    let throttled = service.login(EMAIL, PASSWORD).await;
    assert_eq!(service.db.latest_event()["reason"], "throttled");
    assert_eq!(service.last_d1_calls(), 2);
    assert_eq!(seen(&wrong), seen(&unknown));
    assert_eq!(seen(&wrong), seen(&throttled));
}

#[tokio::test]
async fn unknown_addresses_are_counted_in_a_table_of_fixed_size() {
    let service = registered().await;
    for number in 0..1500 {
        service.login(&format!("nobody-{number}@example.com"), WRONG).await.expect(401);
    }
    let slots = counted(&service, "count(*)", "unknown/%");
    assert!(slots <= 1024 && slots == counted(&service, "count(*)", "%"), "{slots}");
    let throttled = "SELECT coalesce(sum(count), 0) FROM audit_events WHERE reason = 'throttled'";
    let throttled: i64 = service.db.one(throttled);
    assert_eq!(counted(&service, "sum(failures)", "unknown/%") + throttled, 1500);
    assert_eq!(failures(&service), 0, "they belong to no user");
    service.db.watch_events();
    for _ in 0..7 {
        service.login("nobody-7@example.com", WRONG).await.expect(401);
    }
    let last = service.db.latest_event();
    assert_eq!((&last["reason"], &last["user_id"]), (&json!("throttled"), &json!(null)));
}

#[tokio::test]
async fn reauthentication_has_a_throttle_of_its_own() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let change = json!({"current_password": WRONG, "new_password": "a password of my own"});
    let deletion = json!({"password": WRONG});
    for _ in 0..3 {
        let reply = service.call("PUT", "/users/me/password", &tokens.access, Some(&change)).await;
        let reply = reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"edge-auth\""), "the token is good");
        assert_eq!(service.last_d1_calls(), 2);
        service.call("DELETE", "/users/me", &tokens.access, Some(&deletion)).await.expect(401);
    }
    assert_eq!(counted(&service, "sum(failures)", "user/%/reauthentication"), 6);
    let right = json!({"current_password": PASSWORD, "new_password": "a password of my own"});
    service.call("PUT", "/users/me/password", &tokens.access, Some(&right)).await.expect(401);
    service.call("DELETE", "/users/me", &tokens.access, Some(&json!({"password": PASSWORD}))).await.expect(401);
    // Guesses with a stolen token do not keep the owner from signing in …
    assert_eq!(failures(&service), 0);
    service.login(EMAIL, PASSWORD).await.expect(200);
    service.advance(1);
    // … and guesses at the sign-in do not keep the owner from changing the password.
    fail(&service, 9).await;
    service.login(EMAIL, PASSWORD).await.expect(401);
    service.call("PUT", "/users/me/password", &tokens.access, Some(&right)).await.expect(200);
    assert_eq!(counted(&service, "sum(failures)", "user/%"), 0);
    service.login(EMAIL, "a password of my own").await.expect(200);
}

/// Runs this SQL before the batch with this number: a concurrent write between a read and its write.
struct Overtaking {
    db: Arc<Sqlite>,
    at: usize,
    sql: &'static str,
    batches: AtomicUsize,
}

impl Db for Overtaking {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        if self.batches.fetch_add(1, Ordering::Relaxed) + 1 == self.at {
            self.db.execute(self.sql);
        }
        self.db.batch(statements)
    }
}

/// A test cannot pass without its concurrent write.
impl Drop for Overtaking {
    fn drop(&mut self) {
        let batches = *self.batches.get_mut();
        assert!(batches >= self.at || std::thread::panicking(), "there were only {batches} batches");
    }
}

/// A service whose batch with this number is overtaken, and the tokens of a registered user.
async fn overtaken_by(sql: &'static str, at: usize) -> (Service, Tokens) {
    let db = Arc::new(Sqlite::migrated());
    let tokens = Service::on(db.clone(), db.clone(), &[]).register(EMAIL).await;
    let port = Overtaking { db: db.clone(), at, sql, batches: AtomicUsize::new(0) };
    (Service::on(db, Arc::new(port), &[]), tokens)
}

#[tokio::test]
async fn an_overtaken_sign_in_starts_no_session() {
    for sql in [
        "INSERT INTO throttles (key, tag, failures, blocked_until)
         SELECT 'user/1/known/00', registered_network, 6, 1800000001000 FROM users",
        "UPDATE users SET password_version = 2, password_hash = 'another'",
        "UPDATE users SET is_active = 0",
    ] {
        let (service, _) = overtaken_by(sql, 2).await;
        service.db.watch_events();
        service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(service.last_d1_calls(), 2);
        assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1, "only that of the registration");
        let last = service.db.latest_event();
        assert_eq!((&last["type"], &last["reason"]), (&json!("sign_in_refused"), &json!("overtaken")), "{sql}");
    }
}

#[tokio::test]
async fn a_sign_in_overtaken_by_a_hash_upgrade_succeeds() {
    // The concurrent sign-in upgraded the hash: the password is still the same.
    let upgrade = "UPDATE users SET password_hash = replace(password_hash, 'i=10', 'i=11')";
    let (service, _) = overtaken_by(upgrade, 2).await;
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_overtaken_reauthentication_changes_and_deletes_nothing() {
    for sql in [
        "INSERT INTO throttles (key, failures, blocked_until) VALUES ('user/1/reauthentication', 6, 1800000001000)",
        "UPDATE users SET password_version = 2, password_hash = 'another'",
        "UPDATE users SET is_active = 0",
    ] {
        let change = json!({"current_password": PASSWORD, "new_password": "a password of my own"});
        let deletion = json!({"password": PASSWORD});
        let requests = [
            ("PUT", "/users/me/password", change, "password_change_refused"),
            ("DELETE", "/users/me", deletion, "deletion_refused"),
        ];
        for (method, path, body, event) in requests {
            let (service, tokens) = overtaken_by(sql, 2).await;
            service.db.watch_events();
            let before = service.db.one::<String>("SELECT password_hash FROM users");
            let reply = service.call(method, path, &tokens.access, Some(&body)).await;
            reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            let after = service.db.one::<String>("SELECT password_hash FROM users");
            assert!(after == before || after == "another", "{sql}: {after}");
            let last = service.db.latest_event();
            assert_eq!((&last["type"], &last["reason"]), (&json!(event), &json!("overtaken")), "{sql}");
            assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1);
        }
    }
}

#[tokio::test]
async fn a_concurrently_erased_account_leaves_only_its_id() {
    let erase = "UPDATE users SET email = 'erased:1', password_hash = '', is_active = 0, erasure_cursor = 0,
                     password_version = 2";
    let from = "192.0.2.99";
    let login = json!({"email": EMAIL, "password": WRONG});
    let (service, _) = overtaken_by(erase, 2).await;
    service.db.watch_events();
    service.post_from(from, "/auth/login", &login).await.expect(401);
    let right = json!({"email": EMAIL, "password": PASSWORD});
    let (second, _) = overtaken_by(erase, 2).await;
    second.db.watch_events();
    second.post_from(from, "/auth/login", &right).await.expect(401);
    for service in [service, second] {
        let last = service.db.latest_event();
        assert_eq!((&last["user_id"], &last["ip"], &last["user_agent"]), (&json!(1), &json!(null), &json!(null)));
    }
}
