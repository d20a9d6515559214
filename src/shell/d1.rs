//! D1 as the database port: batches with a deadline, repeated once after a transient failure.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::ser::{Serialize, Serializer};

use crate::domain::breaker::repetition::RepetitionBudget;
use crate::domain::replica::{Bookmark, REPLICA_TIMEOUT_MS};
use crate::ports::{Db, DbError, DbErrorKind, Entropy, NearRows, NumberedSql, PortFuture, Rows, Statement, Value};
use crate::shell::clock::Wait;
use crate::shell::tasks::{Answer, ask};

thread_local! {
    /// The size of the database in bytes, from its latest answer.
    static SIZE: Cell<Option<i64>> = const { Cell::new(None) };
    /// A statement is a constant, so its address identifies it: it is translated once per instance.
    static KNOWN: RefCell<HashMap<*const str, Rc<Known>>> = RefCell::default();
    /// The repetitions that this isolate may still make.
    static BUDGET: RefCell<RepetitionBudget> = RefCell::default();
}

/// A translated statement, and its number in JavaScript.
struct Known {
    number: usize,
    sql: NumberedSql,
    /// Does JavaScript have its text already?
    is_told: Cell<bool>,
}

/// The database of this deployment.
///
/// All calls of a request share one deadline, so the second call has only the time that the first left. Only waiting
/// for D1 counts, and no hashing of this or another request. In background tasks, where no client waits, each call has
/// its own deadline. A repetition has the time that the first attempt and the pause leave.
pub struct D1 {
    timeout_ms: u32,
    left_ms: AtomicU32,
    is_shared: bool,
    entropy: Entropy,
    /// Reads are replicated, and this is the state after the latest batch at the primary.
    bookmark: Option<Mutex<Option<Bookmark>>>,
}

/// The copy of the database that answers, where reads are replicated.
#[derive(Clone, Copy)]
enum Place {
    Primary,
    Nearest,
}

impl D1 {
    /// One deadline for all calls together.
    #[must_use]
    pub fn for_request(timeout_ms: u32, entropy: Entropy) -> Self {
        Self { timeout_ms, left_ms: timeout_ms.into(), is_shared: true, entropy, bookmark: None }
    }

    /// A separate deadline for each call.
    #[must_use]
    pub fn for_task(timeout_ms: u32, entropy: Entropy) -> Self {
        Self { is_shared: false, ..Self::for_request(timeout_ms, entropy) }
    }

    /// The same database, with or without replicas.
    #[must_use]
    pub fn replicated(self, is_replicated: bool) -> Self {
        Self { bookmark: is_replicated.then(Mutex::default), ..self }
    }

    async fn call(&self, statements: &[Statement], is_probe: bool) -> Result<Vec<Rows>, DbError> {
        let mut left_ms = self.left_ms.load(Ordering::Relaxed);
        let answer = match self.attempt(statements, &mut left_ms).await.map_err(DbError::into_kind) {
            // A probe is one call.
            Err(DbErrorKind::Transient(cause)) if !is_probe => self.repeat(statements, cause, &mut left_ms).await,
            answer => answer.map_err(DbError::from),
        };
        BUDGET.with_borrow_mut(RepetitionBudget::called);
        if self.is_shared {
            self.left_ms.store(left_ms, Ordering::Relaxed);
        }
        answer
    }

    /// Calls D1 once, and takes the time off the deadline.
    async fn attempt(&self, statements: &[Statement], left_ms: &mut u32) -> Result<Vec<Rows>, DbError> {
        if *left_ms == 0 {
            return Err(DbErrorKind::TimedOut(self.timeout_ms).into());
        }
        let wait = Wait::begin();
        let answer = self.run(statements, *left_ms, Place::Primary).await.map(|answer| self.noted(answer));
        let rest = left_ms.saturating_sub(wait.millis());
        // A call that D1 answered in time, but the isolate noticed late, leaves the next one its time.
        if rest > 0 || answer.is_err() {
            *left_ms = rest;
        }
        answer
    }

