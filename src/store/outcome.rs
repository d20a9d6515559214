//! Outcomes that several tables share.

use crate::ports::{DbError, Rows};
use crate::store::{IdRow, deletion};

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
    /// Reads the outcome from the mark of the deletion, and the ids that are present afterwards.
    pub(in crate::store) fn read(mark: &Rows, present: &Rows) -> Result<Self, DbError> {
        Ok(match (deletion::is_marked(mark)?, present.all::<IdRow>()?.is_empty()) {
            (true, _) => Self::Deleted,
            (false, false) => Self::InUse,
            (false, true) => Self::Missing,
        })
    }
}
