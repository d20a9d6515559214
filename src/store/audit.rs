//! Audit events: written in the batch that does the thing, so that neither can be there without the other.

use super::statement;
use crate::domain::audit::{EventType, Reason};
use crate::domain::client::Client;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::request_id::RequestId;
use crate::domain::time::Timestamp;
use crate::ports::{Statement, Value};

/// The request that events belong to.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// Its moment.
    pub now: Timestamp,
    /// Who sent it.
    pub client: &'a Client,
    /// Its name.
    pub request_id: &'a RequestId,
}

/// What happened to whom.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// What.
    pub event_type: EventType,
    /// Why it was refused, or how it came about.
    pub reason: Option<Reason>,
    /// To whom; nobody, if no account is concerned.
    pub user_id: Option<UserId>,
    /// Which session, if it is about one.
    pub session_id: Option<SessionId>,
}

impl Event {
    /// Something that happened to a user.
    #[must_use]
    pub const fn of(event_type: EventType, user_id: UserId) -> Self {
        Self { event_type, reason: None, user_id: Some(user_id), session_id: None }
    }

    /// With a reason.
    #[must_use]
    pub const fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// About one session.
    #[must_use]
    pub const fn in_session(self, session_id: SessionId) -> Self {
        Self { session_id: Some(session_id), ..self }
    }
}

const RECORD: &str = "
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Only if the statement before it in the batch changed something.
const RECORD_IF_CHANGED: &str = "
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE changes() > 0";

/// Only if the statement before it in the batch changed nothing.
const RECORD_IF_UNCHANGED: &str = "
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE changes() = 0";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD, RECORD_IF_CHANGED, RECORD_IF_UNCHANGED];

/// The event happened.
pub(super) fn record(origin: Origin<'_>, event: Event) -> Statement {
    statement(RECORD, values(origin, event))
}

/// The event happened if the statement before this one changed something.
pub(super) fn record_if_changed(origin: Origin<'_>, event: Event) -> Statement {
    statement(RECORD_IF_CHANGED, values(origin, event))
}

/// The event happened if the statement before this one changed nothing.
pub(super) fn record_if_unchanged(origin: Origin<'_>, event: Event) -> Statement {
    statement(RECORD_IF_UNCHANGED, values(origin, event))
}

fn values(origin: Origin<'_>, event: Event) -> [Value; 8] {
    [
        origin.now.millis().into(),
        event.event_type.as_str().into(),
        event.reason.map(Reason::as_str).into(),
        event.user_id.map(UserId::get).into(),
        event.session_id.map(SessionId::get).into(),
        origin.client.ip().as_deref().into(),
        origin.client.user_agent().into(),
        origin.request_id.as_str().into(),
    ]
}
