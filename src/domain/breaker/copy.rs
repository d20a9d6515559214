//! What one isolate knows of the shared breaker, and what it does with that: stale while revalidate.
//!
//! ```text
//!   nothing known ──▶ ask, once in the life of an isolate
//!   closed, fresh ──▶ go                           closed, stale ──▶ go, and ask in the background
//!   open, not due ──▶ refuse at once               open, due ──────▶ ask the breaker: is this the probe?
//!   breaker out of reach ──▶ the same machine, alone in this isolate, until the breaker answers again
//! ```
//!
//! A request that finds the database healthy asks nobody. All times here are of this isolate's own clock.

use crate::domain::breaker::{Admission, Breaker, Policy, Round, State, View};
use crate::domain::time::Timestamp;

/// Milliseconds for which what was learnt is fresh; also how often a breaker that is out of reach is tried.
pub const FRESH_MS: i64 = 5_000;
/// While a probe is under way, others ask again this soon: it may have answered long before its lease ends.
const RECHECK_MS: i64 = 1_000;

/// What an isolate knows.
#[derive(Debug, Default)]
pub struct BreakerCopy {
    belief: Belief,
    /// When a question to the breaker was last begun in the background.
    refreshed_at: Option<Timestamp>,
    /// When requests that still wait for leave to probe began to ask.
    asking: Vec<Timestamp>,
    /// Answers so far.
    answers: Answers,
}

/// Counts the answers of the breaker. A question that was never answered means something only if nobody
/// else was answered in the meantime.
pub type Answers = u32;

#[derive(Debug, Default)]
enum Belief {
    #[default]
    Unknown,
    /// What the breaker said, and until when it said to stay away.
    Learnt { view: View, due: Timestamp, at: Timestamp },
    /// It cannot be reached since then.
    Alone { breaker: Breaker, at: Timestamp },
}

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Call the database.
    Go,
    /// Call it, as the probe of this isolate alone.
    ProbeAlone(Round),
    /// Do not call it; try again after so many milliseconds.
    Refuse {
        /// Milliseconds.
        retry_after_ms: i64,
    },
    /// Ask the breaker, as the first request of this isolate.
    Introduce,
    /// Ask the breaker.
    Ask,
}

/// What a request may do, and whether somebody should ask the breaker in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// For the request.
    pub advice: Advice,
    /// For the background.
    pub refresh: bool,
}

impl BreakerCopy {
    /// A request is about to call the database.
    pub fn decide(&mut self, now: Timestamp, policy: &Policy) -> Decision {
        let (advice, known_at) = match &mut self.belief {
            Belief::Unknown => return Decision { advice: Advice::Introduce, refresh: false },
            Belief::Learnt { view, at, .. } if view.state == State::Closed => (Advice::Go, *at),
            Belief::Learnt { due, at, .. } if now < *due => {
                (Advice::Refuse { retry_after_ms: due.millis() - now.millis() }, *at)
            }
            Belief::Learnt { at, .. } => (ask(&mut self.asking, now, policy), *at),
            Belief::Alone { breaker, at } => (alone(breaker, now, policy), *at),
        };
        let is_stale = age(known_at, now) >= FRESH_MS;
        let nobody_asks = self.refreshed_at.is_none_or(|at| age(at, now) >= FRESH_MS);
        let refresh = advice != Advice::Ask && is_stale && nobody_asks;
        if refresh {
            self.refreshed_at = Some(now);
        }
        Decision { advice, refresh }
    }

    /// A question to the breaker begins: what to hand to [`BreakerCopy::lost`] if it is never answered.
    #[must_use]
    pub const fn begin(&self) -> Answers {
        self.answers
    }

    /// A request that was to ask for leave has its answer, or will never have one.
    pub fn asked(&mut self) {
        self.asking.pop();
    }

    /// The breaker answered. True if it had been out of reach. Answers overtake each other, so one that
    /// tells of an older state than is known is dropped: a refresh that set out before a failure was
    /// reported must not undo what the report brought back. Unless what is known is stale: storage that
    /// was lost counts from the beginning again.
    pub fn learn(&mut self, view: &View, now: Timestamp) -> bool {
        self.answers = self.answers.wrapping_add(1);
        if let Belief::Learnt { view: known, at, .. } = &self.belief
            && view.version < known.version
            && age(*at, now) < FRESH_MS
        {
            return false;
        }
        let was_alone = matches!(self.belief, Belief::Alone { .. });
        let wait = match view.state {
            State::Closed => 0,
            State::Open => view.retry_after_ms,
            State::HalfOpen => view.retry_after_ms.min(RECHECK_MS),
        };
        let due = Timestamp::from_millis(now.millis().saturating_add(wait));
        self.belief = Belief::Learnt { view: *view, due, at: now };
        was_alone
    }

    /// The breaker did not answer a question, nor any other since that began: decide alone from now on,
    /// starting from what it said last. True if this is news.
    pub fn lost(&mut self, begun: Answers, now: Timestamp) -> bool {
        if begun != self.answers {
            return false;
        }
        let breaker = match &mut self.belief {
            Belief::Alone { at, .. } => {
                *at = now;
                return false;
            }
            Belief::Unknown => Breaker::default(),
            Belief::Learnt { view, due, .. } => Breaker::learnt(view, *due),
        };
        self.belief = Belief::Alone { breaker, at: now };
        true
    }

    /// The breaker of this isolate alone, if it is.
    pub const fn alone(&mut self) -> Option<&mut Breaker> {
        match &mut self.belief {
            Belief::Alone { breaker, .. } => Some(breaker),
            Belief::Unknown | Belief::Learnt { .. } => None,
        }
    }

    /// Is the breaker known to count failures no more, because it is open already?
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(&self.belief, Belief::Learnt { view, .. } if view.state != State::Closed)
    }

    /// What this isolate believes, for those who ask when the breaker does not answer.
    #[must_use]
    pub fn view(&self, now: Timestamp, policy: &Policy) -> View {
        match &self.belief {
            Belief::Unknown => Breaker::default().view(now, policy),
            Belief::Learnt { view, due, .. } => View { retry_after_ms: (due.millis() - now.millis()).max(0), ..*view },
            Belief::Alone { breaker, .. } => breaker.view(now, policy),
        }
    }
}

/// Only as many ask at once as could get leave: the rest would load the breaker for nothing.
fn ask(asking: &mut Vec<Timestamp>, now: Timestamp, policy: &Policy) -> Advice {
    asking.retain(|at| age(*at, now) < RECHECK_MS);
    if asking.len() >= usize::try_from(policy.max_probes).unwrap_or(usize::MAX) {
        return Advice::Refuse { retry_after_ms: RECHECK_MS };
    }
    asking.push(now);
    Advice::Ask
}

fn alone(breaker: &mut Breaker, now: Timestamp, policy: &Policy) -> Advice {
    match breaker.admit(now, policy) {
        Admission::Go => Advice::Go,
        Admission::Probe(round) => Advice::ProbeAlone(round),
        Admission::Refuse => Advice::Refuse { retry_after_ms: breaker.view(now, policy).retry_after_ms },
    }
}

/// Milliseconds since then. A clock that went backwards makes everything old rather than fresh for ever.
const fn age(at: Timestamp, now: Timestamp) -> i64 {
    let age = now.millis().saturating_sub(at.millis());
    if age < 0 { i64::MAX } else { age }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
