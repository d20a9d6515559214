//! Errors of the database, and the table that decides which of them the circuit breaker counts as failures.

use crate::ports::{Outcome, Refused};

/// Why a batch was not executed. It is one pointer, because all functions of the store may return one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct DbError(Box<DbErrorKind>);

impl From<DbErrorKind> for DbError {
    fn from(kind: DbErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

/// The kinds of failures of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbErrorKind {
    /// A uniqueness constraint was violated; the text is `table.column`. Not a failure of the database.
    #[error("unique constraint: {0}")]
    Unique(String),
    /// The caller was admitted by a replica, and the database does not admit the caller. Nothing was written.
    #[error("the caller is not admitted any more")]
    NotAdmitted,
    /// The circuit breaker is open, so the database was not called.
    #[error("circuit breaker is open, try again in {} ms", .0.retry_after_ms)]
    NotAsked(Refused),
    /// No answer within this many milliseconds. A write may have happened nevertheless.
    #[error("no answer within {0} ms")]
    TimedOut(u32),
    /// The database was restarted or out of reach for a moment. A write may have happened nevertheless.
    #[error("unavailable for a moment: {0}")]
    Transient(String),
    /// The database has too many requests. A repetition would add one.
    #[error("overloaded: {0}")]
    Overloaded(String),
    /// The database failed for another reason. A write may have happened nevertheless.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The client disconnected during the call. A write may have happened nevertheless.
    #[error("abandoned: {0}")]
    Abandoned(String),
    /// The answer could not be interpreted. A write may have happened nevertheless.
    #[error("corrupt answer: {0}")]
    Corrupt(String),
    /// The database refused a statement, for example because of a missing table or a wrong type. A bug in the service
    /// or in a migration.
    #[error("statement refused: {0}")]
    Refused(String),
    /// A password that was checked before does not hold any more, so the batch behind its confirmation changed nothing.
    #[error("password is not confirmed")]
    Unconfirmed,
    /// The database is full. Reads still work, so it is not a failure of the database: an open breaker would make it worse.
    #[error("no space: {0}")]
    NoSpace(String),
    /// A row does not have the expected shape. A bug in the service.
    #[error("unreadable row: {0}")]
    Unreadable(String),
}

/// Substrings of error messages that blame a statement or its values, not the engine. Every other message counts as a
/// failure of the database: counting a bug of the service is better than missing that D1 is down.
const REFUSALS: [&str; 11] = [
    "no such ",
    "syntax error",
    "constraint failed",
    "datatype mismatch",
    "has no column",
    "D1_TYPE_ERROR",
    "D1_COLUMN_NOTFOUND",
    "Wrong number of parameter bindings",
    "too many SQL variables",
    "string or blob too big",
    "not authorized",
];

/// The error of the statement that admits a caller at the primary (`store/authz/guard.rs`).
const NOT_ADMITTED: &str = "caller is not admitted";

/// The error of the statement that confirms a password (`store/password/confirmation.rs`).
const UNCONFIRMED: &str = "password is not confirmed";

/// Substrings of the errors that Cloudflare recommends to retry (D1 documentation, "Retry queries" and "Debug D1").
const TRANSIENT: [&str; 4] = [
    "Network connection lost",
    "caused object to be reset",
    "reset because its code was updated",
    "transient issue on remote node",
];
const OVERLOADED: &str = "overloaded";
const ABANDONED: &str = "client disconnected";

/// Substrings of the messages of a full database (D1 documentation, "Debug D1", and `SQLite`).
const NO_SPACE: [&str; 4] =
    ["Exceeded maximum DB size", "Exceeded maximum account storage", "database or disk is full", "SQLITE_FULL"];

impl DbError {
    /// The failure behind the pointer.
    #[must_use]
    pub fn kind(&self) -> &DbErrorKind {
        &self.0
    }

    /// Takes the failure out of its box.
    #[must_use]
    pub fn into_kind(self) -> DbErrorKind {
        *self.0
    }

    /// `table.column` of the uniqueness constraint that was violated.
    #[must_use]
    pub fn violated_constraint(&self) -> Option<&str> {
        if let DbErrorKind::Unique(column) = self.kind() { Some(column) } else { None }
    }

    /// The answer lacks the results of a statement.
    pub(crate) fn lost_results() -> Self {
        DbErrorKind::Corrupt("lost results".to_owned()).into()
    }

    /// A row, or a value in it, does not have the expected shape.
    pub(crate) fn unreadable(what: impl Into<String>) -> Self {
        DbErrorKind::Unreadable(what.into()).into()
    }

    /// Classifies an error message. D1 uses the messages of `SQLite`, with the prefix `D1_ERROR: ` and a suffix like
    /// `: SQLITE_CONSTRAINT`, the code of the error.
    #[must_use]
    pub fn from_message(message: &str) -> Self {
        if let Some((_, rest)) = message.split_once("UNIQUE constraint failed: ") {
            let column = rest.split([':', ',']).next().unwrap_or(rest);
            return DbErrorKind::Unique(column.trim().to_owned()).into();
        }
        if message.contains(NOT_ADMITTED) {
            return DbErrorKind::NotAdmitted.into();
        }
        if NO_SPACE.iter().any(|text| message.contains(text)) {
            return DbErrorKind::NoSpace(message.to_owned()).into();
        }
        if message.contains(UNCONFIRMED) {
            return DbErrorKind::Unconfirmed.into();
        }
        if REFUSALS.iter().any(|text| message.contains(text)) {
            return DbErrorKind::Refused(message.to_owned()).into();
        }
        let kind = match message {
            text if text.contains(ABANDONED) => DbErrorKind::Abandoned,
            text if text.contains(OVERLOADED) => DbErrorKind::Overloaded,
            text if TRANSIENT.iter().any(|transient| text.contains(transient)) => DbErrorKind::Transient,
            _ => DbErrorKind::Unavailable,
        };
        kind(message.to_owned()).into()
    }

    /// The outcome of the call, for the circuit breaker.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.kind() {
            DbErrorKind::TimedOut(_)
            | DbErrorKind::Transient(_)
            | DbErrorKind::Overloaded(_)
            | DbErrorKind::Unavailable(_)
            | DbErrorKind::Corrupt(_) => Outcome::Failed,
            DbErrorKind::Abandoned(_) => Outcome::Abandoned,
            DbErrorKind::Unique(_)
            | DbErrorKind::NotAdmitted
            | DbErrorKind::NotAsked(_)
            | DbErrorKind::Refused(_)
            | DbErrorKind::Unconfirmed
            | DbErrorKind::NoSpace(_)
            | DbErrorKind::Unreadable(_) => Outcome::Answered,
        }
    }

    /// May the batch have been carried out, although there was no answer?
    #[must_use]
    pub fn is_unresolved(&self) -> bool {
        matches!(self.outcome(), Outcome::Failed | Outcome::Abandoned)
    }
}

#[cfg(test)]
#[path = "db_error_tests.rs"]
mod tests;
