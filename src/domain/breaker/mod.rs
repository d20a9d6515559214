//! The circuit breaker in front of the database: the state machine alone, with `now` as an argument.
//!
//! ```text
//!                 threshold failures within the window
//!   ┌──────────┐ ─────────────────────────────────────▶ ┌──────────┐
//!   │  CLOSED  │                                         │   OPEN   │ ◀──────────────┐
//!   └──────────┘                                         └──────────┘                │
//!        ▲                                                    │ recovery timeout     │
//!        │ a probe succeeds                                   ▼ over, next request   │ a probe fails
//!        │                                              ┌───────────┐                │
//!        └───────────────────────────────────────────── │ HALF_OPEN │ ───────────────┘
//!                                                       └───────────┘
//!                                       grants at most `max_probes` leases at a time; one whose holder
//!                                       never answers ends by itself, and the next request probes
//! ```
//!
//! An operator can force it open or closed, which holds until it is changed. Every lease lasts at least
//! a recovery timeout: so in no span of that length are more than `max_probes` probes let through,
//! whatever happens to their holders.

pub mod copy;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// How the breaker behaves: the settings of the deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// So many failures open it …
    pub failure_threshold: u32,
    /// … if they happen within so many milliseconds.
    pub failure_window_ms: i64,
    /// Milliseconds from opening to the first probe.
    pub recovery_timeout_ms: i64,
    /// Probes that may be under way at once.
    pub max_probes: u32,
    /// Milliseconds after which a probe has certainly answered or never will.
    pub probe_timeout_ms: i64,
}

impl Policy {
    /// How long a probe is waited for.
    #[must_use]
    pub fn lease_ms(&self) -> i64 {
        self.probe_timeout_ms.max(self.recovery_timeout_ms)
    }
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Let everything through, whatever happens.
    Closed,
    /// Let nothing through.
    Open,
    /// Decide by itself again, starting closed.
    Automatic,
}

/// The state of the machine, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Requests go through.
    Closed,
    /// Requests are refused.
    Open,
    /// A probe is under way, or may be sent.
    HalfOpen,
}

impl State {
    /// The name on the wire and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Names the period in which a probe was let through; what a probe of another period says is ignored.
pub type Round = u32;

/// May a request call the database?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Yes.
    Go,
    /// Yes, and its outcome decides: it must be reported with this round.
    Probe(Round),
    /// No.
    Refuse,
}

/// What the breaker says of itself. Times are relative: no two clocks are ever compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The state.
    pub state: State,
    /// Did an operator force it?
    pub forced: bool,
    /// Failures that count at this moment.
    pub failure_count: u32,
    /// Milliseconds until it makes sense to ask again; 0 while closed.
    pub retry_after_ms: i64,
    /// Grows with every change: tells which of two views is the newer one.
    #[serde(default)]
    pub version: u64,
}

/// The machine. It is stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    mode: Mode,
    round: Round,
    #[serde(default)]
    version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Mode {
    /// With the moments of the failures that still count, oldest first; fewer than the threshold.
    Closed { failures: Vec<i64> },
    /// Until a moment.
    Open { failure_count: u32, until: i64 },
    /// With the ends of the leases of the probes under way.
    HalfOpen { failure_count: u32, leases: Vec<i64> },
    /// By an operator.
    Forced { open: bool },
}

impl Default for Breaker {
    fn default() -> Self {
        Self { mode: Mode::Closed { failures: Vec::new() }, round: 0, version: 0 }
    }
}

impl Breaker {
    /// A breaker that goes on from what another said of itself; `due` is when it was to be asked again.
    #[must_use]
    pub const fn learnt(view: &View, due: Timestamp) -> Self {
        let mode = match (view.forced, view.state) {
            (true, State::Closed) => Mode::Forced { open: false },
            (true, State::Open | State::HalfOpen) => Mode::Forced { open: true },
            (false, State::Closed) => Mode::Closed { failures: Vec::new() },
            (false, State::Open | State::HalfOpen) => {
                Mode::Open { failure_count: view.failure_count, until: due.millis() }
            }
        };
        Self { mode, round: 0, version: 0 }
    }

