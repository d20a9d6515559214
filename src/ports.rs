//! What the core asks of the world: a database, static files, random bytes.
//!
//! Each port has two real implementations: the Workers runtime's in `shell`, and a native one in the
//! tests (`SQLite` itself, the file system). Time is no port: one `now` per request is passed as a value.

use std::future::Future;
use std::pin::Pin;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// A boxed future that may move between threads: what lets `dyn` ports be used from axum handlers.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A value bound to a parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// An integer of at most 53 bits: D1 passes numbers as JavaScript does.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

/// One SQL statement with its bound values (`?1`, `?2` …).
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text: always a constant, never put together from input.
    pub sql: &'static str,
    /// The values, in the order of the parameters.
    pub values: Vec<Value>,
}

/// The rows that one statement returned: a JSON array of objects, read only when somebody asks.
/// One text crosses from JavaScript instead of a walk over objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Rows(Box<RawValue>);

impl Rows {
    /// Wraps a JSON array of row objects.
    #[must_use]
    pub const fn new(json: Box<RawValue>) -> Self {
        Self(json)
    }

    /// Reads the rows as `T`.
    ///
    /// # Errors
    /// [`DbError::Unreadable`] when a row has another shape than the statement's author believed.
    pub fn all<T: DeserializeOwned>(&self) -> Result<Vec<T>, DbError> {
        // The error's own text may quote a stored value; its place and kind are enough to find it.
        serde_json::from_str(self.0.get()).map_err(|error| {
            DbError::Unreadable(format!("{:?} error in rows at column {}", error.classify(), error.column()))
        })
    }

    /// Reads the first row, if there is one.
    ///
    /// # Errors
    /// As [`Rows::all`].
    pub fn first<T: DeserializeOwned>(&self) -> Result<Option<T>, DbError> {
        Ok(self.all()?.into_iter().next())
    }
}

/// Why the database did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// A uniqueness rule: the caller's business, not a failure of the database.
    #[error("unique constraint: {0}")]
    Unique(String),
    /// No answer within the deadline. A write may have happened all the same.
    #[error("no answer within {0} ms")]
    TimedOut(u32),
    /// It answered that it cannot: overloaded, restarting, out of reach.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It refused a statement: a missing table, a wrong type. A fault of ours or of a migration.
    #[error("statement refused: {0}")]
    Refused(String),
    /// It answered with rows of another shape than asked for.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}

impl DbError {
    /// Reads an error's text. D1 and `SQLite` word them alike: D1 puts `D1_ERROR: ` in front and
    /// `: SQLITE_…` behind.
    #[must_use]
    pub fn from_message(message: &str) -> Self {
        /// What the engine says when a statement is at fault, not the engine.
        const REFUSALS: [&str; 6] =
            ["no such ", "syntax error", "constraint failed", "datatype mismatch", "has no column", "D1_TYPE_ERROR"];
        if let Some((_, rest)) = message.split_once("UNIQUE constraint failed: ") {
            let column = rest.split([':', ',']).next().unwrap_or(rest);
            return Self::Unique(column.trim().to_owned());
        }
        if REFUSALS.iter().any(|text| message.contains(text)) {
            return Self::Refused(message.to_owned());
        }
        Self::Unavailable(message.to_owned())
    }
}

/// The database: atomic batches of statements.
pub trait Db: Send + Sync {
    /// Runs the statements in order, all or none, and gives back the rows of each.
    fn batch(&self, statements: Vec<Statement>) -> PortFuture<'_, Result<Vec<Rows>, DbError>>;
}

/// A static file could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("static file {path}: {cause}")]
pub struct AssetError {
    /// Which.
    pub path: &'static str,
    /// Why not.
    pub cause: String,
}

/// The static files that are deployed with the service.
pub trait Assets: Send + Sync {
    /// Reads one file.
    fn text(&self, path: &'static str) -> PortFuture<'_, Result<String, AssetError>>;
}

/// The machine gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub struct NoEntropy;

/// Fills a buffer with cryptographically strong random bytes.
pub type Entropy = fn(&mut [u8]) -> Result<(), NoEntropy>;

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_uniqueness_rule_is_told_by_its_column_from_either_engine() {
        let unique = DbError::Unique("users.email".to_owned());
        for text in [
            "UNIQUE constraint failed: users.email",
            "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT",
            "D1_ERROR: UNIQUE constraint failed: users.email: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
        ] {
            assert_eq!(DbError::from_message(text), unique, "{text}");
        }
    }

    #[test]
    fn faults_of_a_statement_are_ours_and_everything_else_is_the_database_failing() {
        for text in [
            "D1_ERROR: no such table: users: SQLITE_ERROR",
            "D1_ERROR: near \"SELEC\": syntax error at offset 0: SQLITE_ERROR",
            "D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT",
            "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'",
        ] {
            assert_eq!(DbError::from_message(text), DbError::Refused(text.to_owned()));
        }
        for text in [
            "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
            "D1_ERROR: Network connection lost.",
            "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
            "unknown error",
        ] {
            assert_eq!(DbError::from_message(text), DbError::Unavailable(text.to_owned()));
        }
    }

    #[derive(Debug, Deserialize)]
    struct Row {
        #[serde(rename = "id")]
        _id: i64,
    }

    #[test]
    fn an_unreadable_row_is_reported_without_quoting_it() {
        let rows = Rows::new(RawValue::from_string(r#"[{"id":"ada@example.com"}]"#.to_owned()).unwrap());
        let error = rows.all::<Row>().unwrap_err();
        assert!(matches!(&error, DbError::Unreadable(text) if !text.contains("ada")), "{error}");
    }
}
