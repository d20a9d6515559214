//! For those who run the service: is it ready, and what does the circuit breaker do?
//! Database round trips: readiness 1, the breaker 0.

use crate::domain::breaker::{Command, State};
use crate::domain::problem::Code;
use crate::ports::{BreakerReport, DbError};
use crate::service::{Context, Error};
use crate::store::platform::health;

/// How the database was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseCheck {
    /// It answers.
    Ok,
    /// It does not.
    Failing,
    /// The breaker did not let the question through.
    NotAsked,
}

/// The truth about what the service depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The database.
    pub database: DatabaseCheck,
    /// The circuit breaker, after the database was asked.
    pub breaker: BreakerReport,
}

impl Readiness {
    /// Can requests that need the database be served?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.database == DatabaseCheck::Ok && self.breaker.view.state == State::Closed
    }
}

/// Asks the database, then the breaker.
pub async fn readiness(ctx: &Context<'_>) -> Readiness {
    let database = match health::ping(ctx.store).await {
        Ok(()) => DatabaseCheck::Ok,
        Err(DbError::NotAsked(_)) => DatabaseCheck::NotAsked,
        Err(error) => {
            tracing::error!(target: "app.errors", cause = %error, "Database is not ready");
            DatabaseCheck::Failing
        }
    };
    Readiness { database, breaker: ctx.store.gate().inspect().await }
}

/// What the breaker says of itself.
pub async fn inspect_breaker(ctx: &Context<'_>) -> BreakerReport {
    ctx.store.gate().inspect().await
}

/// Forces the breaker, or lets it decide by itself again.
///
/// # Errors
/// `SERVICE_UNAVAILABLE` when the shared breaker did not answer. It may have heard; repeating does no harm.
pub async fn command_breaker(ctx: &Context<'_>, command: Command) -> Result<BreakerReport, Error> {
    let report = ctx.store.gate().command(command).await;
    report.map_err(|_| Error::BreakerOutOfReach)
}

/// Checks the key of an operator, in the same time wherever it differs.
///
/// # Errors
/// `NOT_FOUND` while the deployment has no operator key: there is no such door then.
/// `AUTH_TOKEN_INVALID` for another key.
pub fn authenticate_operator(ctx: &Context<'_>, presented: Option<&str>) -> Result<(), Error> {
    let key = ctx.settings.operator_key.as_ref().ok_or(Code::NotFound)?;
    if presented.is_some_and(|presented| key.equals(presented)) { Ok(()) } else { Err(Code::TokenInvalid.into()) }
}
