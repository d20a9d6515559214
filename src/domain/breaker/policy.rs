//! The numbers by which the breaker opens and recovers.

/// The breaker's settings in this deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Failures within the window that open the breaker.
    pub failure_threshold: u32,
    /// The share of the calls, in per cent, that the failures must have to open the breaker.
    pub failure_percent: u32,
    /// The window, in milliseconds, in which failures count.
    pub failure_window_ms: i64,
    /// Milliseconds from opening to the first probe.
    pub recovery_timeout_ms: i64,
    /// Maximum number of concurrent probes.
    pub max_probes: u32,
    /// Milliseconds after which a probe without a report never reports.
    pub probe_timeout_ms: i64,
}

impl Policy {
    /// The length of a probe's lease, in milliseconds.
    #[must_use]
    pub fn lease_ms(&self) -> i64 {
        self.probe_timeout_ms.max(self.recovery_timeout_ms)
    }

    /// The successes before its first failure that an isolate reports. So many that single failures of many isolates
    /// are no outage; so few that the threshold of failures in a row, of two isolates, still opens the breaker.
    #[must_use]
    pub fn look_back(&self) -> u32 {
        let percent = self.failure_percent.clamp(1, 100);
        (self.failure_threshold.saturating_mul(100 - percent) / (2 * percent)).max(1)
    }
}
