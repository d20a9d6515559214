//! The calls of one isolate that it has not reported yet.
//!
//! Successes cost a counter. Only a failure makes a report, so a healthy isolate never calls the breaker.

use crate::domain::breaker::{IsolateId, Policy, Report};
use crate::domain::time::Timestamp;

/// Counts the calls of one isolate between its reports.
#[derive(Debug, Default)]
pub struct Tally {
    successes: u32,
    /// Failures of reports that did not arrive.
    lost_failures: u32,
    succeeded_at: Option<Timestamp>,
    reported_at: Option<Timestamp>,
}

impl Tally {
    /// Counts a call that the database answered.
    pub fn succeeded(&mut self, now: Timestamp) {
        self.successes = self.successes.saturating_add(1);
        self.succeeded_at = Some(now);
    }

    /// Takes the report of a failed call, which includes everything since the last report. The first report of a window
    /// includes only the last few successes.
    pub fn failed(&mut self, isolate: IsolateId, now: Timestamp, policy: &Policy) -> Report {
        let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| is_within_window(at, now, policy));
        let is_continued = is_recent(self.reported_at);
        let successes = if is_recent(self.succeeded_at) { self.successes } else { 0 };
        let report = Report {
            isolate,
            failures: if is_continued { self.lost_failures.saturating_add(1) } else { 1 },
            successes: if is_continued { successes } else { successes.min(policy.look_back()) },
        };
        *self = Self { reported_at: Some(now), ..Self::default() };
        report
    }

    /// Keeps a report that did not arrive for the next one.
    pub const fn lost(&mut self, report: &Report) {
        self.successes = self.successes.saturating_add(report.successes);
        self.lost_failures = self.lost_failures.saturating_add(report.failures);
        // Otherwise the successes would count as too old.
        if self.succeeded_at.is_none() {
            self.succeeded_at = self.reported_at;
        }
    }
}

const fn is_within_window(at: Timestamp, now: Timestamp, policy: &Policy) -> bool {
    let age = now.millis().saturating_sub(at.millis());
    // A clock that was set back makes everything old.
    age >= 0 && age < policy.failure_window_ms
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
