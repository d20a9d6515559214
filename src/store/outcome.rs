//! Outcomes that several tables share.

use crate::ports::{DbError, Rows};
use crate::store::IdRow;

/// The outcome of a deletion that references can prevent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionOutcome {
    /// The row is gone.
    Deleted,
    /// Other rows refer to the row, so it stays.
    InUse,
    /// There was no such row.
    Missing,
}

impl DeletionOutcome {
    /// Reads the outcome from the ids that are present afterwards.
    pub(in crate::store) fn read(is_deleted: bool, present: &Rows) -> Result<Self, DbError> {
        Ok(match (is_deleted, present.all::<IdRow>()?.is_empty()) {
            (true, _) => Self::Deleted,
            (false, false) => Self::InUse,
            (false, true) => Self::Missing,
        })
    }
}
