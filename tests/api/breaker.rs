//! The circuit breaker in the request path: admission, refusal, readiness and the operator's commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use edge_auth::domain::breaker::{Admission, Breaker, Command, IsolateId, Policy, Report};
use edge_auth::domain::time::Timestamp;
use edge_auth::ports::{Db, DbError, DbErrorKind, PortFuture, Rows, Statement};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

const OPERATOR_KEY: &str = "operator 0123456789 abcdefghijkl";

/// A database that fails on demand and counts the batches that reach it.
pub struct Flaky {
    db: Arc<Sqlite>,
    fails: AtomicBool,
    asked: AtomicUsize,
}

impl Flaky {
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }
}

impl Db for Flaky {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) {
            let lost = DbErrorKind::Unavailable("Network connection lost.".to_owned());
            Box::pin(std::future::ready(Err(lost.into())))
        } else {
            self.db.batch(statements)
        }
    }
}

pub fn flaky(settings: &[(&str, &str)]) -> (Service, Arc<Flaky>) {
    let db = Arc::new(Sqlite::migrated());
    let port = Arc::new(Flaky { db: db.clone(), fails: false.into(), asked: 0.into() });
    (Service::on(db, port.clone(), settings), port)
}

/// A service with a user, on a database that has just failed five times.
async fn opened() -> (Service, Arc<Flaky>) {
    let (service, port) = flaky(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    service.register(EMAIL).await;
    port.fails.store(true, Ordering::Relaxed);
    for _ in 0..5 {
        service.login(EMAIL, PASSWORD).await.expect_error(503, "SERVICE_UNAVAILABLE");
    }
    (service, port)
}

async fn operator(service: &Service, body: Option<&Value>, key: Option<&str>) -> Reply {
    let mut request = match body {
        Some(_) => Request::post("/operator/circuit-breaker").header("Content-Type", "application/json"),
        None => Request::get("/operator/circuit-breaker"),
    };
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    service.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn five_failures_open_the_breaker() {
    let (service, port) = opened().await;
    let asked = port.asked.load(Ordering::Relaxed);
    let reply = service.login(EMAIL, PASSWORD).await.expect_error(503, "SERVICE_UNAVAILABLE");
    assert_eq!(reply.header("retry-after"), Some("30"));
    assert_eq!(service.last_d1_calls(), 0);
    assert_eq!(port.asked.load(Ordering::Relaxed), asked);
    service.get("/health").await.expect(200);
    service.get("/openapi.json").await.expect(200);
    service.advance(29);
    let reply = service.login(EMAIL, PASSWORD).await.expect(503);
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn a_successful_probe_closes_the_breaker_and_a_failed_one_reopens_it() {
    let (service, port) = opened().await;
    service.advance(30);
    service.login(EMAIL, PASSWORD).await.expect(503);
    let asked = port.asked.load(Ordering::Relaxed);
    service.login(EMAIL, PASSWORD).await.expect(503);
    assert_eq!(port.asked.load(Ordering::Relaxed), asked, "the failed probe reopened it");
    port.fails.store(false, Ordering::Relaxed);
    service.advance(30);
    service.login(EMAIL, PASSWORD).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn client_errors_never_count_as_failures() {
    let (service, _) = flaky(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    let tokens = service.register(EMAIL).await;
    for _ in 0..200 {
        service.login(EMAIL, "wrong password").await.expect(401);
        service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(409);
        service.refresh("nonsense").await.expect(401);
        service.get("/nowhere").await.expect(404);
    }
    service.me(&tokens.access).await.expect(200);
    let ready = service.get_as("/health/ready", OPERATOR_KEY).await.expect(200);
    assert_eq!(ready.body["checks"]["circuit_breaker"]["failure_count"], 0);
}

#[tokio::test]
async fn readiness_reports_database_and_breaker() {
    let (service, port) = flaky(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    let breaker = |state, failure_count, retry_after_seconds| {
        json!({
            "state": state, "failure_count": failure_count, "retry_after_seconds": retry_after_seconds,
            "forced": false, "shared": true,
        })
    };
    let ready = service.get_as("/health/ready", OPERATOR_KEY).await.expect(200);
    let mut checks = json!({"database": "ok", "storage": {"state": "ok"}, "circuit_breaker": breaker("closed", 0, 0)});
    checks["encryption"] = json!({"rows_left": 0});
    assert_eq!(ready.body, json!({"status": "ready", "checks": checks}));
    port.fails.store(true, Ordering::Relaxed);
    for failures in 1..5 {
        let ready = service.get_as("/health/ready", OPERATOR_KEY).await.expect(503);
        let checks = json!({"database": "failing", "storage": {"state": "ok"}, "circuit_breaker": breaker("closed", failures, 0)});
        assert_eq!(ready.body, json!({"status": "degraded", "checks": checks}));
    }
    service.get_as("/health/ready", OPERATOR_KEY).await.expect(503);
    let ready = service.get_as("/health/ready", OPERATOR_KEY).await.expect(503);
    let checks =
        json!({"database": "not_asked", "storage": {"state": "ok"}, "circuit_breaker": breaker("open", 5, 30)});
    assert_eq!(ready.body, json!({"status": "degraded", "checks": checks}));
    for token in [OPERATOR_KEY.to_uppercase(), "x".to_owned()] {
        let public = service.get_as("/health/ready", &token).await.expect(503);
        assert_eq!(public.body["checks"]["circuit_breaker"], json!({"state": "open", "forced": false, "shared": true}));
    }
    port.fails.store(false, Ordering::Relaxed);
    service.advance(30);
    service.get_as("/health/ready", OPERATOR_KEY).await.expect(200);
}

#[tokio::test]
async fn without_an_operator_key_the_endpoint_is_404() {
    let service = Service::new();
    for key in [None, Some(""), Some(OPERATOR_KEY)] {
        operator(&service, None, key).await.expect_error(404, "NOT_FOUND");
        operator(&service, Some(&json!({"state": "open"})), key).await.expect_error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn only_the_operator_key_is_accepted() {
    let service = Service::with(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    let tokens = service.register(EMAIL).await;
    let almost = &OPERATOR_KEY[..OPERATOR_KEY.len() - 1];
    for key in [None, Some(""), Some("x"), Some(almost), Some(tokens.access.as_str()), Some(crate::support::SECRET)] {
        let reply = operator(&service, None, key).await.expect_error(401, "AUTH_TOKEN_INVALID");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer realm="));
        operator(&service, Some(&json!({"state": "open"})), key).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    service.login(EMAIL, PASSWORD).await.expect(200);
    operator(&service, None, Some(OPERATOR_KEY)).await.expect(200);
    assert!(service.log_lines().iter().all(|line| !line.contains(OPERATOR_KEY)));
}

#[tokio::test]
async fn an_operator_can_force_the_breaker_while_the_database_is_down() {
    let (service, port) = opened().await;
    let state = |body: &Value| (body["state"].as_str().unwrap().to_owned(), body["forced"].as_bool().unwrap());
    let reply = operator(&service, None, Some(OPERATOR_KEY)).await.expect(200);
    assert_eq!(state(&reply.body), ("open".to_owned(), false));
    assert_eq!(service.last_d1_calls(), 0);
    let reply = operator(&service, Some(&json!({"state": "closed"})), Some(OPERATOR_KEY)).await.expect(200);
    assert_eq!(state(&reply.body), ("closed".to_owned(), true));
    for _ in 0..10 {
        service.login(EMAIL, PASSWORD).await.expect(503);
        assert_eq!(service.last_d1_calls(), 1, "forced closed admits every call");
    }
    port.fails.store(false, Ordering::Relaxed);
    operator(&service, Some(&json!({"state": "open"})), Some(OPERATOR_KEY)).await.expect(200);
    service.advance(100_000);
    service.login(EMAIL, PASSWORD).await.expect(503);
    assert_eq!(service.last_d1_calls(), 0, "forced open holds until changed");
    let reply = operator(&service, Some(&json!({"state": "automatic"})), Some(OPERATOR_KEY)).await.expect(200);
    assert_eq!(state(&reply.body), ("closed".to_owned(), false));
    service.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_unknown_command_is_refused() {
    let service = Service::with(&[("OPERATOR_KEY", OPERATOR_KEY)]);
    for (body, kind) in [
        (json!({}), "missing"),
        (json!({"state": "half_open"}), "value_error"),
        (json!({"state": "OPEN"}), "value_error"),
        (json!({"state": true}), "type_error"),
    ] {
        let reply = operator(&service, Some(&body), Some(OPERATOR_KEY)).await.expect_error(422, "VALIDATION_ERROR");
        assert_eq!(reply.faults(), [("state".to_owned(), kind.to_owned())]);
    }
}

#[derive(Debug, Clone)]
enum Event {
    Admit,
    Failed { isolate: i64, successes: u32 },
    Answer { back: usize, good: bool },
    Command(Command),
    Wait(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let command = prop_oneof![Just(Command::Open), Just(Command::Closed), Just(Command::Automatic)];
    prop_oneof![
        6 => Just(Event::Admit),
        6 => (0..4_i64, 0..3_u32).prop_map(|(isolate, successes)| Event::Failed { isolate, successes }),
        4 => (0..6_usize, any::<bool>()).prop_map(|(back, good)| Event::Answer { back, good }),
        1 => command.prop_map(Event::Command),
        6 => (0..40_i64).prop_map(Event::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No interval of one recovery timeout admits more probes than the policy allows. After any history a healthy
    /// database is reached again, unless an operator has forced the breaker open.
    #[test]
    fn no_history_admits_too_many_probes_or_gets_stuck(
        events in prop::collection::vec(event(), 0..120), max_probes in 1_u32..4, threshold in 1_u32..4,
        percent in 1_u32..=100, window in 1_i64..50, recovery in 1_i64..30, timeout in 1_i64..40,
    ) {
        let policy = Policy {
            failure_threshold: threshold, failure_percent: percent, failure_window_ms: window,
            recovery_timeout_ms: recovery, max_probes, probe_timeout_ms: timeout,
        };
        let mut breaker = Breaker::default();
        let mut now = 0;
        let mut probes: Vec<(i64, u32)> = Vec::new();
        for event in events {
            let time = Timestamp::from_millis(now);
            match event {
                Event::Admit => {
                    if let Admission::Probe(round) = breaker.admit(time, &policy) {
                        probes.push((now, round));
                    }
                }
                Event::Failed { isolate, successes } => {
                    let report = Report { isolate: IsolateId::new(isolate), failures: 1, successes };
                    breaker.failed(&report, time, &policy);
                }
                Event::Answer { back, good } => {
                    let Some((_, round)) = probes.iter().rev().nth(back) else { continue };
                    let isolate = IsolateId::new(i64::try_from(back).unwrap());
                    if good {
                        breaker.probe_succeeded(*round, isolate, time);
                    } else {
                        breaker.probe_failed(*round, time, &policy);
                    }
                }
                Event::Command(command) => breaker.command(command),
                Event::Wait(millis) => now += millis,
            }
        }
        for (index, (at, _)) in probes.iter().enumerate() {
            let close = probes[index..].iter().filter(|(other, _)| other - at < recovery).count();
            prop_assert!(close <= max_probes as usize, "{probes:?}");
        }
        let later = Timestamp::from_millis(now + policy.lease_ms());
        let forced_open = breaker.view(later, &policy).forced && breaker.admit(later, &policy) == Admission::Refuse;
        if !forced_open {
            if let Admission::Probe(round) = breaker.admit(later, &policy) {
                breaker.probe_succeeded(round, IsolateId::new(1), later);
            }
            prop_assert_eq!(breaker.admit(later, &policy), Admission::Go);
        }
    }
}
