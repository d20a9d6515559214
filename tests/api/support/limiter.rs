//! The limiter port with windows of its own: the second real implementation beside the platform's.

use std::collections::HashMap;
use std::sync::Mutex;

use edge_auth::domain::limits::{DOOR_PERIOD_MS, Door};
use edge_auth::ports::{Limiter, PortFuture};

use super::clock;

/// Requests that one key may make at one door in one window.
pub const LIMIT: u32 = 5;

/// Counts by door, key and minute.
#[derive(Default)]
pub struct WindowLimiter(Mutex<HashMap<(&'static str, String, i64), u32>>);

impl Limiter for WindowLimiter {
    fn admit(&self, door: Door, key: String) -> PortFuture<'_, bool> {
        let window = clock().millis() / DOOR_PERIOD_MS;
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry((door.binding(), key, window)).or_default();
        *count += 1;
        let admitted = *count <= LIMIT;
        Box::pin(std::future::ready(admitted))
    }
}
