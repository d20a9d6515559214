//! D1 as the database port: batches with a deadline.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::ser::{Serialize, Serializer};

use crate::ports::{Db, DbError, NumberedSql, PortFuture, Rows, Statement, Value};
use crate::shell::clock::now;
use crate::shell::tasks::{Answer, ask};

thread_local! {
    /// The size of the database in bytes, from its latest answer.
    static SIZE: Cell<Option<i64>> = const { Cell::new(None) };
    /// A statement is a constant, so its address identifies it: it is translated once per instance.
    static KNOWN: RefCell<HashMap<*const str, Rc<Known>>> = RefCell::default();
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
/// counts, not the hashing in between. In background tasks, where no client waits, each call has its own deadline.
pub struct D1 {
    timeout_ms: u32,
    left_ms: AtomicU32,
    is_shared: bool,
}

impl D1 {
    /// One deadline for all calls together.
    #[must_use]
    pub fn for_request(timeout_ms: u32) -> Self {
        Self { timeout_ms, left_ms: timeout_ms.into(), is_shared: true }
    }

    /// A separate deadline for each call.
    #[must_use]
    pub fn for_task(timeout_ms: u32) -> Self {
        Self { is_shared: false, ..Self::for_request(timeout_ms) }
    }

    async fn run(&self, statements: &[Statement], timeout_ms: u32) -> Result<Vec<Rows>, DbError> {
        let json = match ask("batch", timeout_ms, &message(statements)?).await {
            Answer::Text(json) => json,
            Answer::Failed(error) => return Err(DbError::from_message(&error)),
            Answer::Late | Answer::Bytes(_) => return Err(DbError::TimedOut(self.timeout_ms)),
        };
        // The parser's own text may quote a stored value; kind and position are enough.
        let results: Vec<Option<Rows>> = serde_json::from_str(&json)
            .map_err(|error| DbError::Corrupt(format!("{:?} error at column {}", error.classify(), error.column())))?;
        let mut results = results.into_iter();
        // The first item is the size of the database after the batch.
        if let Some(size) = results.next().flatten() {
            SIZE.set(size.text().parse().ok());
        }
        let results: Option<Vec<Rows>> = results.collect();
        results.ok_or_else(|| DbError::Corrupt("a statement without rows".to_owned()))
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
    let message = serde_json::to_string(&calls?).map_err(|error| DbError::Refused(error.to_string()))?;
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

    fn batch(&self, statements: Vec<Statement>) -> PortFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let left_ms = self.left_ms.load(Ordering::Relaxed);
            if left_ms == 0 {
                return Err(DbError::TimedOut(self.timeout_ms));
            }
            let begun = now();
            let answer = self.run(&statements, left_ms).await;
            let used_ms = if self.is_shared { now().millis() - begun.millis() } else { 0 };
            let left_ms = match left_ms.checked_sub(u32::try_from(used_ms).unwrap_or(0)) {
                Some(left_ms) if left_ms > 0 => left_ms,
                // The database answered in time, but the isolate was busy computing. The next call must not pay for it.
                _ if answer.is_ok() => left_ms,
                _ => 0,
            };
            self.left_ms.store(left_ms, Ordering::Relaxed);
            answer
        })
    }
}
