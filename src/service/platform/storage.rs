//! Warns of a database that is nearly full. Database round trips: 0.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::limits::storage::StorageState;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::store::Store;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// The time of the latest warning of this isolate.
#[derive(Default)]
pub struct StorageWatch(AtomicI64);

impl StorageWatch {
    /// Logs the state of the database, at most once an hour, unless enough space is left.
    pub fn look(&self, store: &Store, settings: &Settings, now: Timestamp) {
        let state = store.storage(settings);
        if state == StorageState::Ok || now.millis() - self.0.load(Ordering::Relaxed) < HOUR_MS {
            return;
        }
        self.0.store(now.millis(), Ordering::Relaxed);
        let (used_bytes, limit_bytes) = (store.size_bytes(), settings.d1_size_limit_bytes);
        tracing::error!(target: "app.storage", state = state.as_str(), used_bytes, limit_bytes, "Database is nearly full");
    }
}
