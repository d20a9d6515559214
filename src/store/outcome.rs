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

/// The outcome of an act of an administrator that every user allows.
pub enum ActOutcome<T> {
    /// The act is done.
    Done(T),
    /// There is no such user.
    Missing,
    /// The actor is no longer an active administrator.
    ActorNotAllowed,
}

impl<T> ActOutcome<T> {
    /// Reads the outcome from the rows of the actor, if that is still an administrator, and of the user.
    pub(in crate::store) fn read(actors: &Rows, users: &Rows, done: T) -> Result<Self, DbError> {
        Ok(match (actors.all::<IdRow>()?.is_empty(), users.all::<IdRow>()?.is_empty()) {
            (true, _) => Self::ActorNotAllowed,
            (false, true) => Self::Missing,
            (false, false) => Self::Done(done),
        })
    }
}
