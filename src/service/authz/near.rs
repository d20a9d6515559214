//! Admission of a caller by a replica of the database. Database round trips: 1, to the nearest replica.
//!
//! A replica may be behind the primary, so it only grants: a request that it would refuse is asked again at the primary. A
//! refusal is therefore as recent as without replicas, and a new role, course or session is found at once.
//!
//! A change never trusts a replica. Its first batch at the primary begins with a guard: the same decision by the rows of the
//! primary. So the way to the primary is taken once, not twice. If the guard fails, the batch has no effect, and the caller
//! is admitted at the primary as without replicas.

use crate::domain::replica::Bookmark;
use crate::domain::time::Timestamp;
use crate::ports::Outcome;
use crate::service::Context;
use crate::service::authz::admission::{Conditions, Granted, Identified, Reading, demanded, identify};
use crate::service::authz::presented::Presented;
use crate::service::keys::verifying::confirm_near;
use crate::store::authz::guard;
use crate::store::authz::guard::AdmittedBy;
use crate::store::near;

/// Whether the operation changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The operation only reads.
    None,
    /// Its first batch at the primary begins with a guard, which admits the caller there.
    Guarded,
}

/// Admits the caller of an operation by a replica that has the state `floor`. `None` if the primary has to decide: the replica
/// failed, is too far behind, or would refuse.
///
/// D1 would let the read wait until the replica has that state. That takes longer than the way to the primary, and after
/// a restore with D1 Time Travel the state may never come.
pub async fn admit_near<T: 'static>(
    ctx: &Context<'_>,
    presented: &Presented,
    conditions: Conditions,
    reading: Reading<T>,
    floor: &Bookmark,
    change: Change,
) -> Option<Granted<T>> {
    let target = conditions.demand.and_then(|demand| demand.target);
    let read = identify(ctx, presented, target).and(reading.read);
    let ((identified, rows), state) = match near::run(ctx.store, read).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(target: "app.near", cause = %error, "The replica did not answer, the primary does");
            // The fault of a request, such as a client that disconnected, says nothing about the replica.
            if error.outcome() == Outcome::Failed {
                ctx.replica.pause(ctx.now());
            }
            return None;
        }
    };
    if !state.is_recent(ctx.now()) {
        let heartbeat = state.heartbeat.map(Timestamp::rfc3339);
        tracing::warn!(target: "app.near", heartbeat, "The replica is too far behind, the primary answers");
        ctx.replica.pause(ctx.now());
        return None;
    }
    // No reason for a pause: most replicas are behind a sign-in for a moment, and the client may name any state.
    if !state.includes(floor) {
        return None;
    }
    let ring_version = confirm(ctx, presented, &identified).await?;
    let (principal, resource) = identified.outcome.ok()?;
    let grant = match conditions.demand {
        Some(demand) => {
            let found = demanded(demand, resource.as_ref()).ok()?;
            principal.user()?.may(demand.permission, &found).ok()?.grant_id()
        }
        None => None,
    };
    if change == Change::Guarded {
        let Presented::Token(subject, _) = presented else { return None };
        let resource = target.zip(resource);
        let facts = AdmittedBy { caller: (subject.user_id, subject.session_id), ring_version, grant, resource };
        guard::demand(ctx.store, &facts, ctx.request);
    }
    Some(Granted { principal, resource, rows, decide: reading.decide })
}

/// Judges the signature by the isolate's copy of the key ring, which may be ahead of the replica. Returns its version.
async fn confirm(ctx: &Context<'_>, presented: &Presented, identified: &Identified) -> Option<i64> {
    let ((signed_by, issued_at), version) = presented.signature().zip(identified.ring_version)?;
    confirm_near(ctx, signed_by, issued_at, version).await.ok()
}
