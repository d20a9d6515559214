//! SQL: constants, row structs, and one small function per question.
//!
//! Nothing here decides. Where several requests race, the guard is part of the statement, so that the
//! database decides once; what its answer means is for `domain` and `service` to say.

pub mod sessions;
pub mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize as _, Deserializer};

use crate::ports::{Db, DbError, Rows, Statement, Value};

/// The database of one request: it counts the round trips, for the access log and for the tests that
/// hold each use case to its number.
#[derive(Clone)]
pub struct Store {
    db: Arc<dyn Db>,
    calls: Arc<AtomicU32>,
}

impl Store {
    /// A store with no calls counted yet.
    #[must_use]
    pub fn new(db: Arc<dyn Db>) -> Self {
        Self { db, calls: Arc::default() }
    }

    /// Round trips so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs statements atomically, in one round trip. An answer with another number of results than
    /// statements is refused here, once, so that no query has to think of it.
    async fn batch<const N: usize>(&self, statements: [Statement; N]) -> Result<[Rows; N], DbError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let results = self.db.batch(statements.into()).await?;
        results
            .try_into()
            .map_err(|results: Vec<Rows>| DbError::Unreadable(format!("{} results for {N} statements", results.len())))
    }
}

/// A statement with its values.
fn statement<const N: usize>(sql: &'static str, values: [Value; N]) -> Statement {
    Statement { sql, values: values.into() }
}

/// `SQLite` has no booleans: 0 and 1, which the tables' constraints guarantee.
fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match i64::deserialize(deserializer)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(serde::de::Error::custom(format!("{other} is no boolean"))),
    }
}
