//! The isolate's knowledge of providers: their descriptions of themselves, their keys, and whether they answer.
//!
//! The settings bound the number of providers, and the limits of a response bound each entry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::breaker::{Admission, Breaker, IsolateId, Policy, Report, State};
use crate::domain::federation::key_set::KeySet;
use crate::domain::federation::metadata::Metadata;
use crate::domain::federation::provider_fault::ProviderFault;
use crate::domain::time::{DAY, HOUR, MINUTE, Timestamp};

/// Seconds for which a document is used without asking again.
const FRESH_SECONDS: i64 = HOUR;
/// Seconds for which it is used while the provider does not answer.
const STALE_SECONDS: i64 = DAY;
/// Seconds between two requests for the keys because of one that is not among them: strangers make keys up.
const LOOK_UP_SECONDS: i64 = MINUTE;
/// Seconds between two requests for a document, the first of which had a wrong answer.
const AFTER_FAILURE_SECONDS: i64 = 30;
/// Bounds the breakers: a provider may name further origins over time.
const MAX_ORIGINS: usize = 100;

/// Three failures in a row within a minute, and then half a minute without requests.
const POLICY: Policy = Policy {
    failure_threshold: 3,
    failure_percent: 100,
    failure_window_ms: 60_000,
    recovery_timeout_ms: 30_000,
    max_probes: 1,
    probe_timeout_ms: 6000,
};

/// A document of a provider, as far as the isolate knows it.
struct Known<T> {
    /// The last right answer, and the moment at which it was asked for.
    document: Option<(Arc<T>, Timestamp)>,
    /// The moment at which the last answer was asked for, if it was wrong.
    failed_at: Option<Timestamp>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { document: None, failed_at: None }
    }
}

impl<T> Known<T> {
    fn younger(&self, seconds: i64, now: Timestamp) -> Option<&Arc<T>> {
        self.document.as_ref().filter(|(_, at)| now < at.plus_seconds(seconds)).map(|(document, _)| document)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.younger(FRESH_SECONDS, now).is_some()
    }

    fn usable(&self, now: Timestamp) -> Option<&Arc<T>> {
        self.younger(STALE_SECONDS, now)
    }

    /// A provider that answered wrongly gives the same answer a moment later.
    fn may_ask(&self, now: Timestamp) -> bool {
        self.failed_at.is_none_or(|at| now >= at.plus_seconds(AFTER_FAILURE_SECONDS))
    }

    fn answer(&self, now: Timestamp) -> Result<Arc<T>, ProviderFault> {
        self.usable(now).cloned().ok_or(ProviderFault::Unavailable)
    }

    /// Keeps the answer to a request at `now`. While there is no right one, an old one does.
    fn keep(&mut self, read: Result<T, ProviderFault>, now: Timestamp) -> Result<Arc<T>, ProviderFault> {
        // One that does not answer has its breaker.
        let is_wrong = matches!(read, Err(ProviderFault::Broken | ProviderFault::Misconfigured));
        self.failed_at = is_wrong.then_some(now);
        match read {
            Ok(document) => {
                let document = Arc::new(document);
                self.document = Some((Arc::clone(&document), now));
                Ok(document)
            }
            Err(fault) => self.usable(now).cloned().ok_or(fault),
        }
    }
}

#[derive(Default)]
struct Documents {
    metadata: Known<Metadata>,
    keys: Known<KeySet>,
    /// The last request for the keys because of one that was not among them.
    looked_up_at: Option<Timestamp>,
}

/// The knowledge of one isolate.
#[derive(Default)]
pub struct ProviderCache {
    documents: Mutex<HashMap<String, Documents>>,
    origins: Mutex<HashMap<String, Breaker>>,
}

impl ProviderCache {
    /// Runs on the documents of a provider.
    fn with<T>(&self, provider: &str, run: impl FnOnce(&mut Documents) -> T) -> T {
        run(held(&self.documents).entry(provider.to_owned()).or_default())
    }

    /// The description of a provider; `None` if the provider is to be asked.
    pub(super) fn metadata(&self, provider: &str, now: Timestamp) -> Option<Result<Arc<Metadata>, ProviderFault>> {
        self.with(provider, |Documents { metadata, .. }| {
            let asks = !metadata.is_fresh(now) && metadata.may_ask(now);
            (!asks).then(|| metadata.answer(now))
        })
    }

    /// The keys of a provider; `None` if the provider is to be asked. For a token with a key that is not among them, it is asked
    /// again once in a minute.
    pub(super) fn keys(
        &self,
        provider: &str,
        is_among: impl Fn(&KeySet) -> bool,
        now: Timestamp,
    ) -> Option<Result<Arc<KeySet>, ProviderFault>> {
        self.with(provider, |Documents { keys, looked_up_at, .. }| {
            let asks = if keys.usable(now).is_none_or(|keys| is_among(keys)) {
                !keys.is_fresh(now) && keys.may_ask(now)
            } else {
                let asks = keys.may_ask(now) && looked_up_at.is_none_or(|at| now >= at.plus_seconds(LOOK_UP_SECONDS));
                if asks {
                    *looked_up_at = Some(now);
                }
                asks
            };
            (!asks).then(|| keys.answer(now))
        })
    }

    /// Keeps a description that was asked for at `now`, and returns the one to use.
    pub(super) fn keep_metadata(
        &self,
        provider: &str,
        read: Result<Metadata, ProviderFault>,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, ProviderFault> {
        self.with(provider, |documents| documents.metadata.keep(read, now))
    }

    /// Keeps keys that were asked for at `now`, and returns those to use.
    pub(super) fn keep_keys(
        &self,
        provider: &str,
        read: Result<KeySet, ProviderFault>,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, ProviderFault> {
        self.with(provider, |documents| documents.keys.keep(read, now))
    }

    /// May the origin be asked?
    pub(super) fn admit(&self, origin: &str, now: Timestamp) -> Admission {
        held(&self.origins).get_mut(origin).map_or(Admission::Go, |breaker| breaker.admit(now, &POLICY))
    }

    /// Notes whether the origin answered.
    pub(super) fn note(&self, origin: &str, admission: Admission, has_answered: bool, now: Timestamp) {
        let mut origins = held(&self.origins);
        if origins.len() >= MAX_ORIGINS && !origins.contains_key(origin) {
            origins.clear();
        }
        let breaker = origins.entry(origin.to_owned()).or_default();
        match (admission, has_answered) {
            (Admission::Probe(round), true) => breaker.probe_succeeded(round, IsolateId::UNNAMED, now),
            (Admission::Probe(round), false) => breaker.probe_failed(round, now, &POLICY),
            // Only failures in a row open it. A late answer of before does not close it.
            (_, true) if breaker.entered() == State::Closed => *breaker = Breaker::default(),
            (_, true) => {}
            (_, false) => breaker.failed(&Report::UNNAMED, now, &POLICY),
        }
    }
}

fn held<K, V>(map: &Mutex<HashMap<K, V>>) -> MutexGuard<'_, HashMap<K, V>> {
    // No code panics while it holds the lock.
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
