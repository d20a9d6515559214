//! The scheduled clean-up: deleted rows, retained rows, and the resumption of an unfinished run.

use std::sync::Arc;

use edge_auth::domain::breaker::Command;
use edge_auth::domain::time::{DAY, Timestamp};
use edge_auth::ports::Db;
use edge_auth::service::platform::clean_up::{Removed, clean_up};
use edge_auth::store::Store;
use edge_auth::store::account::erasure;

use crate::support::federation::{federated_sign_in, with};
use crate::support::provider::Person;
use crate::support::{EMAIL, PASSWORD, Service, clock};

const RETENTION_DAYS: i64 = 90;

async fn run(service: &Service) -> Removed {
    clean_up(&store(service), clock(), service.settings(), false).await.unwrap()
}

fn store(service: &Service) -> Store {
    Store::new(Arc::clone(&service.db) as Arc<dyn Db>, service.gate())
}

fn count(service: &Service, table: &str) -> i64 {
    service.db.one(&format!("SELECT count(*) FROM {table}"))
}

#[tokio::test]
async fn a_fresh_database_has_nothing_to_clean_up() {
    let service = Service::new();
    service.register(EMAIL).await;
    let removed = run(&service).await;
    let tables = [
        "sessions",
        "used_challenges",
        "email_proofs",
        "mails",
        "audit_events",
        "registration_counts",
        "mail_counts",
        "invitations",
        "registrations",
        "used_flows",
    ];
    assert_eq!(removed, Removed { rows: tables.map(|table| (table, 0)).into(), users: 0, is_complete: true });
    assert_eq!(count(&service, "sessions"), 1);
}

#[tokio::test]
async fn the_row_of_an_ended_session_is_deleted_at_once() {
    let service = Service::new();
    let ended = service.register(EMAIL).await;
    let live = service.login(EMAIL, PASSWORD).await.tokens();
    let ended = service.refresh(&ended.refresh).await.tokens();
    service.logout(&ended.refresh).await.expect(200);
    let next = service.refresh(&live.refresh).await.tokens();
    assert_eq!(count(&service, "sessions"), 1);
    service.me(&ended.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&ended.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.logout(&ended.refresh).await.expect(200);
    // Reuse in the live session is detected whether the clean-up has run or not.
    run(&service).await;
    service.refresh(&live.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&next.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

/// An access token may have been issued in the last moment of its refresh token.
#[tokio::test]
async fn a_session_is_deleted_once_nothing_that_it_issued_is_valid() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.advance(7 * DAY - 1);
    let tokens = service.refresh(&tokens.refresh).await.expect(200).tokens();
    service.advance(7 * DAY + 899);
    assert_eq!(run(&service).await.of("sessions"), 0);
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.advance(1);
    assert_eq!(run(&service).await.of("sessions"), 1);
}

#[tokio::test]
async fn a_session_past_its_absolute_end_is_deleted() {
    let service = Service::with(&[("SESSION_MAX_DAYS", "1"), ("REFRESH_TOKEN_EXPIRE_DAYS", "7")]);
    service.register(EMAIL).await;
    service.advance(DAY + 899);
    assert_eq!(run(&service).await.of("sessions"), 0);
    service.advance(1);
    assert_eq!(run(&service).await.of("sessions"), 1);
}

/// For as long as the flow itself would be valid, on a slow clock, too.
#[tokio::test]
async fn used_flows_are_deleted_after_their_end() {
    let service = with(&[]);
    federated_sign_in(&service, "acme", &Person::of("4711", EMAIL)).await.expect(200);
    service.advance(600 + 59);
    assert_eq!(run(&service).await.of("used_flows"), 0);
    service.advance(1);
    assert_eq!(run(&service).await.of("used_flows"), 1);
    assert_eq!(count(&service, "identities"), 1);
}

#[tokio::test]
async fn audit_events_and_registration_counts_are_deleted_after_their_retention() {
    let service = Service::with(&[("RATE_LIMITING", "on")]);
    service.register(EMAIL).await;
    service.advance(3599);
    assert_eq!(run(&service).await.of("registration_counts"), 0);
    service.advance(1);
    assert_eq!(run(&service).await.of("registration_counts"), 1);
    service.advance(RETENTION_DAYS * DAY - 3601);
    assert_eq!(run(&service).await.of("audit_events"), 0);
    service.login(EMAIL, PASSWORD).await.expect(200);
    service.advance(1);
    assert_eq!(run(&service).await.of("audit_events"), 1);
    assert_eq!(count(&service, "audit_events"), 1);
}

#[tokio::test]
async fn one_run_deletes_a_bounded_number_of_rows_and_the_next_continues() {
    let service = Service::new();
    service.register(EMAIL).await;
    let live: i64 = service.db.one("SELECT id FROM sessions");
    service.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, refresh_id, refresh_expires_at)
         SELECT 1 + abs(random() % 9007199254740990), 1, 1, 1, 2, lower(hex(randomblob(16))), 2 FROM n",
    );
    let run_one = run(&service).await;
    assert!(!run_one.is_complete);
    let first = run_one.of("sessions");
    assert!(first < 250_000, "one run is bounded: {first}");
    let mut removed = first;
    while removed < 250_000 {
        let more = run(&service).await.of("sessions");
        assert!(more > 0, "each run continues the last one: {removed}");
        removed += more;
    }
    assert_eq!(service.db.one::<i64>("SELECT id FROM sessions"), live);
}

