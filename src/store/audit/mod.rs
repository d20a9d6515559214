//! Audit events: written in the batch that does the thing, so that neither can be there without the other.

use crate::domain::audit::{EventType, Reason};
use crate::domain::authz::Role;
use crate::domain::ids::{SessionId, UniversityId, UserId};
use crate::domain::peer::Peer;
use crate::domain::request_id::RequestId;
use crate::domain::time::Timestamp;
use crate::ports::{Statement, Value};
use crate::store::statement;

/// The request that events belong to.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    /// Its moment.
    pub now: Timestamp,
    /// Who sent it.
    pub peer: &'a Peer,
    /// Its name.
    pub request_id: &'a RequestId,
}

/// What happened to whom.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    kind: EventType,
    /// Why it was refused, how it came about, or which role it is about.
    reason: Option<&'static str>,
    /// To whom; nobody, if no account is concerned.
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    /// Who did it, if not the user themselves.
    actor_id: Option<UserId>,
    university_id: Option<UniversityId>,
}

impl Event {
    /// Something that happened to a user, or to an account that nobody has.
    #[must_use]
    pub fn of(event_type: EventType, user_id: impl Into<Option<UserId>>) -> Self {
        let user_id = user_id.into();
        Self { kind: event_type, reason: None, user_id, session_id: None, actor_id: None, university_id: None }
    }

    /// About one session, if about one.
    #[must_use]
    pub const fn within(self, session_id: Option<SessionId>) -> Self {
        Self { session_id, ..self }
    }

    /// With a reason.
    #[must_use]
    pub const fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason.as_str()), ..self }
    }

    /// About one session.
    #[must_use]
    pub const fn in_session(self, session_id: SessionId) -> Self {
        Self { session_id: Some(session_id), ..self }
    }

    /// Done by somebody else.
    #[must_use]
    pub const fn by(self, actor_id: UserId) -> Self {
        Self { actor_id: Some(actor_id), ..self }
    }

    /// About a role.
    #[must_use]
    pub const fn concerning(self, role: Role, university_id: Option<UniversityId>) -> Self {
        Self { reason: Some(role.as_str()), university_id, ..self }
    }
}

/// Of an account that was erased meanwhile, the user's or the one of who did it, nothing is kept but that it happened:
/// whoever read it before may still write.
const RECORD: &str = "
    INSERT INTO audit_events
        (created_at, type, reason, user_id, session_id, actor_id, university_id, request_id, ip, user_agent)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, CASE WHEN is_kept THEN ?8 ELSE '' END,
           CASE WHEN is_kept THEN ?9 END, CASE WHEN is_kept THEN ?10 END
    FROM (
        SELECT (?4 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?4 AND erasure_cursor IS NULL))
           AND (?6 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?6 AND erasure_cursor IS NULL)) AS is_kept
    )";

/// Only if the statement before it in the batch changed something.
const RECORD_IF_CHANGED: &str = "
    INSERT INTO audit_events
        (created_at, type, reason, user_id, session_id, actor_id, university_id, request_id, ip, user_agent)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, CASE WHEN is_kept THEN ?8 ELSE '' END,
           CASE WHEN is_kept THEN ?9 END, CASE WHEN is_kept THEN ?10 END
    FROM (
        SELECT (?4 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?4 AND erasure_cursor IS NULL))
           AND (?6 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?6 AND erasure_cursor IS NULL)) AS is_kept
    )
    WHERE changes() > 0";

/// Did the statement before it in the batch change something? Then ?2, ?3, ?5 say what happened, otherwise ?11,
/// ?12, ?13.
const RECORD_OUTCOME: &str = "
    INSERT INTO audit_events
        (created_at, type, reason, user_id, session_id, actor_id, university_id, request_id, ip, user_agent)
    SELECT ?1, CASE WHEN is_done THEN ?2 ELSE ?11 END, CASE WHEN is_done THEN ?3 ELSE ?12 END, ?4,
           CASE WHEN is_done THEN ?5 ELSE ?13 END, ?6, ?7, CASE WHEN is_kept THEN ?8 ELSE '' END,
           CASE WHEN is_kept THEN ?9 END, CASE WHEN is_kept THEN ?10 END
    FROM (
        SELECT changes() > 0 AS is_done,
               EXISTS (SELECT 1 FROM users WHERE id = ?4 AND erasure_cursor IS NULL) AS is_kept
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD, RECORD_IF_CHANGED, RECORD_OUTCOME];

/// The event happened.
pub(in crate::store) fn record(request: RequestInfo<'_>, event: Event) -> Statement {
    statement(RECORD, values(request, event))
}

/// The event happened if the statement before this one changed something.
pub(in crate::store) fn record_if_changed(request: RequestInfo<'_>, event: Event) -> Statement {
    statement(RECORD_IF_CHANGED, values(request, event))
}

/// One of two events of the same user happened: the first if the statement before this one changed something.
pub(in crate::store) fn record_outcome(request: RequestInfo<'_>, done: Event, refused: Event) -> Statement {
    let mut values = Vec::from(values(request, done));
    values.extend([refused.kind.as_str().into(), refused.reason.into(), refused.session_id.map(SessionId::get).into()]);
    Statement { sql: RECORD_OUTCOME, values }
}

fn values(request: RequestInfo<'_>, event: Event) -> [Value; 10] {
    [
        request.now.millis().into(),
        event.kind.as_str().into(),
        event.reason.into(),
        event.user_id.map(UserId::get).into(),
        event.session_id.map(SessionId::get).into(),
        event.actor_id.map(UserId::get).into(),
        event.university_id.map(UniversityId::get).into(),
        request.request_id.as_str().into(),
        request.peer.ip().as_deref().into(),
        request.peer.user_agent().into(),
    ]
}
