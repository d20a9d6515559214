//! The Durable Object with the authoritative state of the circuit breaker: one object for all isolates worldwide.
//!
//! It owns the breaker's clock, and persists every transition before it answers. There is no await between reading and
//! writing the state, so questions never interleave. `fetch` is synchronous and uses the runtime's own types: the macro
//! of the `worker` crate for such classes would add a sixth to the Wasm.

use std::cell::RefCell;

use serde::Deserialize;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{self, JsValue};
use worker::worker_sys::DurableObjectState;
use worker::{Env, Result, SqlStorageValue, durable, web_sys};

use crate::domain::breaker::{Breaker, Policy};
use crate::domain::session::unresolved::{MAX_NOTES, NOTED_MS, UnresolvedExchange};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::shell::breaker_protocol::{Answer, Question, text_of};
use crate::shell::entry::MIN_LEVEL;
use crate::shell::{clock, environment};

const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS breaker (id INTEGER PRIMARY KEY CHECK (id = 1), machine TEXT NOT NULL) STRICT";
const LOAD: &str = "SELECT machine FROM breaker WHERE id = 1";
const SAVE: &str = "
    INSERT INTO breaker (id, machine) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET machine = excluded.machine";

/// Exchanges of refresh tokens that the database left unresolved. The newest row has the highest id.
const CREATE_UNRESOLVED: &str = "
    CREATE TABLE IF NOT EXISTS unresolved_exchanges (
        id INTEGER PRIMARY KEY, exchange TEXT NOT NULL UNIQUE, noted_at INTEGER NOT NULL
    ) STRICT";
const NOTE_UNRESOLVED: &str = "INSERT OR REPLACE INTO unresolved_exchanges (exchange, noted_at) VALUES (?, ?)";
/// Bounds the number of rows.
const DROP_OLDEST: &str = "
    DELETE FROM unresolved_exchanges WHERE id <= (SELECT max(id) FROM unresolved_exchanges) - ?";
/// Each note removes up to two expired ones, so that old ones vanish without a walk over the table.
const DROP_EXPIRED: &str = "
    DELETE FROM unresolved_exchanges
    WHERE id IN (SELECT id FROM unresolved_exchanges ORDER BY id LIMIT 2) AND noted_at <= ?";
const FIND_UNRESOLVED: &str = "SELECT noted_at FROM unresolved_exchanges WHERE exchange = ? AND noted_at > ?";

#[derive(Deserialize)]
struct MachineRow {
    machine: String,
}

#[derive(Deserialize)]
struct UnresolvedRow {
    #[serde(rename = "noted_at")]
    _noted_at: f64,
}

/// The circuit breaker that all isolates share.
#[wasm_bindgen]
pub struct CircuitBreaker {
    state: durable::State,
    policy: Option<Policy>,
    /// A copy of the stored state; `None` until the first read after a start or an eviction.
    breaker: RefCell<Option<Breaker>>,
}

#[wasm_bindgen]
impl CircuitBreaker {
    /// The runtime calls this when the object starts.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the runtime passes both by value")]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        let settings = Settings::read(|name| environment::text(&env, name));
        if let Ok(settings) = &settings {
            MIN_LEVEL.set(settings.presentation.log_level);
        }
        let policy = settings.ok().map(|settings| settings.breaker);
        Self { state: state.into(), policy, breaker: RefCell::default() }
    }

    /// Answers one [`Question`] of an isolate.
    ///
    /// # Errors
    /// If the URL is not a question, the settings are wrong, or storage fails. The caller then counts the object
    /// as unreachable.
    #[expect(clippy::needless_pass_by_value, reason = "the runtime passes it by value")]
    pub fn fetch(&self, request: web_sys::Request) -> std::result::Result<web_sys::Response, JsValue> {
        let (question, request_id) = Question::parse(&request.url()).ok_or("no such question")?;
        let policy = self.policy.ok_or("wrong settings")?;
        let span = tracing::info_span!("circuit breaker", request_id = request_id.as_str());
        let answer = span.in_scope(|| self.answer(question, clock::now(), &policy))?;
        let json = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
        web_sys::Response::new_with_opt_str(Some(&json))
    }
}

