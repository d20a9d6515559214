//! The upkeep of the key ring by the Cron Trigger: rotation, deletion, and encryption under a new `SECRET_KEY`. Database
//! round trips: 1, and 1 for each change.

use crate::domain::audit::EventType;
use crate::domain::keys::ring::{Ring, SigningKey};
use crate::domain::secret_keys::key_id;
use crate::service::keys::making;
use crate::service::{Context, Error};
use crate::store::keys;

/// Keys that one run deletes at most.
const MAX_DELETED: usize = 10;
/// Statements of one run at most: the read, a change with two new keys, the deletions, and the encryption of two keys. D1
/// allows an invocation 1000 queries, which the clean-up shares.
pub const MAX_STATEMENTS: usize = 2 + 10 + MAX_DELETED + 2;

/// Performs one run. Failures are logged, and the next run continues.
pub async fn run(ctx: &Context<'_>) {
    if let Err(error) = tend(ctx).await {
        tracing::error!(target: "app.keys", cause = %error, "The key ring was not tended, the next run continues");
    }
}

async fn tend(ctx: &Context<'_>) -> Result<(), Error> {
    let settings = &ctx.settings.tokens;
    let mut ring = keys::load(ctx.store).await?;
    // The trigger belongs to the newest deployment, so its setting is the one that counts.
    if let Some(change) = ring.adoption(settings.algorithm) {
        ring = making::adopt(ctx, &change).await?;
    } else if ring.is_due(ctx.now(), settings.signing_key_days)
        && let Ok(change) = ring.rotation(ctx.now(), settings.signing_key_ahead_seconds)
    {
        ring = making::make(ctx, &change, EventType::SigningKeyRotated).await?.ring;
    }
    let expired = ring.expired(ctx.now(), ctx.settings.lifetimes.access_seconds);
    for id in expired.into_iter().take(MAX_DELETED) {
        keys::delete_expired(ctx.store, id).await?;
    }
    encrypt_anew(ctx, &ring).await
}

/// Encrypts the rows of another `SECRET_KEY` under the current one. Only this trigger does: if requests did, isolates with
/// the settings before and after a change would undo each other's work.
async fn encrypt_anew(ctx: &Context<'_>, ring: &Ring) -> Result<(), Error> {
    let current = key_id(&ctx.settings.secret_keys.current);
    let is_outdated = |key: &&SigningKey| key.sealed.as_ref().is_some_and(|sealed| sealed.key_id != current);
    for key in ring.keys.iter().filter(is_outdated) {
        let Some(former) = &key.sealed else { continue };
        if let Some(private) = making::unseal(ctx, key.id, former).await {
            let sealed = making::seal(ctx, key.id, &private).await?;
            keys::encrypt_anew(ctx.store, key.id, former, &sealed).await?;
        }
    }
    Ok(())
}
