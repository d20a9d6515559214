//! One isolate's copy of the shared breaker, with stale-while-revalidate.
//!
//! ```text
//!   nothing known ──▶ ask, once per isolate
//!   closed, fresh ──▶ call the database            closed, stale ──▶ call it, and refresh in the background
//!   open, not due ──▶ refuse at once               open, due ──────▶ ask the breaker for the probe
//!   breaker unreachable ──▶ a local breaker with the same state machine, until the shared one answers again
//! ```
//!
//! While the database is healthy, no request waits for the breaker. All times are those of the isolate's own clock.

use crate::domain::breaker::{Admission, Breaker, Policy, Round, State, View};
use crate::domain::time::Timestamp;

/// Milliseconds for which the copy is fresh; also the retry interval while the breaker is unreachable.
pub const FRESH_MS: i64 = 5_000;
/// Milliseconds until other requests ask again during a probe, which may finish long before its lease ends.
const RECHECK_MS: i64 = 1_000;

/// The isolate's copy of the shared breaker's state.
#[derive(Debug, Default)]
pub struct BreakerCopy {
    knowledge: Knowledge,
    /// When the last background refresh began.
    refreshed_at: Option<Timestamp>,
    /// The start times of requests that are waiting for permission to probe.
    asking: Vec<Timestamp>,
    answers: AnswerCount,
}

/// The number of answers from the breaker so far. An unanswered question means that the breaker is unreachable only if
/// no other question was answered since it began.
pub type AnswerCount = u32;

#[derive(Debug, Default)]
enum Knowledge {
    #[default]
    Unknown,
    /// The breaker's last answer, the time from which it may be asked for a probe, and the time of the answer.
    Shared { view: View, due: Timestamp, at: Timestamp },
    /// The breaker is unreachable; `at` is the time of the last failed attempt.
    Local { breaker: Breaker, at: Timestamp },
}

/// The instruction for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Call the database as usual.
    Go,
    /// Call the database as a probe of the local breaker.
    ProbeLocally(Round),
    /// Do not call the database; the breaker is open or a probe is under way.
    Refuse {
        /// Milliseconds until a retry makes sense.
        retry_after_ms: i64,
    },
    /// Ask the breaker, because the isolate has no copy yet.
    FirstAsk,
    /// Ask the breaker for permission to probe.
    Ask,
}

/// The instruction for one request, and whether to refresh the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The instruction for the request.
    pub advice: Advice,
    /// True if the caller must refresh the copy in the background.
    pub refresh: bool,
}

impl BreakerCopy {
    /// Decides for a request that is about to call the database.
    pub fn decide(&mut self, now: Timestamp, policy: &Policy) -> Decision {
        let (advice, known_at) = match &mut self.knowledge {
            Knowledge::Unknown => return Decision { advice: Advice::FirstAsk, refresh: false },
            Knowledge::Shared { view, at, .. } if view.state == State::Closed => (Advice::Go, *at),
            Knowledge::Shared { due, at, .. } if now < *due => {
                (Advice::Refuse { retry_after_ms: due.millis() - now.millis() }, *at)
            }
            Knowledge::Shared { at, .. } => (ask(&mut self.asking, now, policy), *at),
            Knowledge::Local { breaker, at } => (admit_locally(breaker, now, policy), *at),
        };
        let is_stale = age(known_at, now) >= FRESH_MS;
        let is_refresh_due = self.refreshed_at.is_none_or(|at| age(at, now) >= FRESH_MS);
        let refresh = advice != Advice::Ask && is_stale && is_refresh_due;
        if refresh {
            self.refreshed_at = Some(now);
        }
        Decision { advice, refresh }
    }

    /// Begins a question to the breaker. If it is never answered, pass the result to [`BreakerCopy::question_lost`].
    #[must_use]
    pub const fn begin_question(&self) -> AnswerCount {
        self.answers
    }