#[tokio::test]
async fn a_large_erasure_is_finished_by_the_clean_up() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at)
         SELECT 1 + i, 1, 1, 1, 1900000000000 FROM n",
    );
    service.db.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
         INSERT INTO audit_events (created_at, type, user_id, ip, user_agent, request_id)
         SELECT 1799999999999, 'refreshed', 1, '192.0.2.7', 'agent', 'r' FROM n",
    );
    service.delete_account(&tokens.access).await;
    assert_eq!(service.db.one::<String>("SELECT email || password_hash FROM users"), "erased:1");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.register(EMAIL).await;
    assert_eq!(erasure::unfinished(&store(&service), 10).await.unwrap().len(), 1);
    assert_eq!(run(&service).await.users, 1);
    let left = "SELECT count(*) FROM audit_events WHERE user_id = 1 AND (ip IS NOT NULL OR user_agent IS NOT NULL)";
    assert_eq!(service.db.one::<i64>(left), 0);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users WHERE id = 1"), 0);
    assert_eq!((count(&service, "users"), count(&service, "sessions")), (1, 1), "the new account is untouched");
}

/// Erased users, each with this many events left.
fn add_erased(service: &Service, ids: std::ops::RangeInclusive<i64>, events: i64) {
    service.db.execute(&format!(
        "WITH RECURSIVE u (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM u WHERE i < {last})
         INSERT INTO users (id, email, password_hash, is_active, created_at, erasure_cursor)
         SELECT i, 'erased:' || i, '', 0, 1, 0 FROM u;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events})
         INSERT INTO audit_events (created_at, type, user_id, ip, request_id)
         SELECT 1799999999999, 'signed_in', u.id, '192.0.2.7', 'r' FROM n, users AS u
         WHERE u.id BETWEEN {first} AND {last}",
        first = ids.start(),
        last = ids.end()
    ));
    // The trigger for late events has stripped them; they are as before the erasure again.
    service.db.execute("UPDATE audit_events SET ip = '192.0.2.7', request_id = 'r'");
}

#[tokio::test]
async fn a_small_erasure_does_not_wait_for_eleven_large_ones() {
    let service = Service::new();
    add_erased(&service, 1..=11, 5000);
    add_erased(&service, 12..=12, 10);
    let removed = run(&service).await;
    assert!(!removed.is_complete, "the large ones go on");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users WHERE id = 12"), 0);
    let stripped =
        "SELECT min(n) FROM (SELECT sum(ip IS NULL) AS n FROM audit_events WHERE user_id < 12 GROUP BY user_id)";
    assert_eq!(service.db.one::<i64>(stripped), 1000, "each of them took a step");
}

/// More erasures than a run has steps: each run begins behind the users of the one before.
#[tokio::test]
async fn erasures_are_served_in_turn_over_several_runs() {
    let service = Service::new();
    add_erased(&service, 1..=40, 2500);
    add_erased(&service, 41..=41, 10);
    let steps = "SELECT group_concat(n, '') FROM (
        SELECT sum(ip IS NULL) / 1000 AS n FROM audit_events WHERE user_id <= 40 GROUP BY user_id ORDER BY user_id)";
    let is_there = "SELECT count(*) FROM users WHERE id = 41";
    for (seen, small) in [
        ([[1; 12].as_slice(), &[0; 28]].concat(), 1),
        ([[1; 24].as_slice(), &[0; 16]].concat(), 1),
        ([[1; 36].as_slice(), &[0; 4]].concat(), 1),
        // Four, the small one, and the first 7 once more.
        ([[2; 7].as_slice(), &[1; 33]].concat(), 0),
    ] {
        assert_eq!(run(&service).await.users, i64::from(small == 0));
        let expected: String = seen.iter().map(ToString::to_string).collect();
        assert_eq!(service.db.one::<String>(steps), expected);
        assert_eq!(service.db.one::<i64>(is_there), small);
    }
    let mut runs = 4;
    while !run(&service).await.is_complete {
        runs += 1;
    }
    assert!(runs <= 11, "{runs}: no step was idle");
    assert_eq!(count(&service, "users"), 0);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE ip IS NOT NULL"), 0);
}

#[tokio::test]
async fn a_clean_up_with_an_open_breaker_calls_no_database() {
    let service = Service::new();
    service.gate().command(Command::Open).await.unwrap();
    let error = clean_up(&store(&service), Timestamp::from_millis(0), service.settings(), false).await.unwrap_err();
    assert!(matches!(error.kind(), edge_auth::ports::DbErrorKind::NotAsked(_)), "{error}");
}