impl CircuitBreaker {
    fn answer(&self, question: Question, now: Timestamp, policy: &Policy) -> Result<Answer> {
        let before = self.load()?;
        let mut breaker = before.clone();
        breaker.clamp(now, policy);
        let mut admission = None;
        let mut is_unresolved = None;
        match question {
            Question::Inspect => {}
            Question::NoteUnresolved(exchange) => self.note_unresolved(&exchange, now)?,
            Question::IsUnresolved(exchange) => is_unresolved = Some(self.is_unresolved(&exchange, now)?),
            Question::Admit => admission = Some(breaker.admit(now, policy)),
            Question::Failed => breaker.failed(now, policy),
            Question::ProbeSucceeded(round) => breaker.probe_succeeded(round),
            Question::ProbeFailed(round) => breaker.probe_failed(round, now, policy),
            Question::Command(command) => breaker.command(command),
        }
        if breaker != before {
            breaker.mark_changed();
            self.save(&breaker)?;
            log_transition(&before, &breaker, now, policy);
        }
        Ok(Answer { admission, view: breaker.view(now, policy), is_unresolved })
    }

    fn note_unresolved(&self, exchange: &UnresolvedExchange, now: Timestamp) -> Result<()> {
        let sql = self.state.storage().sql();
        sql.exec(NOTE_UNRESOLVED, vec![text_of(exchange).into(), SqlStorageValue::Integer(now.millis())])?;
        sql.exec(DROP_OLDEST, vec![i32::try_from(MAX_NOTES).unwrap_or(i32::MAX).into()])?;
        sql.exec(DROP_EXPIRED, vec![SqlStorageValue::Integer(now.millis() - NOTED_MS)])?;
        Ok(())
    }

    fn is_unresolved(&self, exchange: &UnresolvedExchange, now: Timestamp) -> Result<bool> {
        let values = vec![text_of(exchange).into(), SqlStorageValue::Integer(now.millis() - NOTED_MS)];
        let rows: Vec<UnresolvedRow> = self.state.storage().sql().exec(FIND_UNRESOLVED, values)?.to_array()?;
        Ok(!rows.is_empty())
    }

    fn load(&self) -> Result<Breaker> {
        if let Some(breaker) = self.breaker.borrow().as_ref() {
            return Ok(breaker.clone());
        }
        let sql = self.state.storage().sql();
        sql.exec(CREATE, None)?;
        sql.exec(CREATE_UNRESOLVED, None)?;
        let rows: Vec<MachineRow> = sql.exec(LOAD, None)?.to_array()?;
        let breaker = rows.first().map_or_else(Breaker::default, |row| {
            // The state of another version may be unreadable. A breaker that starts closed soon detects an outage.
            serde_json::from_str(&row.machine).unwrap_or_else(|_| {
                tracing::error!(target: "app.breaker", "Stored circuit breaker is not readable: it starts closed");
                Breaker::default()
            })
        });
        self.breaker.replace(Some(breaker.clone()));
        Ok(breaker)
    }

    fn save(&self, breaker: &Breaker) -> Result<()> {
        self.state.storage().sql().exec(SAVE, vec![serde_json::to_string(breaker)?.into()])?;
        self.breaker.replace(Some(breaker.clone()));
        Ok(())
    }
}

fn log_transition(before: &Breaker, after: &Breaker, now: Timestamp, policy: &Policy) {
    let (was_forced, view) = (before.view(now, policy).forced, after.view(now, policy));
    let (from, to) = (before.entered(), after.entered());
    if (from, was_forced) != (to, view.forced) {
        let (from, to, forced, failure_count) = (from.as_str(), to.as_str(), view.forced, view.failure_count);
        tracing::warn!(target: "app.breaker", from, to, forced, failure_count, "Circuit breaker changed");
    }
}
