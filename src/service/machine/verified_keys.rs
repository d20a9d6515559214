//! Keys of service accounts that this isolate has verified. A key that is not among them may be made up by a stranger, so
//! its look-up has a smaller limit. The entry only chooses the limit: the database confirms the key again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::{ApiKeyId, ServiceAccountId};
use crate::domain::machine::api_key::KeyHash;
use crate::domain::time::{HOUR, MINUTE, Timestamp};
use crate::store::authz::viewer::{KeyProof, PresentedKey};

/// Entries of a list that an isolate remembers at most.
const MAX_KNOWN: usize = 100;

/// The verified keys of one isolate.
#[derive(Default)]
pub struct VerifiedKeys {
    /// Keys of every scope, for an hour.
    genuine: List<ApiKeyId, ServiceAccountId>,
    /// Keys with which a backend named a client, with the network of the backend, for a minute. A key from another network
    /// is looked up again, so its first use from there is noted.
    naming: List<(ApiKeyId, String), Naming>,
}

/// The answer of the database to a key with which a backend named a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The key may name clients.
    Allowed(ServiceAccountId),
    /// The key is genuine, and lacks the scope.
    Forbidden,
}

type List<K, V> = Mutex<HashMap<K, Verified<V>>>;

struct Verified<V> {
    hash: KeyHash,
    value: V,
    until: Timestamp,
}

impl VerifiedKeys {
    /// The account of a key that was verified within an hour.
    #[must_use]
    pub fn account(&self, key: &PresentedKey, now: Timestamp) -> Option<ServiceAccountId> {
        find(&self.genuine, &key.id(), key, now)
    }

    /// The answer for a key and a network of a backend, if the database gave it within a minute. A withdrawn key therefore
    /// names clients for a minute more.
    #[must_use]
    pub fn naming(&self, key: &PresentedKey, network: String, now: Timestamp) -> Option<Naming> {
        find(&self.naming, &(key.id(), network), key, now)
    }

    /// Notes a key that the database has confirmed.
    pub fn note(&self, key: &PresentedKey, account: ServiceAccountId, now: Timestamp) {
        insert(&self.genuine, key.id(), key, account, now.plus_seconds(HOUR));
    }

    /// Notes the answer for a genuine key with which a backend named a client.
    pub fn note_naming(&self, key: &PresentedKey, network: String, naming: Naming, now: Timestamp) {
        insert(&self.naming, (key.id(), network), key, naming, now.plus_seconds(MINUTE));
    }
}

fn find<K: Eq + Hash, V: Copy>(list: &List<K, V>, id: &K, key: &PresentedKey, now: Timestamp) -> Option<V> {
    let KeyProof::Secret(hash) = key.proof() else { return None };
    let keys = held(list);
    keys.get(id).filter(|known| known.until > now && known.hash.equals(hash)).map(|known| known.value)
}

fn insert<K: Eq + Hash, V>(list: &List<K, V>, id: K, key: &PresentedKey, value: V, until: Timestamp) {
    let KeyProof::Secret(hash) = key.proof() else { return };
    let mut keys = held(list);
    if keys.len() >= MAX_KNOWN {
        keys.clear();
    }
    keys.insert(id, Verified { hash: hash.clone(), value, until });
}

fn held<K, V>(list: &List<K, V>) -> MutexGuard<'_, HashMap<K, Verified<V>>> {
    // No code panics while it holds the lock.
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
