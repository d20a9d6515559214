//! Batches without their audit events, for a database that is full. The events go to the log.
//!
//! The statement that would write an event selects it instead. So the log has the events that would have been written,
//! and nothing else. Refusals are left out: their requests are in the log anyway.

use serde::Deserialize;

use crate::ports::{Rows, Statement};
use crate::store::audit::insertion::Effect;
use crate::store::audit::refusals;

/// A batch without its events: as many statements, with results in the same places.
pub(in super::super) struct WithoutEvents {
    pub(in super::super) statements: Vec<Statement>,
    /// The places of the statements that select events.
    pub(in super::super) events: Vec<usize>,
}

impl WithoutEvents {
    /// `None` if the batch writes no event.
    pub(in super::super) fn of(statements: &[Statement]) -> Option<Self> {
        if statements.iter().all(|statement| matches!(Effect::of(statement.sql), Effect::None)) {
            return None;
        }
        let mut events = Vec::new();
        let replaced = statements.iter().enumerate().map(|(index, statement)| match Effect::of(statement.sql) {
            Effect::None => statement.clone(),
            Effect::Refusal | Effect::Notice => refusals::nothing(),
            Effect::Event(sql) => {
                events.push(index);
                Statement { sql, values: statement.values.clone() }
            }
        });
        let statements = replaced.collect();
        Some(Self { statements, events })
    }
}

#[derive(Deserialize)]
struct EventRow {
    #[serde(rename = "type")]
    event_type: String,
    reason: Option<String>,
    user_id: Option<i64>,
    session_id: Option<i64>,
    actor_id: Option<i64>,
    university_id: Option<i64>,
    object_id: Option<i64>,
}

/// Logs the events that a statement selected.
pub(in super::super) fn log(rows: &Rows) {
    for row in rows.all::<EventRow>().unwrap_or_default() {
        let EventRow { event_type, reason, user_id, session_id, actor_id, university_id, object_id } = row;
        let (event_type, reason) = (event_type.as_str(), reason.as_deref());
        tracing::error!(
            target: "app.audit",
            event_type, reason, user_id, session_id, actor_id, university_id, object_id,
            "Event not recorded: the database is full"
        );
    }
}
