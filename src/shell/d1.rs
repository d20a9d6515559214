//! D1 as the database port: batches, under a deadline.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use serde::Deserialize;
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Array, Error as JsError, JSON};
use worker::send::SendFuture;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::worker_sys::types::D1Database as RawDatabase;
use worker::{D1Database, Delay, Env};

use super::clock::now;
use crate::ports::{Db, DbError, PortFuture, Rows, Statement, Value};

/// The database of this deployment.
///
/// The deadline of a request is one for all its calls together: what the first used up is not there for the
/// second. Only waiting counts, not the hashing in between. Where nobody waits, each call has its own.
pub(super) struct D1 {
    database: Result<D1Database, String>,
    timeout_ms: u32,
    left_ms: AtomicU32,
    is_shared: bool,
}

impl D1 {
    /// With one deadline for all calls together.
    pub(super) fn for_request(env: &Env, timeout_ms: u32) -> Self {
        let database = env.d1("DB").map_err(|error| error.to_string());
        Self { database, timeout_ms, left_ms: timeout_ms.into(), is_shared: true }
    }

    /// With a deadline for each call.
    pub(super) fn for_task(env: &Env, timeout_ms: u32) -> Self {
        Self { is_shared: false, ..Self::for_request(env, timeout_ms) }
    }
}

impl Db for D1 {
    fn batch(&self, statements: Vec<Statement>) -> PortFuture<'_, Result<Vec<Rows>, DbError>> {
        Box::pin(SendFuture::new(async move {
            let database = self.database.as_ref().map_err(|error| DbError::Refused(error.clone()))?;
            let left_ms = self.left_ms.load(Ordering::Relaxed);
            if left_ms == 0 {
                return Err(DbError::TimedOut(self.timeout_ms));
            }
            let begun = now();
            let query = std::pin::pin!(run(database, &statements));
            let deadline = Delay::from(Duration::from_millis(left_ms.into()));
            match select(query, std::pin::pin!(deadline)).await {
                Either::Left((answer, _)) => {
                    let used_ms = if self.is_shared { now().millis() - begun.millis() } else { 0 };
                    let used_ms = u32::try_from(used_ms).unwrap_or(0);
                    self.left_ms.store(left_ms.saturating_sub(used_ms), Ordering::Relaxed);
                    answer
                }
                Either::Right(_) => Err(DbError::TimedOut(self.timeout_ms)),
            }
        }))
    }
}

/// What D1 says of one statement: of interest are the rows only.
#[derive(Deserialize)]
struct StatementResult {
    results: Rows,
}

/// Runs the batch and takes the answer over as one JSON text: a single crossing from JavaScript,
/// however many rows and columns there are.
async fn run(database: &D1Database, statements: &[Statement]) -> Result<Vec<Rows>, DbError> {
    let prepared = Array::new();
    for Statement { sql, values } in statements {
        let values: Vec<JsValue> = values.iter().map(js_value).collect();
        let statement = database.prepare(*sql).bind(&values).map_err(|error| DbError::Refused(error.to_string()))?;
        prepared.push(statement.inner());
    }
    let database: &RawDatabase = AsRef::<JsValue>::as_ref(database).unchecked_ref();
    let answer = JsFuture::from(database.batch(prepared).map_err(|error| db_error(&error))?).await;
    let answer = answer.map_err(|error| db_error(&error))?;
    let json = JSON::stringify(&answer).ok().and_then(|json| json.as_string());
    let json = json.ok_or_else(|| DbError::Corrupt("no JSON".to_owned()))?;
    // The parser's own text may quote a stored value; kind and place are enough.
    let results: Vec<StatementResult> = serde_json::from_str(&json)
        .map_err(|error| DbError::Corrupt(format!("{:?} error at column {}", error.classify(), error.column())))?;
    Ok(results.into_iter().map(|result| result.results).collect())
}

/// D1 takes numbers as JavaScript has them: `BigInt` is refused, so integers go as doubles, exact up to 2^53.
fn js_value(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        #[expect(clippy::cast_precision_loss, reason = "every integer of the schema has at most 53 bits")]
        Value::Integer(integer) => JsValue::from_f64(*integer as f64),
        Value::Text(text) => JsValue::from_str(text),
    }
}

fn db_error(error: &JsValue) -> DbError {
    let message = error.dyn_ref::<JsError>().map(|error| String::from(error.message()));
    DbError::from_message(&message.or_else(|| error.as_string()).unwrap_or_else(|| "unknown error".to_owned()))
}
