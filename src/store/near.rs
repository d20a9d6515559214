//! Reads at a replica of the database, and the heartbeat that tells its age.

use std::sync::atomic::Ordering;

use serde::Deserialize;

use crate::domain::replica::ReplicaState;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, NearRows, query};
use crate::store::Store;
use crate::store::read::Read;

const SELECT_HEARTBEAT: &str = "SELECT beat_at FROM heartbeat WHERE id = 1";

const BEAT: &str = "
    INSERT INTO heartbeat (id, beat_at) VALUES (1, :now)
    ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_HEARTBEAT, BEAT];

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
