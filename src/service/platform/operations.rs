//! Operation of the service: readiness, and control of the circuit breaker. Database round trips: readiness 1, the
//! breaker 0; a command has 1 behind the response, for its event.

use crate::domain::audit::command_name;
use crate::domain::breaker::{Command, State};
use crate::domain::limits::storage::StorageState;
use crate::domain::problem::Code;
use crate::domain::secret_keys::key_id;
use crate::ports::{BreakerReport, DbErrorKind};
use crate::service::{Context, Error, ErrorKind};
use crate::store::audit::{RequestInfo, record_command};
use crate::store::platform::health;

/// The result of the query that checks the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseCheck {
    /// The database answered the query.
    Ok,
    /// The query failed; the log has the cause.
    Failing,
    /// The circuit breaker rejected the query.
    NotAsked,
}

/// The state of the service's dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The result of a query made for this check.
    pub database: DatabaseCheck,
    /// The rows that the current `SECRET_KEY` has not encrypted yet, if the operator asks and the database answered.
    pub outdated_secrets: Option<i64>,
    /// The space that is left, after that query.
    pub storage: StorageState,
    /// The size of the database in bytes, if it is known.
    pub used_bytes: Option<i64>,
    /// The circuit breaker, after that query.
    pub breaker: BreakerReport,
}

impl Readiness {
    /// True if the service can serve requests that need the database.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.database == DatabaseCheck::Ok && self.breaker.view.state == State::Closed
    }
}

/// Queries the database, then the circuit breaker.
pub async fn readiness(ctx: &Context<'_>, for_operator: bool) -> Readiness {
    let key_id = for_operator.then(|| key_id(&ctx.settings.secret_keys.current));
    let (database, outdated_secrets) = match health::ping(ctx.store, key_id.as_deref()).await {
        Ok(count) => (DatabaseCheck::Ok, count),
        Err(error) if matches!(error.kind(), DbErrorKind::NotAsked(_)) => (DatabaseCheck::NotAsked, None),
        Err(error) => {
            tracing::error!(target: "app.errors", cause = %error, "Database is not ready");
            (DatabaseCheck::Failing, None)
        }
    };
    let (storage, used_bytes) = (ctx.storage(), ctx.store.size_bytes());
    Readiness { database, outdated_secrets, storage, used_bytes, breaker: ctx.store.gate().inspect().await }
}

/// Returns the state of the circuit breaker.
pub async fn inspect_breaker(ctx: &Context<'_>) -> BreakerReport {
    ctx.store.gate().inspect().await
}

/// Forces the circuit breaker into a state, or returns it to automatic operation.
///
/// # Errors
/// `SERVICE_UNAVAILABLE` if the shared breaker did not answer. The command may have arrived; repeating it is harmless.
pub async fn command_breaker(ctx: &Context<'_>, command: Command) -> Result<BreakerReport, Error> {
    let name = command_name(command);
    tracing::warn!(target: "app.operator", command = name, "Operator commands the circuit breaker");
    let report = ctx.store.gate().command(command).await;
    record_in_background(ctx, command);
    report.map_err(|_| ErrorKind::BreakerOutOfReach.into())
}

/// Records a command behind the response, because commands must work while the database is down. The log has each of
/// them, whether or not the event is written.
fn record_in_background(ctx: &Context<'_>, command: Command) {
    let (store, now) = (ctx.store.clone(), ctx.now());
    let (peer, request_id) = (ctx.request.peer.clone(), ctx.request.request_id.clone());
    let (stamp, key, omits_refusals) = (ctx.request.stamp, ctx.request.key.clone(), ctx.request.omits_refusals);
    ctx.background.spawn(Box::pin(async move {
        let request = RequestInfo { now, peer: &peer, request_id: &request_id, stamp, key: &key, omits_refusals };
        if let Err(error) = record_command(&store, command, request).await {
            let command = command_name(command);
            tracing::warn!(target: "app.operator", command, cause = %error, "Command is not in the audit log");
        }
    }));
}

/// Checks the operator's key in constant time.
///
/// # Errors
/// `NOT_FOUND` if the deployment has no operator key: these routes do not exist then. `AUTH_TOKEN_INVALID` for a wrong
/// key.
pub fn authenticate_operator(ctx: &Context<'_>, presented: Option<&str>) -> Result<(), Error> {
    let key = ctx.settings.operator_key.as_ref().ok_or(Code::NotFound)?;
    if presented.is_some_and(|presented| key.equals(presented)) { Ok(()) } else { Err(Code::TokenInvalid.into()) }
}
