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

/// A document, and the moment at which it was asked for.
pub(super) struct Cached<T> {
    document: Arc<T>,
    at: Timestamp,
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self { document: Arc::clone(&self.document), at: self.at }
    }
}

impl<T> Cached<T> {
    fn is_younger(&self, seconds: i64, now: Timestamp) -> bool {
        now < self.at.plus_seconds(seconds)
    }
}

#[derive(Default)]
struct Known {
    metadata: Option<Cached<Metadata>>,
    keys: Option<Cached<KeySet>>,
    /// The last wrong answers to requests for both.
    failed_at: [Option<Timestamp>; 2],
    /// The last request for the keys because of one that was not among them.
    looked_up_at: Option<Timestamp>,
}

/// The knowledge of one isolate.
#[derive(Default)]
pub struct ProviderCache {
    known: Mutex<HashMap<String, Known>>,
    origins: Mutex<HashMap<String, Breaker>>,
}

/// A document of the cache, and whether another one should be asked for.
pub(super) struct Lookup<T> {
    pub(super) document: Option<Arc<T>>,
    pub(super) may_ask: bool,
}

/// A document that is asked for.
#[derive(Clone, Copy)]
pub(super) enum Document {
    Metadata,
    Keys,
}

impl Known {
    /// A provider that answered wrongly gives the same answer a moment later.
    fn may_ask(&self, document: Document, now: Timestamp) -> bool {
        let [metadata, keys] = self.failed_at;
        let failed_at = match document {
            Document::Metadata => metadata,
            Document::Keys => keys,
        };
        failed_at.is_none_or(|at| now >= at.plus_seconds(AFTER_FAILURE_SECONDS))
    }
}

impl ProviderCache {
    /// The description of a provider.
    pub(super) fn metadata(&self, provider: &str, now: Timestamp) -> Lookup<Metadata> {
        let mut known = held(&self.known);
        let known = known.entry(provider.to_owned()).or_default();
        let lookup = look_up(known.metadata.clone(), now);
        Lookup { may_ask: lookup.may_ask && known.may_ask(Document::Metadata, now), ..lookup }
    }

    /// Notes the failure of a request for a document, if the provider answered wrongly. One that does not answer has its breaker.
    pub(super) fn note_failure(
        &self,
        provider: &str,
        document: Document,
        fault: Option<ProviderFault>,
        now: Timestamp,
    ) {
        let is_wrong = matches!(fault, Some(ProviderFault::Broken | ProviderFault::Misconfigured));
        let mut known = held(&self.known);
        let [metadata, keys] = &mut known.entry(provider.to_owned()).or_default().failed_at;
        let failed_at = match document {
            Document::Metadata => metadata,
            Document::Keys => keys,
        };
        *failed_at = is_wrong.then_some(now);
    }

    pub(super) fn note_metadata(&self, provider: &str, document: Metadata, now: Timestamp) -> Arc<Metadata> {
        let document = Arc::new(document);
        let cached = Cached { document: Arc::clone(&document), at: now };
        held(&self.known).entry(provider.to_owned()).or_default().metadata = Some(cached);
        document
    }

    /// The keys of a provider. For a token with a key that is not among them, they are asked for again once in a minute.
    pub(super) fn keys(&self, provider: &str, is_among: impl Fn(&KeySet) -> bool, now: Timestamp) -> Lookup<KeySet> {
        let mut known = held(&self.known);
        let known = known.entry(provider.to_owned()).or_default();
        let lookup = look_up(known.keys.clone(), now);
        let may_ask = known.may_ask(Document::Keys, now);
        if lookup.document.as_ref().is_none_or(|keys| is_among(keys)) {
            return Lookup { may_ask: lookup.may_ask && may_ask, ..lookup };
        }
        let may_ask = may_ask && known.looked_up_at.is_none_or(|at| now >= at.plus_seconds(LOOK_UP_SECONDS));
        if may_ask {
            known.looked_up_at = Some(now);
        }
        Lookup { may_ask, ..lookup }
    }

    pub(super) fn note_keys(&self, provider: &str, document: KeySet, now: Timestamp) -> Arc<KeySet> {
        let document = Arc::new(document);
        let cached = Cached { document: Arc::clone(&document), at: now };
        held(&self.known).entry(provider.to_owned()).or_default().keys = Some(cached);
        document
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

fn look_up<T>(cached: Option<Cached<T>>, now: Timestamp) -> Lookup<T> {
    let is_fresh = cached.as_ref().is_some_and(|cached| cached.is_younger(FRESH_SECONDS, now));
    let usable = cached.filter(|cached| cached.is_younger(STALE_SECONDS, now));
    Lookup { document: usable.map(|cached| cached.document), may_ask: !is_fresh }
}

fn held<K, V>(map: &Mutex<HashMap<K, V>>) -> MutexGuard<'_, HashMap<K, V>> {
    // No code panics while it holds the lock.
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
