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
    /// Reads the outcome from the ids that were deleted, and the ids that are present afterwards.
    pub(in crate::store) fn read(deleted: &Rows, present: &Rows) -> Result<Self, DbError> {
        Ok(match (deleted.all::<IdRow>()?.is_empty(), present.all::<IdRow>()?.is_empty()) {
            (false, _) => Self::Deleted,
            (true, false) => Self::InUse,
            (true, true) => Self::Missing,
        })
    }
}
