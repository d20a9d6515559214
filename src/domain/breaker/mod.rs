//! The circuit breaker in front of the database: only the state machine, with `now` as an argument.
//!
//! ```text
//!          threshold failures within the window, which are
//!          a sufficient share of the calls, and not the word
//!          of one isolate against another (`window.rs`)
//!   ┌──────────┐ ─────────────────────────────────────▶ ┌──────────┐
//!   │  CLOSED  │                                         │   OPEN   │ ◀──────────────┐
//!   └──────────┘                                         └──────────┘                │
//!        ▲                                                    │ recovery timeout     │
//!        │ a probe succeeds                                   ▼ over, next request   │ a probe fails
//!        │                                              ┌───────────┐                │
//!        └───────────────────────────────────────────── │ HALF_OPEN │ ───────────────┘
//!                                                       └───────────┘
//!                                       grants at most `max_probes` leases at a time; the lease of a lost
//!                                       probe expires, and the next request probes
//! ```
//!
//! An operator can force it open or closed until the next command. Every lease lasts at least one recovery timeout, so
//! no span of that length admits more than `max_probes` probes, whatever happens to them.

pub mod copy;
mod mode;
mod policy;
pub mod repetition;
#[cfg(test)]
mod sample;
pub mod tally;
mod window;

pub use policy::Policy;
pub use window::{IsolateId, Report};

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;
use mode::Mode;
use window::Window;

/// A command of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Force closed: admit every request, whatever fails.
    Closed,
    /// Force open: refuse every request.
    Open,
    /// Return to automatic operation, starting closed.
    Automatic,
}

/// The visible state of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Every request is admitted.
    Closed,
    /// Every request is refused.
    Open,
    /// A probe is under way, or may be sent.
    HalfOpen,
}

impl State {
    /// The name in JSON and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Numbers the half-open periods; reports of probes from another period are ignored.
pub type Round = u32;

/// The answer to a request that wants to call the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// The request may call the database.
    Go,
    /// The request may call the database as a probe, and must report the outcome with this round.
    Probe(Round),
    /// The request must not call the database.
    Refuse,
}

/// A snapshot of the breaker for isolates. Times are relative, so no two clocks are ever compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The state at the time of the answer.
    pub state: State,
    /// True if an operator forced the state.
    pub forced: bool,
    /// Failures within the window, or those that opened the breaker.
    pub failure_count: u32,
    /// Milliseconds until a retry makes sense; 0 while closed.
    pub retry_after_ms: i64,
    /// Grows with every change, so the newer of two views can be recognised.
    #[serde(default)]
    pub version: u64,
}

/// The state machine, stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    mode: Mode,
    round: Round,
    #[serde(default)]
    version: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { mode: Mode::closed(Window::default()), round: 0, version: 0 }
    }
}

impl Breaker {
    /// A local breaker that continues from the view of the shared one; `due` is the time of its next probe.
    #[must_use]
    pub fn from_view(view: &View, due: Timestamp) -> Self {
        let mode = match (view.forced, view.state) {
            (true, State::Closed) => Mode::Forced { open: false },
            (true, State::Open | State::HalfOpen) => Mode::Forced { open: true },
            (false, State::Closed) => Mode::closed(Window::default()),
            (false, State::Open | State::HalfOpen) => {
                Mode::Open { failure_count: view.failure_count, until: due.millis() }
            }
        };
        Self { mode, round: 0, version: 0 }
    }

