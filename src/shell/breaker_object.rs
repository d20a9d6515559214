//! The Durable Object with the authoritative state of the circuit breaker: one object for all isolates worldwide.
//!
//! It owns the breaker's clock, and persists every transition before it answers. JavaScript has the object's class and
//! its SQL storage, and calls [`answer`], which is synchronous: with no await between reading and writing the state,
//! questions never interleave.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::domain::breaker::{Breaker, Policy};
use crate::domain::session::unresolved::{MAX_NOTES, NOTED_MS, UnresolvedExchange};
use crate::domain::time::Timestamp;
use crate::shell::breaker_protocol::{Answer, Question, text_of};
use crate::shell::clock::now;
use crate::shell::requests::settings;
use crate::shell::tasks;

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

/// No values for a statement.
const NONE: [(); 0] = [];

#[derive(Deserialize)]
struct MachineRow {
    machine: String,
}

/// The object's SQL storage.
pub trait Storage {
    /// Runs a statement with a JSON list of values; returns its rows as a JSON list of objects.
    ///
    /// # Errors
    /// The text of the error, if the storage fails.
    fn run(&self, statement: &str, values: &str) -> Result<String, String>;
}

/// Answers one [`Question`] of an isolate, given as its URL, with the response of the object. A question that only another
/// version knows changes nothing. If the URL is none of an isolate, the settings are wrong or storage fails, the
/// response is 500. The isolate then counts the object as unreachable.
pub fn answer(url: &str, storage: &impl Storage) -> String {
    let answered = || {
        let (question, request_id) = Question::parse(url).ok_or("no such question")?;
        tasks::note_request_id(request_id.as_str());
        let policy = settings().ok_or("wrong settings")?.breaker;
        let span = tracing::info_span!("circuit breaker", request_id = request_id.as_str(), ray = request_id.ray());
        let answer = span.in_scope(|| decide(question, storage, now(), &policy))?;
        serde_json::to_string(&answer).map_err(|error| error.to_string())
    };
    match answered() {
        Ok(json) => format!("R200\ncontent-type: application/json\n\n{json}"),
        Err(cause) => {
            tracing::error!(target: "app.breaker", cause, "Circuit breaker cannot answer");
            "R500\ncontent-type: text/plain\n\n".to_owned()
        }
    }
}

fn decide(
    question: Option<Question>,
    storage: &impl Storage,
    now: Timestamp,
    policy: &Policy,
) -> Result<Answer, String> {
    let before = load(storage)?;
    let mut breaker = before.clone();
    breaker.clamp(now, policy);
    let mut admission = None;
    let mut is_unresolved = None;
    let is_unknown = question.is_none();
    match question.unwrap_or(Question::Inspect) {
        Question::Inspect => {}
        Question::NoteUnresolved(exchange) => note_unresolved(&exchange, storage, now)?,
        Question::IsUnresolved(exchange) => is_unresolved = Some(find_unresolved(&exchange, storage, now)?),
        Question::Admit => admission = Some(breaker.admit(now, policy)),
        Question::Failed(report) => breaker.failed(&report, now, policy),
        Question::ProbeSucceeded(round, isolate) => breaker.probe_succeeded(round, isolate, now),
        Question::ProbeFailed(round) => breaker.probe_failed(round, now, policy),
        Question::Command(command) => breaker.command(command),
    }
    if breaker != before {
        breaker.mark_changed();
        save(&breaker, storage)?;
        log_transition(&before, &breaker, now, policy);
    }
    Ok(Answer { admission, view: breaker.view(now, policy), is_unresolved, is_unknown })
}

fn note_unresolved(exchange: &UnresolvedExchange, storage: &impl Storage, now: Timestamp) -> Result<(), String> {
    run(storage, NOTE_UNRESOLVED, &(text_of(exchange), now.millis()))?;
    run(storage, DROP_OLDEST, &[MAX_NOTES])?;
    run(storage, DROP_EXPIRED, &[now.millis() - NOTED_MS])
}

fn find_unresolved(exchange: &UnresolvedExchange, storage: &impl Storage, now: Timestamp) -> Result<bool, String> {
    let values = (text_of(exchange), now.millis() - NOTED_MS);
    let rows: Vec<IgnoredAny> = rows(storage, FIND_UNRESOLVED, &values)?;
    Ok(!rows.is_empty())
}

fn load(storage: &impl Storage) -> Result<Breaker, String> {
    run(storage, CREATE, &NONE)?;
    run(storage, CREATE_UNRESOLVED, &NONE)?;
    let rows: Vec<MachineRow> = rows(storage, LOAD, &NONE)?;
    Ok(rows.first().map_or_else(Breaker::default, |row| {
        // The state of another version may be unreadable. A breaker that starts closed soon detects an outage.
        serde_json::from_str(&row.machine).unwrap_or_else(|_| {
            tracing::error!(target: "app.breaker", "Stored circuit breaker is not readable: it starts closed");
            Breaker::default()
        })
    }))
}

fn save(breaker: &Breaker, storage: &impl Storage) -> Result<(), String> {
    let machine = serde_json::to_string(breaker).map_err(|error| error.to_string())?;
    run(storage, SAVE, &[machine])
}

fn run(storage: &impl Storage, statement: &str, values: &impl Serialize) -> Result<(), String> {
    rows::<IgnoredAny>(storage, statement, values).map(drop)
}

fn rows<T: DeserializeOwned>(
    storage: &impl Storage,
    statement: &str,
    values: &impl Serialize,
) -> Result<Vec<T>, String> {
    let values = serde_json::to_string(values).map_err(|error| error.to_string())?;
    serde_json::from_str(&storage.run(statement, &values)?).map_err(|error| error.to_string())
}

fn log_transition(before: &Breaker, after: &Breaker, now: Timestamp, policy: &Policy) {
    let (was_forced, view) = (before.view(now, policy).forced, after.view(now, policy));
    let (from, to) = (before.entered(), after.entered());
    if (from, was_forced) != (to, view.forced) {
        let (from, to, forced, failure_count) = (from.as_str(), to.as_str(), view.forced, view.failure_count);
        tracing::warn!(target: "app.breaker", from, to, forced, failure_count, "Circuit breaker changed");
    }
}
