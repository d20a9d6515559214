//! The isolate's knowledge about the nearest replica of the database. `near` decides by it.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::replica::PAUSE_MS;
use crate::domain::time::Timestamp;

/// The knowledge of one isolate about the replica that answers it.
#[derive(Debug, Default)]
pub struct NearestReplica {
    /// Reads go to the primary until then, in milliseconds since 1970.
    paused_until: AtomicI64,
}

impl NearestReplica {
    /// May a read go to the replica now?
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.paused_until.load(Ordering::Relaxed) <= now.millis()
    }

    /// Stays away from the replica for a minute.
    pub(super) fn pause(&self, now: Timestamp) {
        self.paused_until.store(now.millis() + PAUSE_MS, Ordering::Relaxed);
    }
}
