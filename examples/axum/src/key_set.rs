//! The public keys of edge-auth, cached: read again after five minutes, and for an unknown `kid` at most once in ten seconds.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::sync::Mutex;

/// The time after which a revoked key is no longer accepted.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Anyone can send tokens with unknown kids. They must not become requests to edge-auth, one each.
const COOLDOWN: Duration = Duration::from_secs(10);
/// While edge-auth cannot be reached, requests must not wait for a timeout in turn.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no key.
#[derive(Debug)]
pub(crate) enum NoKey {
    /// The set has no key with this id: the token is refused.
    Unknown,
    /// The set could not be read: nothing is known about the token.
    Unavailable,
}

/// Keys of edge-auth, by their ids.
pub(crate) struct KeySet {
    http: reqwest::Client,
    url: String,
    cached: RwLock<Option<Arc<Cached>>>,
    /// Held while the set is read, so that requests share one reading. The time of the last failure.
    reading: Mutex<Option<Instant>>,
}

struct Cached {
    keys: JwkSet,
    read_at: Instant,
}

impl KeySet {
    pub(crate) fn new(http: reqwest::Client, url: String) -> Self {
        Self { http, url, cached: RwLock::new(None), reading: Mutex::new(None) }
    }

    /// The key with this id. Requests with a known one never wait for the network, except when the set is too old.
    pub(crate) async fn key(&self, kid: &str) -> Result<Jwk, NoKey> {
        if let Some(key) = self.fresh().and_then(|cached| cached.find(kid)) {
            return Ok(key);
        }
        let mut failed_at = self.reading.lock().await;
        // A request ahead of this one may have read the set.
        if let Some(cached) = self.fresh() {
            match cached.find(kid) {
                Some(key) => return Ok(key),
                None if cached.read_at.elapsed() < COOLDOWN => return Err(NoKey::Unknown),
                None => {}
            }
        }
        if failed_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(NoKey::Unavailable);
        }
        let cached = self.read().await.map_err(|error| {
            eprintln!("The key set cannot be read: {error}");
            *failed_at = Some(Instant::now());
            NoKey::Unavailable
        })?;
        cached.find(kid).ok_or(NoKey::Unknown)
    }

    /// The cached set, unless it is too old.
    fn fresh(&self) -> Option<Arc<Cached>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner);
        cached.clone().filter(|cached| cached.read_at.elapsed() < MAX_AGE)
    }

    async fn read(&self) -> Result<Arc<Cached>, reqwest::Error> {
        let keys = self.http.get(&self.url).send().await?.error_for_status()?.json().await?;
        let cached = Arc::new(Cached { keys, read_at: Instant::now() });
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&cached));
        Ok(cached)
    }
}

impl Cached {
    fn find(&self, kid: &str) -> Option<Jwk> {
        self.keys.find(kid).cloned()
    }
}
