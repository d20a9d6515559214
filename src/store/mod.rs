//! SQL: constants, row structs, and one small function per question.
//!
//! Nothing here decides. Where several requests race, the guard is part of the statement, so that the
//! database decides once. `domain` and `service` interpret its answer.

pub mod account;
pub mod audit;
pub mod authz;
pub mod campus;
mod demand;
pub mod factor;
pub mod federation;
mod guard;
pub mod keys;
pub mod machine;
pub mod mail;
mod names;
pub mod near;
pub mod outcome;
pub mod owned;
pub mod page;
pub mod password;
pub mod platform;
pub mod read;
pub mod session;
pub mod tenant;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde::{Deserialize, Deserializer};

use crate::domain::limits::storage::StorageState;
use crate::domain::replica::Bookmark;
use crate::domain::settings::Settings;
use crate::ports::{Db, DbError, DbErrorKind, Gate, Outcome, PortFuture, Rows, Statement};
use crate::store::audit::unrecorded::{self, WithoutEvents};
pub use crate::store::guard::Guard;
use crate::store::read::Read;

/// The database of one request: it counts the round trips, for the access log and for the tests that
/// hold each use case to its number.
#[derive(Clone)]
pub struct Store {
    db: Arc<dyn Db>,
    gate: Arc<dyn Gate>,
    calls: Arc<AtomicU32>,
    near_calls: Arc<AtomicU32>,
    guard: Arc<Guard>,
    /// A batch of this request had a statement that can write.
    is_change: Arc<AtomicBool>,
}

impl Store {
    /// A store with no calls counted yet.
    #[must_use]
    pub fn new(db: Arc<dyn Db>, gate: Arc<dyn Gate>) -> Self {
        Self {
            db,
            gate,
            calls: Arc::default(),
            near_calls: Arc::default(),
            guard: Arc::default(),
            is_change: Arc::default(),
        }
    }

    /// The circuit breaker that guards the database.
    #[must_use]
    pub fn gate(&self) -> &dyn Gate {
        self.gate.as_ref()
    }

    /// Round trips so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Those of the round trips that went to a replica.
    #[must_use]
    pub fn near_calls(&self) -> u32 {
        self.near_calls.load(Ordering::Relaxed)
    }

    /// The condition on which a replica has admitted the caller.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The state of the database after the latest batch of this request. `None` where reads are not replicated, and if no
    /// statement of the request can write: whether the state is a new one would tell then whether others have written. It
    /// depends on the texts of the statements alone, so its absence tells nothing either.
    #[must_use]
    pub fn bookmark(&self) -> Option<Bookmark> {
        if self.is_change.load(Ordering::Relaxed) { self.db.bookmark() } else { None }
    }

    /// The size of the database in bytes, if an answer to this isolate said it.
    #[must_use]
    pub fn size_bytes(&self) -> Option<i64> {
        self.db.size_bytes()
    }

    /// The space that is left under the limit of the settings.
    #[must_use]
    pub fn storage(&self, settings: &Settings) -> StorageState {
        StorageState::of(self.size_bytes(), settings.d1_size_limit_bytes)
    }

    /// Runs a read in one round trip, or in none if it has no statements.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn run<T>(&self, read: Read<T>) -> Result<T, DbError> {
        let rows = if read.statements.is_empty() { Vec::new() } else { self.batch_of(read.statements).await? };
        (read.decode)(rows)
    }

    /// Runs statements atomically, in one round trip, if the circuit breaker lets it.
    async fn batch<const N: usize>(&self, statements: [Statement; N]) -> Result<[Rows; N], DbError> {
        self.batch_of(statements.into()).await?.try_into().map_err(|_| DbError::lost_results())
    }

    /// The same for a number of statements that depends on the case. An answer with another number of
    /// results than statements is no answer: found out here, once, so that no query has to think of it.
    ///
    /// The future is boxed, so that it is not a part of the state machine of every use case.
    fn batch_of(&self, statements: Vec<Statement>) -> PortFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let (statements, pending) = self.guard.precede(statements);
            let pass = self.gate.admit().await.map_err(DbErrorKind::NotAsked)?;
            self.calls.fetch_add(1, Ordering::Relaxed);
            if !statements.iter().all(Statement::only_reads) {
                self.is_change.store(true, Ordering::Relaxed);
            }
            let expected = statements.len();
            let is_probe = pass.probe.is_some();
            let answer =
                self.with_or_without_events(&statements, is_probe).await.and_then(|results| match results.len() {
                    found if found == expected => Ok(results),
                    found => Err(DbErrorKind::Corrupt(format!("{found} results for {expected} statements")).into()),
                });
            self.gate.report(pass, answer.as_ref().map_or_else(DbError::outcome, |_| Outcome::Answered)).await;
            if pending { self.guard.settle(answer) } else { answer }
        })
    }

    /// Runs a statement past the circuit breaker, which neither refuses it nor learns its outcome: for the event of a command
    /// to the breaker. A breaker that was forced open would refuse it, and a failure must not count against the command.
    async fn bypass(&self, statement: Statement) -> Result<(), DbError> {
        self.db.batch(&[statement]).await.map(drop)
    }

    /// A batch that fails for want of space is repeated once without its audit events, which go to the log.
    async fn with_or_without_events(&self, statements: &[Statement], is_probe: bool) -> Result<Vec<Rows>, DbError> {
        let batch = if is_probe { self.db.probe(statements) } else { self.db.batch(statements) };
        let answer = batch.await;
        if let Err(error) = &answer
            && let DbErrorKind::NoSpace(_) = error.kind()
            && let Some(spare) = WithoutEvents::of(statements)
        {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let results = self.db.batch(&spare.statements).await?;
            spare.events.iter().filter_map(|index| results.get(*index)).for_each(unrecorded::log);
            return Ok(results);
        }
        answer
    }
}

/// A row of which only matters that it is there.
#[derive(Deserialize)]
struct IdRow {
    #[serde(rename = "id")]
    _id: i64,
}

/// `SQLite` has no booleans: 0 and 1, which the tables' constraints guarantee.
fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match i64::deserialize(deserializer)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(serde::de::Error::custom(format!("{other} is no boolean"))),
    }
}

/// The same where there may be none.
fn optional_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    struct Boolean(#[serde(deserialize_with = "boolean")] bool);
    Ok(Option::<Boolean>::deserialize(deserializer)?.map(|Boolean(value)| value))
}
