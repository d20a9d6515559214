//! Keys of service accounts that this isolate has verified within a minute. They are told apart from keys that a stranger has
//! made up, with a smaller limit for its look-up.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::{ApiKeyId, ServiceAccountId};
use crate::domain::machine::api_key::KeyHash;
use crate::domain::time::{MINUTE, Timestamp};
use crate::store::authz::viewer::{KeyProof, PresentedKey};

/// Entries of a list that an isolate remembers at most.
const MAX_KNOWN: usize = 100;

/// The verified keys of one isolate.
#[derive(Default)]
pub struct VerifiedKeys {
    /// Keys of every scope.
    genuine: Mutex<HashMap<ApiKeyId, Verified>>,
    /// Keys that may name clients, with the network of the backend. A key from another network is looked up again, so
    /// its first use from there is always an event.
    naming: Mutex<HashMap<(ApiKeyId, String), Verified>>,
}

struct Verified {
    hash: KeyHash,
    account: ServiceAccountId,
    until: Timestamp,
}

impl VerifiedKeys {
    /// Was this key verified within a minute? A verified token needs no look-up of a secret.
    #[must_use]
    pub fn know(&self, key: &PresentedKey, now: Timestamp) -> bool {
        matches!(key.proof(), KeyProof::Token(..)) || find(&self.genuine, &key.id(), key, now).is_some()
    }

    /// The account of a key that may name clients, if it was verified for this network within a minute. A withdrawn key
    /// therefore names clients for a minute more.
    #[must_use]
    pub fn naming_account(&self, key: &PresentedKey, network: String, now: Timestamp) -> Option<ServiceAccountId> {
        find(&self.naming, &(key.id(), network), key, now)
    }

    /// Notes a key that the database has confirmed.
    pub fn note(&self, key: &PresentedKey, account: ServiceAccountId, now: Timestamp) {
        insert(&self.genuine, key.id(), key, account, now);
    }

    /// Notes a key with the right to name clients.
    pub fn note_naming(&self, key: &PresentedKey, network: String, account: ServiceAccountId, now: Timestamp) {
        self.note(key, account, now);
        insert(&self.naming, (key.id(), network), key, account, now);
    }
}

type List<K> = Mutex<HashMap<K, Verified>>;

fn find<K: Eq + Hash>(list: &List<K>, id: &K, key: &PresentedKey, now: Timestamp) -> Option<ServiceAccountId> {
    let KeyProof::Secret(hash) = key.proof() else { return None };
    let keys = held(list);
    keys.get(id).filter(|known| known.until > now && known.hash.equals(hash)).map(|known| known.account)
}

fn insert<K: Eq + Hash>(list: &List<K>, id: K, key: &PresentedKey, account: ServiceAccountId, now: Timestamp) {
    let KeyProof::Secret(hash) = key.proof() else { return };
    let mut keys = held(list);
    if keys.len() >= MAX_KNOWN {
        keys.clear();
    }
    keys.insert(id, Verified { hash: hash.clone(), account, until: now.plus_seconds(MINUTE) });
}

fn held<K>(list: &List<K>) -> MutexGuard<'_, HashMap<K, Verified>> {
    // No code panics while it holds the lock.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
