//! The guard of a change whose caller a replica admitted: the primary makes the same decision, in the batch of the change.

use crate::domain::ids::{GrantId, SessionId, UserId};
use crate::ports::query;
use crate::store::Store;
use crate::store::audit::RequestInfo;
use crate::store::authz::resources::{ResourceRow, Target};
#[cfg(feature = "campus")]
use crate::store::campus::resources::{CampusTarget, course_is_as_read, enrollment_is_as_read};
use crate::store::demand::demand;
use crate::store::keys::ring_version;
use crate::store::session::liveness::session_is_live;

/// Fails unless the primary admits the caller. The session is live and the user active, the grant that allows the operation
/// exists, the key ring is the one of the token, and the resource has its columns.
///
/// It also holds if the request has written the event of a change, which has no `last_at`: the batch is a repetition, and
/// the first execution may have ended the session or the grant itself.
macro_rules! guard {
    ($resource:expr) => {
        demand!(
            concat!(
                session_is_live!(),
                " AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 1 AND erasure_cursor IS NULL)
                 AND (:grant_id IS NULL
                      OR EXISTS (SELECT 1 FROM user_university_roles WHERE id = :grant_id AND user_id = :user_id))
                 AND ",
                ring_version!(),
                " = :ring_version AND ",
                $resource,
                " OR EXISTS (
                     SELECT 1 FROM audit_events
                     WHERE id BETWEEN :event_id AND :last_event_id AND nonce BETWEEN :first_nonce AND :last_nonce
                       AND last_at IS NULL
                 )"
            ),
            "caller is not admitted"
        )
    };
}
const GUARD: &str = guard!("1");

#[cfg(feature = "campus")]
const GUARD_OF_COURSE: &str = guard!(course_is_as_read!());

#[cfg(feature = "campus")]
const GUARD_OF_ENROLLMENT: &str = guard!(enrollment_is_as_read!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    GUARD,
    #[cfg(feature = "campus")]
    GUARD_OF_COURSE,
    #[cfg(feature = "campus")]
    GUARD_OF_ENROLLMENT,
];

/// The facts by which a replica admitted the caller of a change.
pub struct AdmittedBy {
    /// The user and the session of the token.
    pub caller: (UserId, SessionId),
    /// The version of the key ring that accepts the token.
    pub ring_version: i64,
    /// The grant that allows the operation, if it needs one.
    pub grant: Option<GrantId>,
    /// The resource in the path, if it decides.
    pub resource: Option<(Target, ResourceRow)>,
}

/// Demands that the primary admits the caller by these facts, in the next batch of the request.
pub fn demand(store: &Store, facts: &AdmittedBy, request: RequestInfo<'_>) {
    let (user_id, session_id) = facts.caller;
    let select = match &facts.resource {
        #[cfg(feature = "campus")]
        Some((Target::Campus(CampusTarget::Course(id)), row)) => {
            let select = query(GUARD_OF_COURSE).bind("course_id", *id);
            row.bind(select).bind("is_public", row.resource().is_published)
        }
        #[cfg(feature = "campus")]
        Some((Target::Campus(CampusTarget::Enrollment(id)), row)) => {
            row.bind(query(GUARD_OF_ENROLLMENT).bind("enrollment_id", *id))
        }
        Some((Target::University(_) | Target::Department(_), _)) | None => query(GUARD),
    };
    let [first_nonce, last_nonce] = request.stamp.nonces();
    let guard = select
        .bind("user_id", user_id)
        .bind("session_id", session_id)
        .bind("now", request.now)
        .bind("grant_id", facts.grant)
        .bind("ring_version", facts.ring_version)
        .bind("event_id", request.stamp.id())
        .bind("last_event_id", request.stamp.last_id())
        .bind("first_nonce", first_nonce)
        .bind("last_nonce", last_nonce);
    store.guard().demand(guard);
}
