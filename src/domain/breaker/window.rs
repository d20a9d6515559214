//! The calls of the window, as isolates report them, and whether they open the breaker.
//!
//! Isolates report each failure at once, and with it the calls that went well since their last report. A healthy
//! isolate reports nothing. The first report of an isolate brings only the last few of its successes
//! ([`Policy::look_back`]): an outage must not be outweighed by the minute before it.

use serde::{Deserialize, Serialize};

use crate::domain::breaker::{Policy, to_u32};
use crate::domain::time::Timestamp;

/// Bounds the isolates that are remembered. Only the distinction between one and several matters.
const MAX_ISOLATES: usize = 8;
/// Bounds the number of counts: those of a sixtieth of the window share an entry.
const GRAINS: i64 = 60;

/// A random number that an isolate draws once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IsolateId(i64);

impl IsolateId {
    /// Stands for every isolate of an earlier version, which reports without an id.
    pub const UNNAMED: Self = Self(0);

    /// The id from random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 8]) -> Self {
        Self(i64::from_be_bytes(bytes))
    }

    /// The number, for the protocol between isolate and object.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Reads the number of the protocol.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }
}

/// The calls of one isolate since its last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The isolate that reports.
    pub isolate: IsolateId,
    /// Failed calls: one, and those of reports that were lost.
    pub failures: u32,
    /// Calls that the database answered.
    pub successes: u32,
}

impl Report {
    /// The report of an isolate of an earlier version: a failure, and nothing else.
    pub const UNNAMED: Self = Self { isolate: IsolateId::UNNAMED, failures: 1, successes: 0 };
}

/// The reports that still count. Rows of numbers, since types of their own would take more code to read and write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    /// Time of the first report, failures, successes; the oldest row first.
    calls: Vec<[i64; 3]>,
    /// Id, time of the last report, and 1 if the isolate has reported a failure; the last that reported is the last.
    isolates: Vec<[i64; 3]>,
}

impl Window {
    /// A window in which only this isolate has reported: a success.
    #[must_use]
    pub(super) fn after_success(isolate: IsolateId, now: Timestamp) -> Self {
        Self { calls: Vec::new(), isolates: vec![[isolate.get(), now.millis(), 0]] }
    }

    /// Has no isolate reported anything?
    #[must_use]
    pub(super) const fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.isolates.is_empty()
    }

    /// Adds a report, and forgets those that do not count any longer.
    pub(super) fn note(&mut self, report: &Report, now: Timestamp, policy: &Policy) {
        self.calls.retain(|[at, ..]| counts(*at, now, policy));
        self.isolates.retain(|[_, at, _]| counts(*at, now, policy));
        let (more_failures, more_successes) = (report.failures.into(), report.successes.into());
        match self.calls.last_mut() {
            Some([at, failures, successes]) if now.millis() - *at <= policy.failure_window_ms / GRAINS => {
                *failures = failures.saturating_add(more_failures);
                *successes = successes.saturating_add(more_successes);
            }
            _ => self.calls.push([now.millis(), more_failures, more_successes]),
        }
        self.isolates.retain(|[known, ..]| *known != report.isolate.get());
        if self.isolates.len() >= MAX_ISOLATES {
            self.isolates.remove(0);
        }
        self.isolates.push([report.isolate.get(), now.millis(), 1]);
    }

    /// The failures that count.
    #[must_use]
    pub(super) fn failures(&self, now: Timestamp, policy: &Policy) -> u32 {
        to_u32(self.sum(now, policy).0)
    }

    /// The failures and the successes that count.
    fn sum(&self, now: Timestamp, policy: &Policy) -> (i64, i64) {
        let counted = self.calls.iter().filter(|[at, ..]| counts(*at, now, policy));
        counted.fold((0, 0), |(failures, successes), [_, more, answered]| {
            (more.saturating_add(failures), answered.saturating_add(successes))
        })
    }

    /// Do these reports open the breaker? Enough failures, a sufficient share of the calls, and not the word of one
    /// isolate against another.
    #[must_use]
    pub(super) fn opens(&self, now: Timestamp, policy: &Policy) -> bool {
        let (failures, successes) = self.sum(now, policy);
        failures >= policy.failure_threshold.into()
            && failures.saturating_mul(100)
                >= failures.saturating_add(successes).saturating_mul(policy.failure_percent.into())
            && self.is_agreed(now, policy)
    }

    /// Have two isolates failed, or the only one that has reported at all?
    fn is_agreed(&self, now: Timestamp, policy: &Policy) -> bool {
        let reporting = self.isolates.iter().filter(|[_, at, _]| counts(*at, now, policy));
        let (all, failing) = reporting.fold((0, 0), |(all, failing), [.., has_failed]| (all + 1, failing + has_failed));
        all == 1 || failing > 1
    }

    /// Moves times of the future to now, after the clock was set back.
    pub(super) fn clamp(&mut self, now: Timestamp) {
        self.calls.iter_mut().for_each(|[at, ..]| *at = (*at).min(now.millis()));
        self.isolates.iter_mut().for_each(|[_, at, _]| *at = (*at).min(now.millis()));
    }
}

/// Is this time still within the window?
const fn counts(at: i64, now: Timestamp, policy: &Policy) -> bool {
    now.millis().saturating_sub(at) < policy.failure_window_ms
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
