//! Liveness and readiness.

use axum::response::Response;
use serde::Serialize;

use crate::domain::breaker::State;
use crate::domain::problem::whole_seconds;
use crate::http::kit::body::json;
use crate::http::kit::context::Configured;
use crate::ports::BreakerReport;
use crate::service::platform::operations::{DatabaseCheck, readiness};

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
    circuit_breaker: BreakerBody,
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
pub(in crate::http) async fn health() -> Response {
    json(200, &HealthBody { status: "ok" })
}

/// Readiness: the state of the database and of the circuit breaker.
pub(in crate::http) async fn ready(configured: Configured) -> Response {
    let readiness = readiness(&configured.service()).await;
    let (status_code, status) = if readiness.is_ready() { (200, "ready") } else { (503, "degraded") };
    let database = match readiness.database {
        DatabaseCheck::Ok => "ok",
        DatabaseCheck::Failing => "failing",
        DatabaseCheck::NotAsked => "not_asked",
    };
    let circuit_breaker = BreakerBody::from(readiness.breaker);
    json(status_code, &ReadinessBody { status, checks: ChecksBody { database, circuit_breaker } })
}
