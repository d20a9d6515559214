//! Permission to call the database: the store's view of the circuit breaker. The breaker also keeps the exchanges that
//! the database left unresolved, because it is the one part of the service that works during a stall.

use crate::domain::breaker::{Command, Round, View};
use crate::domain::session::unresolved::UnresolvedExchange;
use crate::ports::PortFuture;

/// Permission to call the database once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Set if the call is a probe, whose outcome closes or reopens the breaker.
    pub probe: Option<Probe>,
}

/// A probe, and the breaker to which its outcome is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The breaker that all isolates share.
    Shared(Round),
    /// The isolate's local breaker, while the shared one is unreachable.
    Alone(Round),
}

/// The breaker is open, so the database must not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Milliseconds until a retry makes sense.
    pub retry_after_ms: i64,
}

/// The outcome of a call, as far as it concerns the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The database answered, even if it refused a statement.
    Answered,
    /// The database did not answer, or not intelligibly.
    Failed,
    /// The client disconnected, so the call proves nothing. The lease of such a probe expires.
    Abandoned,
}

/// The breaker's state, for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerReport {
    /// The state, with relative times.
    pub view: View,
    /// True if the shared breaker answered; otherwise it is unreachable, and the isolate decides alone.
    pub shared: bool,
}

/// The shared breaker does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is out of reach")]
pub struct OutOfReach;

/// The circuit breaker in front of the database.
pub trait Gate: Send + Sync {
    /// Asks for permission to call the database.
    fn admit(&self) -> PortFuture<'_, Result<Pass, Refused>>;

    /// Reports the outcome of a permitted call.
    fn report(&self, pass: Pass, outcome: Outcome) -> PortFuture<'_, ()>;

    /// The breaker's state, for the operator; requests use [`Gate::admit`].
    fn inspect(&self) -> PortFuture<'_, BreakerReport>;

    /// Sends an operator's command to the shared breaker.
    ///
    /// # Errors
    /// [`OutOfReach`]: the breaker may have executed the command nevertheless. Commands are idempotent.
    fn command(&self, command: Command) -> PortFuture<'_, Result<BreakerReport, OutOfReach>>;

    /// Notes that the outcome of this exchange of a refresh token is unknown, because the database did not answer.
    fn note_unresolved(&self, exchange: UnresolvedExchange) -> PortFuture<'_, ()>;

    /// Was this exchange noted within the last [`NOTED_MS`](crate::domain::session::unresolved::NOTED_MS)? If the shared
    /// breaker is out of reach, only the notes of this isolate count.
    fn is_unresolved(&self, exchange: UnresolvedExchange) -> PortFuture<'_, bool>;

    /// The number of calls to the shared breaker for which this request has waited.
    fn calls(&self) -> u32;
}
