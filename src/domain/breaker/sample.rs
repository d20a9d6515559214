//! The policy and the clock of the breaker's tests.

use crate::domain::breaker::Policy;
use crate::domain::time::Timestamp;

pub(super) const POLICY: Policy = Policy {
    failure_threshold: 5,
    failure_percent: 50,
    failure_window_ms: 60_000,
    recovery_timeout_ms: 30_000,
    max_probes: 1,
    probe_timeout_ms: 6_000,
};

pub(super) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}
