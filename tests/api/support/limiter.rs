//! The limiter port with windows of its own: the second real implementation beside the platform's.

use std::collections::HashMap;
use std::sync::Mutex;

use edge_auth::domain::limits::Counter;
use edge_auth::ports::{Limiter, PortFuture};

use super::clock;

/// Requests that one key may make at one rate limit in one window. The wide limits have ten times as many.
pub const LIMIT: u32 = 5;

const PERIOD_MS: i64 = 60 * 1000;

/// Counts by rate limit, key and minute.
#[derive(Default)]
pub struct WindowLimiter {
    counts: Mutex<HashMap<(&'static str, String, i64), u32>>,
    /// The binding that refuses every request.
    shut: Mutex<Option<&'static str>>,
}

impl WindowLimiter {
    /// Makes this limit refuse every request, and no other one.
    pub fn shut(&self, binding: &'static str) {
        *self.shut.lock().unwrap() = Some(binding);
    }

    /// Forgets all counts, and refuses only requests over a limit.
    pub fn open(&self) {
        *self.shut.lock().unwrap() = None;
        self.counts.lock().unwrap().clear();
    }

    fn count(&self, Counter { binding, key }: Counter) -> bool {
        let window = clock().millis() / PERIOD_MS;
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry((binding, key, window)).or_default();
        *count += 1;
        let limit = if binding.ends_with("_WIDE_LIMITER") { 10 * LIMIT } else { LIMIT };
        *count <= limit && *self.shut.lock().unwrap() != Some(binding)
    }

    /// Each count so far: the binding, the key and the number of requests.
    pub fn counts(&self) -> Vec<(&'static str, String, u32)> {
        let counts = self.counts.lock().unwrap();
        let mut counts: Vec<_> =
            counts.iter().map(|((binding, key, _), count)| (*binding, key.clone(), *count)).collect();
        counts.sort();
        counts
    }
}

impl Limiter for WindowLimiter {
    fn admit(&self, counters: Vec<Counter>) -> PortFuture<'_, bool> {
        let admitted = counters.into_iter().all(|counter| self.count(counter));
        Box::pin(std::future::ready(admitted))
    }
}
