//! The limiter port with windows of its own: the second real implementation beside the platform's.

use std::collections::HashMap;
use std::sync::Mutex;

use edge_auth::domain::limits::{RATE_LIMIT_PERIOD_MS, RateLimit};
use edge_auth::ports::{Limiter, PortFuture};

use super::clock;

/// Requests that one key may make at one rate limit in one window.
pub const LIMIT: u32 = 5;

/// Counts by rate limit, key and minute.
#[derive(Default)]
pub struct WindowLimiter(Mutex<HashMap<(&'static str, String, i64), u32>>);

impl Limiter for WindowLimiter {
    fn admit(&self, rate_limit: RateLimit, key: String) -> PortFuture<'_, bool> {
        let window = clock().millis() / RATE_LIMIT_PERIOD_MS;
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry((rate_limit.binding(), key, window)).or_default();
        *count += 1;
        let admitted = *count <= LIMIT;
        Box::pin(std::future::ready(admitted))
    }
}
