//! Backends that name the client for whom they call: `X-Edge-Auth-Key` is the key of a service account with the scope
//! `client-address`, and `X-Edge-Auth-Client` the address. Database round trips: 1 for a key that this isolate has not
//! verified within a minute, and 1 more to note the network; none for others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::{ApiKeyId, ServiceAccountId};
use crate::domain::machine::api_key::{ApiKey, KeyHash};
use crate::domain::machine::scope::Scope;
use crate::domain::time::{MINUTE, Timestamp};
use crate::service::authz::caller::Principal;
use crate::service::{Context, Error};
use crate::store::authz::viewer::PresentedKey;
use crate::store::machine::{networks, presented};

/// Keys that an isolate remembers at most.
const MAX_KNOWN: usize = 100;

/// The keys that this isolate has verified within a minute. A withdrawn key therefore names clients for a minute more.
#[derive(Default)]
pub struct VerifiedKeys(Mutex<HashMap<ApiKeyId, Verified>>);

struct Verified {
    hash: KeyHash,
    account: ServiceAccountId,
    until: Timestamp,
}

impl VerifiedKeys {
    /// The account of a key, if the isolate has verified it within a minute.
    #[must_use]
    pub fn account(&self, key: &ApiKey, now: Timestamp) -> Option<ServiceAccountId> {
        let keys = self.held();
        let known = keys.get(&key.id()).filter(|known| known.until > now && known.hash.equals(&key.hash()))?;
        Some(known.account)
    }

    fn note(&self, key: &ApiKey, account: ServiceAccountId, now: Timestamp) {
        let mut keys = self.held();
        if keys.len() >= MAX_KNOWN {
            keys.clear();
        }
        keys.insert(key.id(), Verified { hash: key.hash(), account, until: now.plus_seconds(MINUTE) });
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ApiKeyId, Verified>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the database for the account of a key. `None` if the key is wrong or lacks the scope.
///
/// # Errors
/// [`Error`].
pub async fn verify(ctx: &Context<'_>, keys: &VerifiedKeys, key: &ApiKey) -> Result<Option<ServiceAccountId>, Error> {
    let presented = PresentedKey::new(key);
    let read = ctx.store.run(presented::find(&presented)).await?;
    let Ok(Principal::Service(service)) = Principal::of_key(&presented, read, ctx.now()) else { return Ok(None) };
    if !service.scopes.contains(Scope::ClientAddress) {
        return Ok(None);
    }
    let network_tag = ctx.request.key.network_tag(&ctx.request.peer.network());
    networks::note(ctx.store, service.id, &network_tag, ctx.request).await?;
    keys.note(key, service.id, ctx.now());
    Ok(Some(service.id))
}
