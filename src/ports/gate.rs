//! Leave to call the database: the circuit breaker, as the store sees it.

use crate::domain::breaker::{Command, Round, View};
use crate::ports::PortFuture;

/// Leave to call the database once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The call is a probe: its outcome decides whether others may follow.
    pub probe: Option<Probe>,
}

/// A probe, and who waits for its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The breaker that everybody shares.
    Shared(Round),
    /// This isolate's own, while the shared one is out of reach.
    Alone(Round),
}

/// No leave: try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Milliseconds after which it makes sense to try again.
    pub retry_after_ms: i64,
}

/// How a call went, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The database answered; what it said is the caller's business.
    Answered,
    /// It did not, or not sensibly.
    Failed,
}

/// What the breaker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerReport {
    /// Its state.
    pub view: View,
    /// Did the shared breaker say so? Otherwise it is out of reach, and this isolate decides alone.
    pub shared: bool,
}

/// The shared breaker does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is out of reach")]
pub struct OutOfReach;

/// The circuit breaker in front of the database.
pub trait Gate: Send + Sync {
    /// May I call the database?
    fn admit(&self) -> PortFuture<'_, Result<Pass, Refused>>;

    /// This is how it went.
    fn report(&self, pass: Pass, outcome: Outcome) -> PortFuture<'_, ()>;

    /// How is the breaker? For those who operate it; requests ask [`Gate::admit`].
    fn inspect(&self) -> PortFuture<'_, BreakerReport>;

    /// An operator decides.
    ///
    /// # Errors
    /// [`OutOfReach`]: it may have been heard all the same; repeating it does no harm.
    fn command(&self, command: Command) -> PortFuture<'_, Result<BreakerReport, OutOfReach>>;

    /// Calls to the shared breaker that this request has waited for.
    fn calls(&self) -> u32;
}
