//! Liveness and readiness.

use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use crate::domain::breaker::State;
use crate::domain::problem::whole_seconds;
use crate::http::kit::bearer::bearer_token;
use crate::http::kit::body::json;
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::ports::BreakerReport;
use crate::service::platform::operations::{DatabaseCheck, authenticate_operator, readiness};

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
}

#[derive(Serialize)]
struct ReadinessBody {
    status: &'static str,
    checks: ChecksBody,
}

#[derive(Serialize)]
struct ChecksBody {
    database: &'static str,
    storage: StorageBody,
    circuit_breaker: BreakerStateBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<EncryptionBody>,
}

/// The progress of encryption under a new `SECRET_KEY`.
#[derive(Serialize)]
struct EncryptionBody {
    rows_left: i64,
}

/// Numbers are for the operator: strangers must not learn how an attack proceeds.
#[derive(Serialize)]
struct StorageBody {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_bytes: Option<i64>,
}

#[derive(Serialize)]
struct BreakerStateBody {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
    forced: bool,
    shared: bool,
}

/// The state of the circuit breaker, for clients.
#[derive(Serialize)]
pub(in crate::http) struct BreakerBody {
    state: &'static str,
    failure_count: u32,
    retry_after_seconds: u32,
    forced: bool,
    shared: bool,
}

impl From<BreakerReport> for BreakerBody {
    fn from(BreakerReport { view, shared }: BreakerReport) -> Self {
        Self {
            state: view.state.as_str(),
            failure_count: view.failure_count,
            retry_after_seconds: if view.state == State::Closed { 0 } else { whole_seconds(view.retry_after_ms) },
            forced: view.forced,
            shared,
        }
    }
}

/// Liveness: depends neither on the database nor on valid settings.
pub(in crate::http) async fn health() -> Result<Response, Refusal> {
    Ok(json(200, &HealthBody { status: "ok" }))
}

/// Readiness: the state of the database and of the circuit breaker, with numbers if the operator's key is presented.
pub(in crate::http) async fn ready(configured: Configured, headers: HeaderMap) -> Result<Response, Refusal> {
    let ctx = configured.service();
    let is_operator = authenticate_operator(&ctx, bearer_token(&headers)).is_ok();
    let readiness = readiness(&ctx, is_operator).await;
    let (status_code, status) = if readiness.is_ready() { (200, "ready") } else { (503, "degraded") };
    let database = match readiness.database {
        DatabaseCheck::Ok => "ok",
        DatabaseCheck::Failing => "failing",
        DatabaseCheck::NotAsked => "not_asked",
    };
    let used_bytes = readiness.used_bytes.filter(|_| is_operator);
    let storage = StorageBody { state: readiness.storage.as_str(), used_bytes };
    let encryption = readiness.outdated_secrets.map(|rows_left| EncryptionBody { rows_left });
    let BreakerBody { state, failure_count, retry_after_seconds, forced, shared } = readiness.breaker.into();
    let numbers = is_operator.then_some((failure_count, retry_after_seconds));
    let (failure_count, retry_after_seconds) = numbers.unzip();
    let circuit_breaker = BreakerStateBody { state, failure_count, retry_after_seconds, forced, shared };
    let checks = ChecksBody { database, storage, circuit_breaker, encryption };
    Ok(json(status_code, &ReadinessBody { status, checks }))
}