    /// The state that was last entered. Unlike [`Breaker::state`] it does not depend on the moment: an open
    /// breaker whose time is over becomes half-open when the first probe is let through.
    #[must_use]
    pub const fn entered(&self) -> State {
        match &self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => State::Closed,
            Mode::Open { .. } | Mode::Forced { open: true } => State::Open,
            Mode::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Marks a change, for [`View::version`].
    pub const fn mark_changed(&mut self) {
        self.version = self.version.saturating_add(1);
    }

    /// No wait is longer than the policy says at this moment: the clock may have been set back, or the
    /// policy changed, since it began.
    pub fn clamp(&mut self, now: Timestamp, policy: &Policy) {
        match &mut self.mode {
            Mode::Open { until, .. } => *until = (*until).min(now.millis().saturating_add(policy.recovery_timeout_ms)),
            Mode::HalfOpen { leases, .. } => leases.iter_mut().for_each(|end| *end = (*end).min(lease(now, policy))),
            Mode::Closed { failures } => failures.iter_mut().for_each(|at| *at = (*at).min(now.millis())),
            Mode::Forced { .. } => {}
        }
    }

    /// The state at this moment. An open breaker whose time is over is half-open: it would let a probe
    /// through.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match &self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => State::Closed,
            Mode::Open { until, .. } if *until <= now.millis() => State::HalfOpen,
            Mode::Open { .. } | Mode::Forced { open: true } => State::Open,
            Mode::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// What the breaker says of itself.
    #[must_use]
    pub fn view(&self, now: Timestamp, policy: &Policy) -> View {
        let failure_count = match &self.mode {
            Mode::Closed { failures } => count(failures.iter().filter(|at| counts(**at, now, policy)).count()),
            Mode::Open { failure_count, .. } | Mode::HalfOpen { failure_count, .. } => *failure_count,
            Mode::Forced { .. } => 0,
        };
        let retry_after_ms = match &self.mode {
            Mode::Closed { .. } | Mode::Forced { open: false } => 0,
            Mode::Open { until, .. } => until - now.millis(),
            Mode::HalfOpen { leases, .. } if count(leases.len()) < policy.max_probes => 0,
            Mode::HalfOpen { leases, .. } => leases.iter().min().map_or(0, |end| end - now.millis()),
            // There is no telling when the operator will close it.
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

    /// A request asks whether it may call the database. Every probe let through holds a lease.
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
                if count(leases.len()) >= policy.max_probes {
                    return Admission::Refuse;
                }
                leases.push(lease(now, policy));
                Admission::Probe(self.round)
            }
        }
    }

    /// A request that was let through without being a probe found the database failing.
    pub fn failed(&mut self, now: Timestamp, policy: &Policy) {
        // Only a closed breaker counts. In the other states the failure is of a request that set out
        // before: it tells nothing new.
        if let Mode::Closed { failures } = &mut self.mode {
            failures.retain(|at| counts(*at, now, policy));
            failures.push(now.millis());
            if count(failures.len()) >= policy.failure_threshold {
                let failure_count = count(failures.len());
                self.open(now, failure_count, policy);
            }
        }
    }

    /// A probe found the database answering.
    pub fn probe_succeeded(&mut self, round: Round) {
        if self.is_probing(round) {
            self.mode = Mode::Closed { failures: Vec::new() };
        }
    }

    /// A probe found the database failing.
    pub fn probe_failed(&mut self, round: Round, now: Timestamp, policy: &Policy) {
        if let Mode::HalfOpen { failure_count, .. } = self.mode
            && self.is_probing(round)
        {
            self.open(now, failure_count.saturating_add(1), policy);
        }
    }

    /// An operator decides.
    pub fn command(&mut self, command: Command) {
        self.mode = match command {
            Command::Closed => Mode::Forced { open: false },
            Command::Open => Mode::Forced { open: true },
            Command::Automatic => Mode::Closed { failures: Vec::new() },
        };
    }

    fn open(&mut self, now: Timestamp, failure_count: u32, policy: &Policy) {
        self.mode = Mode::Open { failure_count, until: now.millis().saturating_add(policy.recovery_timeout_ms) };
    }

    fn is_probing(&self, round: Round) -> bool {
        matches!(self.mode, Mode::HalfOpen { .. }) && self.round == round
    }
}

/// Does a failure at that moment still count?
fn counts(at: i64, now: Timestamp, policy: &Policy) -> bool {
    now.millis().saturating_sub(at) < policy.failure_window_ms
}

fn lease(now: Timestamp, policy: &Policy) -> i64 {
    now.millis().saturating_add(policy.lease_ms())
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
