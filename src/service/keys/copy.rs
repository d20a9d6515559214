//! The isolate's copy of the key ring. Database round trips: none, as long as the copy has the version that the request
//! read; 1 for another version, and 1 more for the first keys of a deployment.
//!
//! Every read behind a token, and every batch whose answer is a token, returns the version of the ring. So an isolate
//! notices a change with its next such request, and signs and accepts nothing by an outdated ring.
//!
//! The ring, not the setting, says which algorithm signs. While a change of `ALGORITHM` spreads, isolates have different
//! settings. An isolate proposes its setting once, when it first meets the ring; then it follows the ring.

use std::sync::Arc;

use crate::domain::keys::ring::Ring;
use crate::domain::keys::{Algorithm, KeyId};
use crate::domain::time::Timestamp;
use crate::service::keys::making;
use crate::service::{Context, Error};
use crate::store::keys;

/// An unknown `kid` is looked up at most this often, so that tokens of strangers cost next to nothing.
pub const LOOK_UP_SECONDS: i64 = 10;
/// Unknown ids that are remembered, so that a token of a deleted key is refused without a look-up.
const MAX_UNKNOWN: usize = 32;
/// A change of the ring is followed by another one, to the settings of an isolate, after this time at the earliest. It is
/// the period of the Cron Trigger, which proposes the newest settings in each run.
const ADOPTION_PAUSE_MS: i64 = 15 * 60 * 1000;
/// A key set that is older than this is read again before it is published, so a revoked key is not in it for longer.
const FRESH_SECONDS: i64 = 60;

/// The ring as far as this isolate knows it. An isolate that signs with key pairs reads it before its first token; one
/// that signs with `SECRET_KEY` learns with its first answer of the database whether there is a ring.
pub(super) async fn known(ctx: &Context<'_>) -> Result<Arc<Ring>, Error> {
    let (ring, is_read) = {
        let held = ctx.keys.held();
        (Arc::clone(&held.ring), held.read_at.is_some())
    };
    if is_read || ctx.settings.tokens.algorithm == Algorithm::Hs256 { Ok(ring) } else { reload(ctx).await }
}

/// The ring of this version, or of a later one.
///
/// # Errors
/// [`Error`].
pub(in crate::service) async fn at_version(ctx: &Context<'_>, version: i64) -> Result<Arc<Ring>, Error> {
    {
        let mut held = ctx.keys.held();
        let has_nothing_to_read = version == 0 && ctx.settings.tokens.algorithm == Algorithm::Hs256;
        if held.read_at.is_none() && has_nothing_to_read {
            (held.read_at, held.is_adopted) = (Some(ctx.now()), true);
        }
        // A restored database has an older version, which counts as another one, too.
        if held.read_at.is_some() && held.ring.version == version {
            return Ok(Arc::clone(&held.ring));
        }
    }
    reload(ctx).await
}

/// The ring of this version, or a later one that this isolate knows already. It is read at the primary.
///
/// # Errors
/// [`Error`].
pub(super) async fn at_least(ctx: &Context<'_>, version: i64) -> Result<Arc<Ring>, Error> {
    let known = {
        let held = ctx.keys.held();
        (held.read_at.is_some() && held.ring.version >= version).then(|| Arc::clone(&held.ring))
    };
    match known {
        Some(ring) => Ok(ring),
        None => at_version(ctx, version).await,
    }
}

/// Reads the ring, and makes the first keys if there are none.
pub(super) async fn reload(ctx: &Context<'_>) -> Result<Arc<Ring>, Error> {
    let ring = adopted(ctx, load(ctx).await?).await?;
    let mut held = ctx.keys.held();
    held.is_adopted = true;
    if ring.version < held.ring.version {
        held.ring = Arc::default();
    }
    drop(held);
    Ok(ctx.keys.hold(ring, ctx.now()))
}

/// An older version than the copy is read twice: the first read may have been overtaken by the one that made the copy. If
/// it is there still, the database was restored to an earlier time.
async fn load(ctx: &Context<'_>) -> Result<Ring, Error> {
    let ring = keys::load(ctx.store).await?;
    let is_older = ring.version < ctx.keys.held().ring.version;
    Ok(if is_older { keys::load(ctx.store).await? } else { ring })
}

/// Proposes the algorithm of the settings, if this isolate has not done so. A ring that was changed a short time ago is
/// left alone: while a deployment spreads, new isolates of both versions would undo each other's changes.
async fn adopted(ctx: &Context<'_>, ring: Ring) -> Result<Ring, Error> {
    let may_propose =
        ring.version == 0 || (!ctx.keys.held().is_adopted && ring.version + ADOPTION_PAUSE_MS <= ctx.now().millis());
    let Some(change) = ring.adoption(ctx.settings.tokens.algorithm).filter(|_| may_propose) else { return Ok(ring) };
    match making::adopt(ctx, &change).await {
        // A ring that exists serves, whatever its algorithm.
        Err(error) if ring.version > 0 => {
            tracing::error!(target: "app.keys", cause = %error, "The algorithm of the settings was not adopted");
            Ok(ring)
        }
        adopted => adopted,
    }
}

/// The result of a look-up.
pub(super) enum LookUp {
    /// The ring was read again, or the id is known to be unknown.
    Done(Arc<Ring>),
    /// The last look-up is too recent.
    NotYet,
}

/// Looks for a key that the copy does not have.
pub(super) async fn look_up(ctx: &Context<'_>, id: KeyId) -> Result<LookUp, Error> {
    {
        let mut held = ctx.keys.held();
        if held.unknown.contains(&id) {
            return Ok(LookUp::Done(Arc::clone(&held.ring)));
        }
        let is_recent = |at: Timestamp| at.plus_seconds(LOOK_UP_SECONDS) > ctx.now();
        if held.looked_up_at.is_some_and(is_recent) {
            return Ok(LookUp::NotYet);
        }
        held.looked_up_at = Some(ctx.now());
    }
    let ring = reload(ctx).await?;
    if ring.find(id).is_none() {
        let mut held = ctx.keys.held();
        if held.unknown.len() >= MAX_UNKNOWN {
            held.unknown.clear();
        }
        held.unknown.push(id);
    }
    Ok(LookUp::Done(ring))
}

/// The ring for the key set, at most a minute old. While the database does not answer, it is the one that the
/// isolate has.
///
/// # Errors
/// [`Error`], if the isolate has none.
pub async fn for_publication(ctx: &Context<'_>) -> Result<Arc<Ring>, Error> {
    let ring = {
        let mut held = ctx.keys.held();
        let ring = Arc::clone(&held.ring);
        let is_fresh = held.read_at.map(|at| at.plus_seconds(FRESH_SECONDS) > ctx.now());
        if is_fresh == Some(false) {
            // Noted before, so that one request of many waits for the database.
            held.read_at = Some(ctx.now());
        }
        is_fresh.map(|is_fresh| (ring, is_fresh))
    };
    match ring {
        None => reload(ctx).await,
        Some((ring, true)) => Ok(ring),
        Some((ring, false)) => Ok(reload(ctx).await.unwrap_or_else(|error| {
            tracing::warn!(target: "app.keys", cause = %error, "The key set is published from the isolate's copy");
            ring
        })),
    }
}
