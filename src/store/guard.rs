//! A statement in front of the first batch of a request, which fails if the primary does not admit the caller as a replica did.
//! `authz/guard.rs` has its text.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::{DbError, DbErrorKind, Rows, Statement};

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
    /// Puts this statement in front of the next batch.
    pub(super) fn demand(&self, guard: Statement) {
        *self.state() = State::Pending(guard);
    }

    /// Has the primary still to admit the caller, or does it not?
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        !matches!(*self.state(), State::Settled)
    }

    /// Does the primary not admit the caller as the replica did?
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(*self.state(), State::Refused)
    }

    /// Forgets the condition, for a caller that the primary decides about again.
    pub fn lift(&self) {
        *self.state() = State::Settled;
    }

    /// The statements of a batch, behind the guard if it is the first.
    pub(super) fn precede(&self, mut statements: Vec<Statement>) -> (Vec<Statement>, bool) {
        let State::Pending(guard) = &*self.state() else { return (statements, false) };
        statements.insert(0, guard.clone());
        (statements, true)
    }

    /// The results of a batch without those of the guard.
    pub(super) fn settle(&self, answer: Result<Vec<Rows>, DbError>) -> Result<Vec<Rows>, DbError> {
        match answer.as_ref().map_err(DbError::kind) {
            Err(DbErrorKind::NotAdmitted) => *self.state() = State::Refused,
            // The guard stands in front of the statement that was refused.
            Ok(_) | Err(DbErrorKind::Unique(_)) => *self.state() = State::Settled,
            // Nothing is known, so the next batch has the guard, too.
            Err(_) => {}
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