    /// Ends the wait of a request with [`Advice::Ask`], whether or not the breaker answered.
    pub fn ask_finished(&mut self) {
        self.asking.pop();
    }

    /// Stores the breaker's answer; true if the breaker had been unreachable.
    ///
    /// Answers can overtake each other, so an older version than the known one is dropped. Otherwise a refresh that
    /// began before a failure report could undo the report's answer. A stale copy accepts any version, because an
    /// object that lost its storage counts versions from zero again.
    pub fn learn(&mut self, view: &View, now: Timestamp) -> bool {
        self.answers = self.answers.wrapping_add(1);
        if let Knowledge::Shared { view: known, at, .. } = &self.knowledge
            && view.version < known.version
            && age(*at, now) < FRESH_MS
        {
            return false;
        }
        let was_local = matches!(self.knowledge, Knowledge::Local { .. });
        let wait = match view.state {
            State::Closed => 0,
            State::Open => view.retry_after_ms,
            State::HalfOpen => view.retry_after_ms.min(RECHECK_MS),
        };
        let due = Timestamp::from_millis(now.millis().saturating_add(wait));
        self.knowledge = Knowledge::Shared { view: *view, due, at: now };
        was_local
    }

    /// Records that a question was not answered. If no other question was answered since it began, the isolate
    /// decides alone from now on, starting from the last answer. True if that is a change.
    pub fn question_lost(&mut self, begun: AnswerCount, now: Timestamp) -> bool {
        if begun != self.answers {
            return false;
        }
        let breaker = match &mut self.knowledge {
            Knowledge::Local { at, .. } => {
                *at = now;
                return false;
            }
            Knowledge::Unknown => Breaker::default(),
            Knowledge::Shared { view, due, .. } => Breaker::from_view(view, *due),
        };
        self.knowledge = Knowledge::Local { breaker, at: now };
        true
    }

    /// The local breaker, while the shared one is unreachable.
    pub const fn local(&mut self) -> Option<&mut Breaker> {
        match &mut self.knowledge {
            Knowledge::Local { breaker, .. } => Some(breaker),
            Knowledge::Unknown | Knowledge::Shared { .. } => None,
        }
    }

    /// Is the shared breaker known to be open or half-open? Then it does not count failures.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(&self.knowledge, Knowledge::Shared { view, .. } if view.state != State::Closed)
    }

    /// The isolate's view, for the operator while the breaker does not answer.
    #[must_use]
    pub fn view(&self, now: Timestamp, policy: &Policy) -> View {
        match &self.knowledge {
            Knowledge::Unknown => Breaker::default().view(now, policy),
            Knowledge::Shared { view, due, .. } => {
                View { retry_after_ms: (due.millis() - now.millis()).max(0), ..*view }
            }
            Knowledge::Local { breaker, .. } => breaker.view(now, policy),
        }
    }
}

/// At most `max_probes` requests ask concurrently: the breaker would refuse the rest.
fn ask(asking: &mut Vec<Timestamp>, now: Timestamp, policy: &Policy) -> Advice {
    asking.retain(|at| age(*at, now) < RECHECK_MS);
    if asking.len() >= usize::try_from(policy.max_probes).unwrap_or(usize::MAX) {
        return Advice::Refuse { retry_after_ms: RECHECK_MS };
    }
    asking.push(now);
    Advice::Ask
}

fn admit_locally(breaker: &mut Breaker, now: Timestamp, policy: &Policy) -> Advice {
    match breaker.admit(now, policy) {
        Admission::Go => Advice::Go,
        Admission::Probe(round) => Advice::ProbeLocally(round),
        Admission::Refuse => Advice::Refuse { retry_after_ms: breaker.view(now, policy).retry_after_ms },
    }
}

/// Milliseconds since `at`. If the clock went backwards, everything counts as old instead of fresh for ever.
const fn age(at: Timestamp, now: Timestamp) -> i64 {
    let age = now.millis().saturating_sub(at.millis());
    if age < 0 { i64::MAX } else { age }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
