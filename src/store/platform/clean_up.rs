//! Removing what has outlived its use: walks through the tables in steps of bounded size.
//!
//! Tokens and sessions are walked in the order of their keys, from where the last walk stopped to the end and
//! then from the beginning again. An index by expiry would find them faster, and would cost two written rows
//! for every token that is ever issued: a thousand times what a walk reads. Each step moves the walk's
//! position in the batch that removes the rows, so a clean-up that is cut off goes on where it was.

use serde::Deserialize;

use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows};
use crate::store::{Store, statement};

/// Rows that one step looks at.
pub const STEP: i64 = 1000;

/// A table that is cleaned up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Expired ones, and those of sessions that are over.
    RefreshTokens,
    /// Those that are over and have no tokens left.
    Sessions,
    /// Those beyond the retention.
    AuditEvents,
    /// Those of windows that are over.
    RegistrationCounts,
}

impl Walk {
    /// Statements of one step.
    #[must_use]
    pub const fn statements(self) -> u32 {
        match self {
            Self::RefreshTokens | Self::Sessions => 3,
            Self::AuditEvents | Self::RegistrationCounts => 2,
        }
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Rows removed.
    pub removed: i64,
    /// Has the walk come to its end?
    pub finished: bool,
}

const ADVANCE_TOKENS: &str = "
    UPDATE clean_up_positions
    SET previous = position, position = coalesce((
        SELECT max(jti) FROM (
            SELECT jti FROM refresh_tokens WHERE jti > clean_up_positions.position ORDER BY jti LIMIT ?1
        )
    ), '')
    WHERE walk = 'refresh_tokens'
    RETURNING position";

const DELETE_TOKENS: &str = "
    DELETE FROM refresh_tokens WHERE jti IN (
        SELECT t.jti
        FROM clean_up_positions AS p
        JOIN refresh_tokens AS t ON t.jti > p.previous AND t.jti <= p.position
        JOIN sessions AS s ON s.id = t.session_id
        WHERE p.walk = 'refresh_tokens' AND (t.expires_at <= ?1 OR s.ended_at IS NOT NULL OR s.expires_at <= ?1)
    )";

const ADVANCE_SESSIONS: &str = "
    UPDATE clean_up_positions
    SET previous = position, position = coalesce((
        SELECT max(id) FROM (
            SELECT id FROM sessions WHERE id > CAST(clean_up_positions.position AS INTEGER) ORDER BY id LIMIT ?1
        )
    ), '')
    WHERE walk = 'sessions'
    RETURNING position";

const DELETE_SESSIONS: &str = "
    DELETE FROM sessions WHERE id IN (
        SELECT s.id
        FROM clean_up_positions AS p
        JOIN sessions AS s ON s.id > CAST(p.previous AS INTEGER) AND s.id <= CAST(p.position AS INTEGER)
        WHERE p.walk = 'sessions' AND (s.ended_at IS NOT NULL OR s.expires_at <= ?1)
          AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS t WHERE t.session_id = s.id)
    )";

/// Ids grow with time: what is old is at the beginning.
const DELETE_EVENTS: &str = "
    DELETE FROM audit_events WHERE id IN (
        SELECT id FROM (SELECT id, created_at FROM audit_events ORDER BY id LIMIT ?1) WHERE created_at <= ?2
    )";

const DELETE_COUNTS: &str = "
    DELETE FROM registration_counts WHERE network IN (
        SELECT network FROM registration_counts WHERE window_started_at <= ?2 LIMIT ?1
    )";

const SELECT_CHANGES: &str = "SELECT changes() AS removed";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[ADVANCE_TOKENS, DELETE_TOKENS, ADVANCE_SESSIONS, DELETE_SESSIONS, DELETE_EVENTS, DELETE_COUNTS, SELECT_CHANGES];

#[derive(Deserialize)]
struct PositionRow {
    position: String,
}

#[derive(Deserialize)]
struct ChangesRow {
    removed: i64,
}

/// One step of a walk: removes what ended at or before `cutoff`.
///
/// # Errors
/// [`DbError`].
pub async fn step(store: &Store, walk: Walk, cutoff: Timestamp) -> Result<Step, DbError> {
    match walk {
        Walk::RefreshTokens => in_key_order(store, ADVANCE_TOKENS, DELETE_TOKENS, cutoff).await,
        Walk::Sessions => in_key_order(store, ADVANCE_SESSIONS, DELETE_SESSIONS, cutoff).await,
        Walk::AuditEvents => oldest_first(store, DELETE_EVENTS, cutoff).await,
        Walk::RegistrationCounts => oldest_first(store, DELETE_COUNTS, cutoff).await,
    }
}

async fn in_key_order(
    store: &Store,
    advance: &'static str,
    delete: &'static str,
    cutoff: Timestamp,
) -> Result<Step, DbError> {
    let advance = statement(advance, [STEP.into()]);
    let delete = statement(delete, [cutoff.millis().into()]);
    let [positions, _, changes] = store.batch([advance, delete, statement(SELECT_CHANGES, [])]).await?;
    let position: Option<PositionRow> = positions.first()?;
    let finished = position.is_none_or(|row| row.position.is_empty());
    Ok(Step { removed: removed(&changes)?, finished })
}

async fn oldest_first(store: &Store, delete: &'static str, cutoff: Timestamp) -> Result<Step, DbError> {
    let delete = statement(delete, [STEP.into(), cutoff.millis().into()]);
    let [_, changes] = store.batch([delete, statement(SELECT_CHANGES, [])]).await?;
    let removed = removed(&changes)?;
    Ok(Step { removed, finished: removed == 0 })
}

fn removed(changes: &Rows) -> Result<i64, DbError> {
    let row: Option<ChangesRow> = changes.first()?;
    row.map(|row| row.removed).ok_or_else(|| DbError::Unreadable("changes() gave no row".to_owned()))
}
