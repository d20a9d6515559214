//! Removing rows that have outlived their use, in steps of bounded size.
//!
//! Tokens and sessions are walked in the order of their keys, from where the last walk stopped to the end and then from
//! the beginning again. An index by expiry would find them faster, and would cost two written rows for every token that
//! is ever issued: a thousand times what a walk reads. Each step moves the walk's position in the batch that removes
//! the rows, so an interrupted clean-up continues where it was.

use serde::Deserialize;

use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, query};
use crate::store::Store;

/// Rows that one step looks at.
pub const STEP: i64 = 1000;

/// The walk of the clean-up through one table.
#[derive(Debug)]
pub struct Walk {
    /// The table's name.
    pub table: &'static str,
    /// The moment at or before which a row has outlived its use.
    pub cutoff: Cutoff,
    /// How a step finds its rows.
    pub order: Order,
    /// Steps in one run.
    pub max_steps: u32,
}

/// The moment at or before which a row has outlived its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cutoff {
    /// Now: rows that expired.
    Now,
    /// The retention of audit events before now.
    AuditRetention,
    /// The window of registration counts before now.
    RegistrationWindow,
}

/// How a step finds its rows.
#[derive(Debug)]
pub enum Order {
    /// In the order of the key, from a stored position.
    ByKey {
        /// Moves the position over at most `:step` rows and returns it; empty at the end.
        advance: &'static str,
        /// Deletes what is outdated at `:cutoff` between the previous position and the new one.
        delete: &'static str,
    },
    /// The oldest rows come first: deletes at most `:step` of them that are outdated at `:cutoff`.
    OldestFirst {
        /// The statement.
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
    /// Rows removed.
    pub removed: i64,
    /// The walk has come to its end.
    pub finished: bool,
}

const DELETE_COUNTS: &str = "
    DELETE FROM registration_counts WHERE network IN (
        SELECT network FROM registration_counts WHERE window_started_at <= :cutoff LIMIT :step
    )";

const SELECT_CHANGES: &str = "SELECT changes() AS removed";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[DELETE_COUNTS, SELECT_CHANGES];

/// Registration counts belong to a network, not to a user.
pub static REGISTRATION_COUNTS: Walk = Walk {
    table: "registration_counts",
    cutoff: Cutoff::RegistrationWindow,
    order: Order::OldestFirst { delete: DELETE_COUNTS },
    max_steps: 5,
};

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
pub async fn step(store: &Store, walk: &Walk, cutoff: Timestamp) -> Result<StepOutcome, DbError> {
    match walk.order {
        Order::ByKey { advance, delete } => {
            let advance = query(advance).bind("step", STEP);
            let delete = query(delete).bind("cutoff", cutoff);
            let [positions, _, changes] = store.batch([advance, delete, query(SELECT_CHANGES)]).await?;
            let position: Option<PositionRow> = positions.first()?;
            let finished = position.is_none_or(|row| row.position.is_empty());
            Ok(StepOutcome { removed: removed(&changes)?, finished })
        }
        Order::OldestFirst { delete } => {
            let delete = query(delete).bind("step", STEP).bind("cutoff", cutoff);
            let [_, changes] = store.batch([delete, query(SELECT_CHANGES)]).await?;
            let removed = removed(&changes)?;
            Ok(StepOutcome { removed, finished: removed == 0 })
        }
    }
}

fn removed(changes: &Rows) -> Result<i64, DbError> {
    let row: Option<ChangesRow> = changes.first()?;
    row.map(|row| row.removed).ok_or_else(|| DbError::Unreadable("changes() gave no row".to_owned()))
}
