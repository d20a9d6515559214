//! The state of the isolate's copy of the key ring. `copy` decides when it is read again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::keys::KeyId;
use crate::domain::keys::ring::{PrivateKey, Ring};
use crate::domain::time::Timestamp;

/// The copy of one isolate.
#[derive(Default)]
pub struct RingCopy(Mutex<Held>);

#[derive(Default)]
pub(super) struct Held {
    pub(super) ring: Arc<Ring>,
    /// The time of the last read. `None` if nothing is known about the ring yet.
    pub(super) read_at: Option<Timestamp>,
    /// The setting was compared with the ring.
    pub(super) is_adopted: bool,
    pub(super) looked_up_at: Option<Timestamp>,
    pub(super) unknown: Vec<KeyId>,
    private_key: Option<Arc<PrivateKey>>,
}

impl RingCopy {
    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, ring: Ring, now: Timestamp) -> Arc<Ring> {
        let mut held = self.held();
        // A slower read of an older version must not replace a newer one.
        if ring.version >= held.ring.version {
            if ring.version > held.ring.version {
                held.unknown.clear();
            }
            held.ring = Arc::new(ring);
        }
        held.read_at = Some(now);
        Arc::clone(&held.ring)
    }

    pub(super) fn private_key(&self, id: KeyId) -> Option<Arc<PrivateKey>> {
        self.held().private_key.clone().filter(|key| key.id == id)
    }

    pub(super) fn hold_private_key(&self, key: PrivateKey) -> Arc<PrivateKey> {
        Arc::clone(self.held().private_key.insert(Arc::new(key)))
    }
}