    /// The state that was last entered. Unlike [`Breaker::state`] it does not depend on the time: an open breaker
    /// enters half-open only when it admits the first probe.
    #[must_use]
    pub const fn entered(&self) -> State {
        match &self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => State::Closed,
            Mode::Open { .. } | Mode::Forced { open: true } => State::Open,
            Mode::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Increments [`View::version`] after a change.
    pub const fn mark_changed(&mut self) {
        self.version = self.version.saturating_add(1);
    }

    /// Adapts a stored state to now: shortens every wait to the maximum of the current policy. The clock may have been
    /// set back, or the policy or the version of the service may have changed, since the wait began.
    pub fn clamp(&mut self, now: Timestamp, policy: &Policy) {
        match &mut self.mode {
            Mode::Open { until, .. } => *until = (*until).min(now.millis().saturating_add(policy.recovery_timeout_ms)),
            Mode::HalfOpen { leases, .. } => leases.iter_mut().for_each(|end| *end = (*end).min(lease(now, policy))),
            Mode::Closed { failures, window } => {
                for at in failures.drain(..) {
                    window.note(&Report::UNNAMED, Timestamp::from_millis(at), policy);
                }
                window.clamp(now);
            }
            Mode::Forced { .. } => {}
        }
    }

    /// The state at this time. An open breaker past its recovery timeout counts as half-open, because it would admit
    /// the next request as a probe.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match &self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => State::Closed,
            Mode::Open { until, .. } if *until <= now.millis() => State::HalfOpen,
            Mode::Open { .. } | Mode::Forced { open: true } => State::Open,
            Mode::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// The snapshot at this time.
    #[must_use]
    pub fn view(&self, now: Timestamp, policy: &Policy) -> View {
        let failure_count = match &self.mode {
            Mode::Closed { window, .. } => window.failures(now, policy),
            Mode::Open { failure_count, .. } | Mode::HalfOpen { failure_count, .. } => *failure_count,
            Mode::Forced { .. } => 0,
        };
        let retry_after_ms = match &self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => 0,
            Mode::Open { until, .. } => until - now.millis(),
            Mode::HalfOpen { leases, .. } if to_u32(leases.len()) < policy.max_probes => 0,
            Mode::HalfOpen { leases, .. } => leases.iter().min().map_or(0, |end| end - now.millis()),
            // The operator's next command cannot be predicted, so the recovery timeout serves as an estimate.
            Mode::Forced { open: true } => policy.recovery_timeout_ms,
        };
        let forced = matches!(self.mode, Mode::Forced { .. });
        View {
            state: self.state(now),
            forced,
            failure_count,
            retry_after_ms: retry_after_ms.max(0),
            version: self.version,
        }
    }

    /// Decides whether a request may call the database. Every admitted probe holds a lease.
    pub fn admit(&mut self, now: Timestamp, policy: &Policy) -> Admission {
        match &mut self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => Admission::Go,
            Mode::Forced { open: true } => Admission::Refuse,
            Mode::Open { until, .. } if *until > now.millis() => Admission::Refuse,
            Mode::Open { failure_count, .. } => {
                self.round = self.round.wrapping_add(1);
                let leases = vec![lease(now, policy)];
                self.mode = Mode::HalfOpen { failure_count: *failure_count, leases };
                Admission::Probe(self.round)
            }
            Mode::HalfOpen { leases, .. } => {
                leases.retain(|end| *end > now.millis());
                if to_u32(leases.len()) >= policy.max_probes {
                    return Admission::Refuse;
                }
                leases.push(lease(now, policy));
                Admission::Probe(self.round)
            }
        }
    }

    /// Records failed calls that were no probes.
    pub fn failed(&mut self, report: &Report, now: Timestamp, policy: &Policy) {
        // Only a closed breaker counts. In any other state the failed request began before the breaker opened, so
        // its failure is not new information.
        if let Mode::Closed { window, .. } = &mut self.mode {
            window.note(report, now, policy);
            if window.opens(now, policy) {
                let failure_count = window.failures(now, policy);
                self.open(now, failure_count, policy);
            }
        }
    }

    /// Closes the breaker after a successful probe of the current round.
    pub fn probe_succeeded(&mut self, round: Round, isolate: IsolateId, now: Timestamp) {
        if self.is_probing(round) {
            self.mode = Mode::closed(Window::after_success(isolate, now));
        }
    }

    /// Opens the breaker again after a failed probe of the current round.
    pub fn probe_failed(&mut self, round: Round, now: Timestamp, policy: &Policy) {
        if let Mode::HalfOpen { failure_count, .. } = self.mode
            && self.is_probing(round)
        {
            self.open(now, failure_count.saturating_add(1), policy);
        }
    }

    /// Executes a command of an operator.
    pub fn command(&mut self, command: Command) {
        self.mode = match command {
            Command::Closed => Mode::Forced { open: false },
            Command::Open => Mode::Forced { open: true },
            Command::Automatic => Mode::closed(Window::default()),
        };
    }

    fn open(&mut self, now: Timestamp, failure_count: u32, policy: &Policy) {
        self.mode = Mode::Open { failure_count, until: now.millis().saturating_add(policy.recovery_timeout_ms) };
    }

    fn is_probing(&self, round: Round) -> bool {
        matches!(self.mode, Mode::HalfOpen { .. }) && self.round == round
    }
}

fn lease(now: Timestamp, policy: &Policy) -> i64 {
    now.millis().saturating_add(policy.lease_ms())
}

fn to_u32(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