    /// Repeats a call that failed for a transient reason, if the budget allows it. Every batch is safe to repeat: a
    /// write that was carried out without an answer is recognised by ids that were drawn before.
    async fn repeat(&self, statements: &[Statement], cause: String, left_ms: &mut u32) -> Result<Vec<Rows>, DbError> {
        let mut bytes = [0];
        // Without entropy the pause is the shortest.
        let _ = (self.entropy)(&mut bytes);
        let [random] = bytes;
        let Some(pause_ms) = BUDGET.with_borrow_mut(|budget| budget.take(*left_ms, random)) else {
            return Err(DbErrorKind::Transient(cause).into());
        };
        tracing::warn!(target: "app.errors", cause, pause_ms, "Database call is repeated");
        ask("pause", 0, &pause_ms.to_string()).await;
        *left_ms = left_ms.saturating_sub(pause_ms);
        self.attempt(statements, left_ms).await
    }

    fn noted(&self, NearRows { rows, bookmark }: NearRows) -> Vec<Rows> {
        if let Some(latest) = &self.bookmark {
            // No code panics while it holds the lock.
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = bookmark;
        }
        rows
    }

    async fn run(&self, statements: &[Statement], timeout_ms: u32, place: Place) -> Result<NearRows, DbError> {
        let message = message(statements)?;
        // Each batch is a session of D1: the second batch of one could go to a replica.
        let (kind, given) = match (&self.bookmark, place) {
            (None, _) => ("batch", message),
            (Some(_), Place::Primary) => ("session", format!("\"first-primary\",{message}")),
            (Some(_), Place::Nearest) => ("session", format!("\"first-unconstrained\",{message}")),
        };
        let json = match ask(kind, timeout_ms, &given).await {
            Answer::Text(json) => json,
            Answer::Failed(error) => return Err(DbError::from_message(&error)),
            Answer::Late | Answer::Bytes(_) => return Err(DbErrorKind::TimedOut(timeout_ms).into()),
        };
        // The parser's own text may quote a stored value; kind and position are enough.
        let results: Vec<Option<Rows>> = serde_json::from_str(&json).map_err(|error| {
            DbErrorKind::Corrupt(format!("{:?} error at column {}", error.classify(), error.column()))
        })?;
        let mut results = results.into_iter();
        // The first item is the size of the database after the batch.
        if let Some(size) = results.next().flatten() {
            SIZE.set(size.text().parse().ok());
        }
        let bookmark = self.bookmark.as_ref().and_then(|_| results.next().flatten());
        let bookmark = bookmark.and_then(|json| serde_json::from_str(json.text()).ok());
        let bookmark = bookmark.and_then(|text: String| Bookmark::parse(&text));
        let rows: Option<Vec<Rows>> = results.collect();
        let rows = rows.ok_or_else(|| DbErrorKind::Corrupt("a statement without rows".to_owned()))?;
        Ok(NearRows { rows, bookmark })
    }
}

/// The batch as JSON: the number of each statement, its values, and its text if JavaScript does not have it.
fn message(statements: &[Statement]) -> Result<String, DbError> {
    let known: Vec<Rc<Known>> = statements.iter().map(|statement| known(statement.sql)).collect();
    let calls = known.iter().zip(statements).map(|(known, statement)| {
        let values: Vec<_> = known.sql.order(statement)?.into_iter().map(JsonValue).collect();
        Ok((known.number, values, (!known.is_told.get()).then_some(&known.sql.text)))
    });
    let calls: Result<Vec<_>, DbError> = calls.collect();
    let message = serde_json::to_string(&calls?).map_err(|error| DbErrorKind::Refused(error.to_string()))?;
    for known in &known {
        known.is_told.set(true);
    }
    Ok(message)
}

fn known(sql: &'static str) -> Rc<Known> {
    KNOWN.with_borrow_mut(|known| {
        let number = known.len();
        let entry = known.entry(std::ptr::from_ref(sql));
        let new = || Rc::new(Known { number, sql: NumberedSql::parse(sql), is_told: Cell::default() });
        Rc::clone(entry.or_insert_with(new))
    })
}

/// D1 takes JavaScript numbers; every integer of the schema has at most 53 bits.
struct JsonValue<'a>(&'a Value);

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(integer) => serializer.serialize_i64(*integer),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Db for D1 {
    fn size_bytes(&self) -> Option<i64> {
        SIZE.get()
    }

    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(self.call(statements, false))
    }

    fn probe<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(self.call(statements, true))
    }

    fn read_near<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<NearRows, DbError>> {
        Box::pin(self.run(statements, REPLICA_TIMEOUT_MS.min(self.timeout_ms), Place::Nearest))
    }

    fn bookmark(&self) -> Option<Bookmark> {
        self.bookmark.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
