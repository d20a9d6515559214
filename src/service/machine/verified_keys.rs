//! Keys of service accounts that this isolate has verified within a minute. They are told apart from keys that a stranger has
//! made up, with a smaller limit for its look-up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::authz::credential::ServiceIdentity;
use crate::domain::ids::{ApiKeyId, ServiceAccountId};
use crate::domain::machine::api_key::KeyHash;
use crate::domain::machine::scope::Scope;
use crate::domain::time::{MINUTE, Timestamp};
use crate::store::authz::viewer::{KeyProof, PresentedKey};

/// Keys that an isolate remembers at most.
const MAX_KNOWN: usize = 100;

/// The verified keys of one isolate.
#[derive(Default)]
pub struct VerifiedKeys(Mutex<HashMap<ApiKeyId, Verified>>);

#[derive(Clone)]
struct Verified {
    hash: KeyHash,
    account: ServiceAccountId,
    names_clients: bool,
    until: Timestamp,
}

impl VerifiedKeys {
    /// Was this key verified within a minute? A verified token needs no look-up of a secret.
    #[must_use]
    pub fn know(&self, key: &PresentedKey, now: Timestamp) -> bool {
        matches!(key.proof(), KeyProof::Token(..)) || self.find(key, now).is_some()
    }

    /// The account of a key that may name clients, if it was verified within a minute. A withdrawn key therefore names
    /// clients for a minute more.
    #[must_use]
    pub fn naming_account(&self, key: &PresentedKey, now: Timestamp) -> Option<ServiceAccountId> {
        self.find(key, now).filter(|known| known.names_clients).map(|known| known.account)
    }

    /// Notes a key that the database has confirmed.
    pub fn note(&self, key: &PresentedKey, service: &ServiceIdentity, now: Timestamp) {
        let KeyProof::Secret(hash) = key.proof() else { return };
        let mut keys = self.held();
        if keys.len() >= MAX_KNOWN {
            keys.clear();
        }
        let names_clients = service.scopes.contains(Scope::ClientAddress);
        let until = now.plus_seconds(MINUTE);
        keys.insert(key.id(), Verified { hash: hash.clone(), account: service.id, names_clients, until });
    }

    fn find(&self, key: &PresentedKey, now: Timestamp) -> Option<Verified> {
        let KeyProof::Secret(hash) = key.proof() else { return None };
        let keys = self.held();
        keys.get(&key.id()).filter(|known| known.until > now && known.hash.equals(hash)).cloned()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ApiKeyId, Verified>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
