//! Reads at a replica of the database, the heartbeat that tells its age, and the guard of a change whose caller a replica
//! admitted.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::domain::ids::{GrantId, SessionId, UserId};
use crate::domain::replica::ReplicaState;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, DbErrorKind, NearRows, Rows, Statement, query};
use crate::store::Store;
use crate::store::audit::RequestInfo;
use crate::store::authz::resources::{ResourceRow, Target};
use crate::store::keys::ring_version;
use crate::store::read::Read;

const SELECT_HEARTBEAT: &str = "SELECT beat_at FROM heartbeat WHERE id = 1";

/// The clocks of two isolates differ, and the later time is the right one.
const BEAT: &str = "
    INSERT INTO heartbeat (id, beat_at) VALUES (1, :now)
    ON CONFLICT (id) DO UPDATE SET beat_at = max(beat_at, excluded.beat_at)";

/// Fails unless the primary admits the caller, because the text is no path: the session is live and the user active, the grant that
/// allows the operation exists, the key ring is the one by which the token was judged, and the resource has its columns.
///
/// It also holds if the request has written an event: the batch is a repetition, and the first execution may have ended
/// the session or the grant itself. Ids of events follow the time, and a body takes ten seconds at most.
macro_rules! guard {
    ($resource:expr) => {
        concat!(
            "SELECT json_extract('{}', iif(
                 EXISTS (
                     SELECT 1 FROM sessions AS s JOIN users AS u ON u.id = s.user_id
                     WHERE s.id = :session_id AND s.user_id = :user_id AND s.expires_at > :now
                       AND u.is_active = 1 AND u.erasure_cursor IS NULL
                 )
                 AND (:grant_id IS NULL
                      OR EXISTS (SELECT 1 FROM user_university_roles WHERE id = :grant_id AND user_id = :user_id))
                 AND ",
            ring_version!(),
            " = :ring_version AND ",
            $resource,
            " OR EXISTS (
                     SELECT 1 FROM audit_events
                     WHERE id BETWEEN :event_id AND :event_id + 41943040 AND nonce BETWEEN :nonce + 1 AND :nonce + 256
                 ),
                 '$', 'caller is not admitted')) AS admitted"
        )
    };
}
pub(in crate::store) use guard;

const GUARD: &str = guard!("1");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_HEARTBEAT, BEAT, GUARD];

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

/// The condition on which a replica has admitted the caller: it precedes the first batch of the request at the primary.
#[derive(Default)]
pub struct Guard(Mutex<State>);

#[derive(Default)]
enum State {
    /// The primary admitted the caller, or nothing had to be decided.
    #[default]
    Settled,
    /// No batch has gone to the primary yet.
    Pending(Statement),
    /// The primary does not admit the caller as the replica did.
    Refused,
}

impl Guard {
    /// Demands that the primary admits the caller by these facts.
    pub fn demand(&self, facts: &AdmittedBy, request: RequestInfo<'_>) {
        let (user_id, session_id) = facts.caller;
        let select = match &facts.resource {
            #[cfg(feature = "campus")]
            Some((Target::Campus(target), row)) => crate::store::campus::resources::guard(*target, row),
            Some((Target::University(_) | Target::Department(_), _)) | None => query(GUARD),
        };
        let guard = select
            .bind("user_id", user_id)
            .bind("session_id", session_id)
            .bind("now", request.now)
            .bind("grant_id", facts.grant)
            .bind("ring_version", facts.ring_version)
            .bind("event_id", request.stamp.id())
            .bind("nonce", request.stamp.nonce());
        *self.state() = State::Pending(guard);
    }

    /// Has the primary still to admit the caller, or does it not?
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        !matches!(*self.state(), State::Settled)
    }

    /// Forgets the condition, for a caller that the primary decides about again.
    pub fn lift(&self) {
        *self.state() = State::Settled;
    }

    /// The statements of a batch, behind the guard if it is the first.
    pub(in crate::store) fn precede(&self, mut statements: Vec<Statement>) -> (Vec<Statement>, bool) {
        let mut state = self.state();
        let State::Pending(_) = *state else { return (statements, false) };
        if let State::Pending(guard) = std::mem::take(&mut *state) {
            statements.insert(0, guard);
        }
        (statements, true)
    }

    /// The results of a batch without those of the guard.
    pub(in crate::store) fn settle(&self, answer: Result<Vec<Rows>, DbError>) -> Result<Vec<Rows>, DbError> {
        if let Err(error) = &answer
            && *error.kind() == DbErrorKind::NotAdmitted
        {
            *self.state() = State::Refused;
        }
        answer.map(|mut results| {
            drop(results.drain(..1));
            results
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct HeartbeatRow {
    beat_at: Timestamp,
}

/// Runs a read at the nearest replica, and asks for the age of the replica in the same batch.
///
/// The circuit breaker guards the primary. It is not asked, so these reads go on while the primary is down; and it does
/// not learn the outcome, because a failing replica says nothing about the primary.
///
/// # Errors
/// [`DbError`].
pub async fn run<T: 'static>(store: &Store, read: Read<T>) -> Result<(T, ReplicaState), DbError> {
    let heartbeat = Read::of(query(SELECT_HEARTBEAT), |rows| Ok(rows.first::<HeartbeatRow>()?.map(|row| row.beat_at)));
    let Read { statements, decode } = read.and(heartbeat);
    store.calls.fetch_add(1, Ordering::Relaxed);
    store.near_calls.fetch_add(1, Ordering::Relaxed);
    let NearRows { rows, bookmark } = store.db.read_near(&statements).await?;
    if rows.len() != statements.len() {
        return Err(DbError::lost_results());
    }
    let (result, heartbeat) = decode(rows)?;
    Ok((result, ReplicaState { bookmark, heartbeat }))
}

/// Writes the heartbeat at the primary.
///
/// # Errors
/// [`DbError`].
pub async fn beat(store: &Store, now: Timestamp) -> Result<(), DbError> {
    store.batch([query(BEAT).bind("now", now)]).await.map(drop)
}
