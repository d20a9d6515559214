//! D1 as the database port: batches with a deadline.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::ser::Serializer;
use worker::Env;
use worker::js_sys::Error as JsError;
use worker::js_sys::futures::JsFuture;
use worker::send::SendFuture;
use worker::wasm_bindgen::{JsCast as _, JsValue};

use crate::ports::{Db, DbError, NumberedSql, PortFuture, Rows, Statement, Value};
use crate::shell::clock::now;
use crate::shell::platform::Platform;

thread_local! {
    /// The statements that JavaScript knows, by their numbers. A statement is a constant, so its address identifies it:
    /// it is translated, and its text crosses into JavaScript, once per isolate.
    static KNOWN: RefCell<HashMap<*const str, Known>> = RefCell::default();
}

/// A statement that JavaScript knows.
struct Known {
    number: u32,
    sql: Rc<NumberedSql>,
}

/// The database of this deployment.
///
/// All calls of a request share one deadline, so the second call has only the time that the first left. Only waiting
/// counts, not the hashing in between. In background tasks, where no client waits, each call has its own deadline.
pub(super) struct D1 {
    env: Env,
    platform: Platform,
    timeout_ms: u32,
    left_ms: AtomicU32,
    is_shared: bool,
}

impl D1 {
    /// One deadline for all calls together.
    pub(super) fn for_request(env: &Env, platform: &Platform, timeout_ms: u32) -> Self {
        let (env, platform) = (env.clone(), platform.clone());
        Self { env, platform, timeout_ms, left_ms: timeout_ms.into(), is_shared: true }
    }

    /// A separate deadline for each call.
    pub(super) fn for_task(env: &Env, platform: &Platform, timeout_ms: u32) -> Self {
        Self { is_shared: false, ..Self::for_request(env, platform, timeout_ms) }
    }

    async fn run(&self, statements: &[Statement], timeout_ms: u32) -> Result<Vec<Rows>, DbError> {
        let message = self.message(statements)?;
        let answer = self.platform.batch(&self.env, &message, timeout_ms);
        let answer = JsFuture::from(answer).await.map_err(|error| DbError::from_message(&text_of(&error)))?;
        if answer.is_null() {
            return Err(DbError::TimedOut(self.timeout_ms));
        }
        let json = answer.as_string().ok_or_else(|| DbError::Corrupt("no JSON".to_owned()))?;
        // The parser's own text may quote a stored value; kind and position are enough.
        let results: Vec<Option<Rows>> = serde_json::from_str(&json)
            .map_err(|error| DbError::Corrupt(format!("{:?} error at column {}", error.classify(), error.column())))?;
        let results: Option<Vec<Rows>> = results.into_iter().collect();
        results.ok_or_else(|| DbError::Corrupt("a statement without rows".to_owned()))
    }

    /// The batch as JSON: numbers of statements, and their values.
    fn message(&self, statements: &[Statement]) -> Result<String, DbError> {
        let known: Vec<(u32, Rc<NumberedSql>)> = statements.iter().map(|statement| self.known(statement.sql)).collect();
        let calls = known.iter().zip(statements);
        let calls: Result<Vec<(u32, Vec<JsonValue<'_>>)>, DbError> = calls
            .map(|((number, sql), statement)| {
                let values = sql.order(statement)?;
                Ok((*number, values.into_iter().map(JsonValue).collect()))
            })
            .collect();
        serde_json::to_string(&calls?).map_err(|error| DbError::Refused(error.to_string()))
    }

    fn known(&self, sql: &'static str) -> (u32, Rc<NumberedSql>) {
        KNOWN.with_borrow_mut(|known| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            let Known { number, sql } = known.entry(std::ptr::from_ref(sql)).or_insert_with(|| {
                let numbered = NumberedSql::parse(sql);
                self.platform.learn(next, &numbered.text);
                Known { number: next, sql: Rc::new(numbered) }
            });
            (*number, Rc::clone(sql))
        })
    }
}

/// D1 takes JavaScript numbers; every integer of the schema has at most 53 bits.
struct JsonValue<'a>(&'a Value);

impl serde::Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(integer) => serializer.serialize_i64(*integer),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Db for D1 {
    fn batch(&self, statements: Vec<Statement>) -> PortFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(SendFuture::new(async move {
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
        }))
    }
}

fn text_of(error: &JsValue) -> String {
    let message = error.dyn_ref::<JsError>().map(|error| String::from(error.message()));
    message.or_else(|| error.as_string()).unwrap_or_else(|| "unknown error".to_owned())
}
