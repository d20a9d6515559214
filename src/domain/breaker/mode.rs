//! The mode of the breaker, and its form in storage.

use serde::{Deserialize, Serialize};

use crate::domain::breaker::window::Window;

/// The state, with the numbers that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", try_from = "Stored")]
pub(super) enum Mode {
    /// `failures` has times that an earlier version stored; this version moves them into the window.
    Closed {
        failures: Vec<i64>,
        #[serde(skip_serializing_if = "Window::is_empty")]
        window: Window,
    },
    /// With the time from which a probe is admitted.
    Open { failure_count: u32, until: i64 },
    /// With the expiry times of the probes' leases.
    HalfOpen { failure_count: u32, leases: Vec<i64> },
    /// Set by an operator, until the next command.
    Forced { open: bool },
}

impl Mode {
    pub(super) const fn closed(window: Window) -> Self {
        Self::Closed { failures: Vec::new(), window }
    }
}

/// The members of all modes. A tagged enum is read in two passes, which takes five times the code.
#[derive(Deserialize)]
struct Stored {
    state: Name,
    failures: Option<Vec<i64>>,
    #[serde(default)]
    window: Window,
    failure_count: Option<u32>,
    until: Option<i64>,
    leases: Option<Vec<i64>>,
    open: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    Closed,
    Open,
    HalfOpen,
    Forced,
}

impl TryFrom<Stored> for Mode {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        let Stored { state, failures, window, failure_count, until, leases, open } = stored;
        let mode = match state {
            Name::Closed => failures.map(|failures| Self::Closed { failures, window }),
            Name::Open => failure_count.zip(until).map(|(failure_count, until)| Self::Open { failure_count, until }),
            Name::HalfOpen => {
                failure_count.zip(leases).map(|(failure_count, leases)| Self::HalfOpen { failure_count, leases })
            }
            Name::Forced => open.map(|open| Self::Forced { open }),
        };
        mode.ok_or("a member is missing")
    }
}
