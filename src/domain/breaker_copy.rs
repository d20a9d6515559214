//! What one isolate knows of the shared breaker, and what it does with that: stale while revalidate.
//!
//! ```text
//!   nothing known ──▶ go, and ask in the background
//!   closed, fresh ──▶ go                           closed, stale ──▶ go, and ask in the background
//!   open, not due ──▶ refuse at once               open, due ──────▶ ask the breaker: is this the probe?
//!   breaker out of reach ──▶ the same machine, alone in this isolate, until the breaker answers again
//! ```
//!
//! A request that finds the database healthy asks nobody. All times here are of this isolate's own clock.

use super::breaker::{Admission, Breaker, Policy, Round, State, View};
use super::time::Timestamp;

/// Milliseconds for which what was learnt is fresh; also how often a breaker that is out of reach is tried.
pub const FRESH_MS: i64 = 5_000;
/// While a probe is under way, others ask again this soon: it may have answered long before its lease ends.
const RECHECK_MS: i64 = 1_000;

/// What an isolate knows.
#[derive(Debug, Default)]
pub struct BreakerCopy {
    belief: Belief,
    /// When a question to the breaker was last begun in the background.
    asked_at: Option<Timestamp>,
    /// Questions begun so far, and the newest of them whose answer is known.
    begun: Question,
    settled: Question,
}

/// Numbers the questions of an isolate in the order in which they were begun.
pub type Question = u32;

#[derive(Debug, Default)]
enum Belief {
    #[default]
    Unknown,
    /// What the breaker said, and until when it said to stay away.
    Learnt { state: State, due: Timestamp, failure_count: u32, at: Timestamp },
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
            Belief::Unknown => (Advice::Go, None),
            Belief::Learnt { state: State::Closed, at, .. } => (Advice::Go, Some(*at)),
            Belief::Learnt { due, at, .. } if now < *due => {
                (Advice::Refuse { retry_after_ms: due.millis() - now.millis() }, Some(*at))
            }
            Belief::Learnt { at, .. } => (Advice::Ask, Some(*at)),
            Belief::Alone { breaker, at } => (alone(breaker, now, policy), Some(*at)),
        };
        let is_stale = known_at.is_none_or(|at| age(at, now) >= FRESH_MS);
        let nobody_asks = self.asked_at.is_none_or(|at| age(at, now) >= FRESH_MS);
        let refresh = advice != Advice::Ask && is_stale && nobody_asks;
        if refresh {
            self.asked_at = Some(now);
        }
        Decision { advice, refresh }
    }

    /// A question to the breaker begins. Its answer is to come with this number.
    pub const fn begin(&mut self) -> Question {
        self.begun = self.begun.wrapping_add(1);
        self.begun
    }

    /// Is this the newest answer so far? One that was overtaken tells of an older state: a refresh that
    /// set out before a failure was reported must not undo what the report brought back.
    const fn is_news(&mut self, question: Question) -> bool {
        // Wrapping, so that the four billionth question is still newer than the one before.
        let is_news = question.wrapping_sub(self.settled) < Question::MAX / 2;
        if is_news {
            self.settled = question;
        }
        is_news
    }

    /// The breaker answered. True if it had been out of reach.
    pub fn learn(&mut self, question: Question, view: &View, now: Timestamp) -> bool {
        if !self.is_news(question) {
            return false;
        }
        let was_alone = matches!(self.belief, Belief::Alone { .. });
        let wait = match view.state {
            State::Closed => 0,
            State::Open => view.retry_after_ms,
            State::HalfOpen => view.retry_after_ms.min(RECHECK_MS),
        };
        let due = Timestamp::from_millis(now.millis().saturating_add(wait));
        self.belief = Belief::Learnt { state: view.state, due, failure_count: view.failure_count, at: now };
        was_alone
    }

    /// The breaker did not answer: decide alone from now on. True if this is news.
    pub fn lost(&mut self, question: Question, now: Timestamp) -> bool {
        if !self.is_news(question) {
            return false;
        }
        let breaker = match &mut self.belief {
            Belief::Alone { at, .. } => {
                *at = now;
                return false;
            }
            Belief::Unknown | Belief::Learnt { state: State::Closed, .. } => Breaker::default(),
            Belief::Learnt { due, failure_count, .. } => Breaker::open_until(*due, *failure_count),
        };
        self.belief = Belief::Alone { breaker, at: now };
        true
    }

    /// The breaker of this isolate alone, if it is.
    pub fn alone(&mut self) -> Option<&mut Breaker> {
        match &mut self.belief {
            Belief::Alone { breaker, .. } => Some(breaker),
            Belief::Unknown | Belief::Learnt { .. } => None,
        }
    }
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
#[path = "breaker_copy_tests.rs"]
mod tests;
