//! Removal of outdated rows, in steps of bounded size.
//!
//! A walk visits sessions in the order of their keys: from its stored position to the end, then again from the
//! beginning. An index by expiry would find outdated ones faster, but every refresh would write it, and a written row
//! costs a thousand times the walk's read. Each step moves the position in the batch that
//! removes the rows, so an interrupted clean-up continues where it was.

use serde::Deserialize;

use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, query};
use crate::store::Store;

/// Maximum number of rows that one step examines.
pub const STEP: i64 = 1000;

/// The walk of the clean-up through one table.
#[derive(Debug)]
pub struct Walk {
    /// Name of the table in the schema.
    pub table: &'static str,
    /// Rows that ended at or before this moment are outdated.
    pub cutoff: Cutoff,
    /// How a step finds its rows.
    pub order: Order,
    /// Maximum number of steps in one run.
    pub max_steps: u32,
}

/// A moment relative to the run; rows that ended at or before it are outdated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cutoff {
    /// The lifetime of an access token before now: at this cutoff, nothing that a session issued is valid any more.
    AccessTokens,
    /// The retention of audit events before now.
    AuditRetention,
    /// The window of registration counts before now.
    RegistrationWindow,
    /// The longest window of the counts of mails before now.
    MailCounts,
    /// The moment of the run.
    Now,
}

/// How a step finds its rows.
#[derive(Debug)]
pub enum Order {
    /// In the order of the key, from a stored position.
    ByKey {
        /// Moves the position over at most `:step` rows and returns it; empty at the end.
        advance: &'static str,
        /// Deletes rows that are outdated at `:cutoff` between the previous position and the new one.
        delete: &'static str,
    },
    /// The oldest rows first: deletes those of at most `:step` rows that are outdated at `:cutoff`.
    OldestFirst {
        /// Must delete nothing once no outdated row remains, which ends the walk.
        delete: &'static str,
    },
}

impl Walk {
    /// Statements of one step.
    #[must_use]
    pub const fn statements(&self) -> u32 {
        match self.order {
            Order::ByKey { .. } => 3,
            Order::OldestFirst { .. } => 2,
        }
    }
}

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepOutcome {
    /// Number of rows that the step removed.
    pub removed: i64,
    /// The walk has reached its end.
    pub finished: bool,
}

/// The position is the address of a client, so a walk that has reached its end leaves none behind.
const ADVANCE_COUNTS: &str = "
    UPDATE clean_up_positions
    SET (previous, position) = (
        SELECT iif(count(*) > 0, clean_up_positions.position, ''), coalesce(max(network), '')
        FROM (
            SELECT network FROM registration_counts WHERE network > clean_up_positions.position
            ORDER BY network LIMIT :step
        )
    )
    WHERE walk = 'registration_counts' AND nonce IS NOT :nonce";

const DELETE_COUNTS: &str = "
    DELETE FROM registration_counts WHERE network IN (
        SELECT c.network
        FROM clean_up_positions AS p
        JOIN registration_counts AS c ON c.network > p.previous AND c.network <= p.position
        WHERE p.walk = 'registration_counts' AND c.window_started_at <= :cutoff
    )";

/// Follows the deletion directly, and keeps the number of removed rows for a second execution of the batch, in which the
/// position is not moved again.
const NOTE_STEP: &str = "
    UPDATE clean_up_positions SET removed = iif(nonce IS :nonce, removed, changes()), nonce = :nonce WHERE walk = :walk
    RETURNING position, removed";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[ADVANCE_COUNTS, DELETE_COUNTS, NOTE_STEP];

/// Registration counts belong to a network, not to a user.
pub static REGISTRATION_COUNTS: Walk = Walk {
    table: "registration_counts",
    cutoff: Cutoff::RegistrationWindow,
    order: Order::ByKey { advance: ADVANCE_COUNTS, delete: DELETE_COUNTS },
    max_steps: 18,
};

#[derive(Deserialize)]
struct StepRow {
    position: String,
    removed: i64,
}

/// Performs one step of a walk: removes rows that ended at or before `cutoff`.
///
/// `nonce` is a number that no other step has.
///
/// # Errors
/// [`DbError`].
pub async fn step(store: &Store, walk: &Walk, cutoff: Timestamp, nonce: i64) -> Result<StepOutcome, DbError> {
    let note = query(NOTE_STEP).bind("walk", walk.table).bind("nonce", nonce);
    match walk.order {
        Order::ByKey { advance, delete } => {
            let advance = query(advance).bind("step", STEP).bind("nonce", nonce);
            let delete = query(delete).bind("cutoff", cutoff);
            let [_, _, noted] = store.batch([advance, delete, note]).await?;
            let row = noted_step(&noted)?;
            Ok(StepOutcome { removed: row.removed, finished: row.position.is_empty() })
        }
        Order::OldestFirst { delete } => {
            let delete = query(delete).bind("step", STEP).bind("cutoff", cutoff).bind("nonce", nonce);
            let [_, noted] = store.batch([delete, note]).await?;
            let removed = noted_step(&noted)?.removed;
            Ok(StepOutcome { removed, finished: removed == 0 })
        }
    }
}

fn noted_step(noted: &Rows) -> Result<StepRow, DbError> {
    noted.first()?.ok_or_else(|| DbError::unreadable("the walk has no position"))
}
