//! Audit events. Each is written in the same batch as the change it records, so neither exists without the other.

pub mod list;

use crate::domain::audit::{EventType, Reason, command_name};
use crate::domain::authz::Role;
use crate::domain::breaker::Command;
use crate::domain::ids::{SessionId, UniversityId, UserId};
use crate::domain::peer::Peer;
use crate::domain::request_id::RequestId;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::session::liveness::session_is_live;

/// The request that events belong to.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    /// The time of its arrival.
    pub now: Timestamp,
    /// The address and user agent of the client.
    pub peer: &'a Peer,
    /// The id that the log and the response show too.
    pub request_id: &'a RequestId,
}

/// An audit event, without the columns that come from the request.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    kind: EventType,
    /// The reason of a refusal, the cause of the event, the role concerned, or the operator's command.
    reason: Option<&'static str>,
    /// The subject; absent if no account is concerned.
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    /// The user that caused the event, if not the subject.
    actor_id: Option<UserId>,
    university_id: Option<UniversityId>,
    /// The department or the course concerned.
    object_id: Option<i64>,
}

impl Event {
    /// An event about a user, or without a subject if the account does not exist.
    #[must_use]
    pub fn of(event_type: EventType, user_id: impl Into<Option<UserId>>) -> Self {
        Self {
            kind: event_type,
            reason: None,
            user_id: user_id.into(),
            session_id: None,
            actor_id: None,
            university_id: None,
            object_id: None,
        }
    }

    /// Sets the session, if there is one.
    #[must_use]
    pub const fn within(self, session_id: Option<SessionId>) -> Self {
        Self { session_id, ..self }
    }

    /// Sets the reason of a refusal, or the cause of the event.
    #[must_use]
    pub const fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason.as_str()), ..self }
    }

    /// Sets the session of the event.
    #[must_use]
    pub const fn in_session(self, session_id: SessionId) -> Self {
        Self { session_id: Some(session_id), ..self }
    }

    /// Sets the acting user, if not the subject.
    #[must_use]
    pub const fn by(self, actor_id: UserId) -> Self {
        Self { actor_id: Some(actor_id), ..self }
    }

    /// Sets the university concerned.
    #[must_use]
    pub const fn at(self, university_id: UniversityId) -> Self {
        Self { university_id: Some(university_id), ..self }
    }

    /// Sets the department or the course concerned.
    #[must_use]
    pub const fn about(self, object_id: i64) -> Self {
        Self { object_id: Some(object_id), ..self }
    }

    /// Sets the role concerned and its university.
    #[must_use]
    pub const fn concerning(self, role: Role, university_id: Option<UniversityId>) -> Self {
        Self { reason: Some(role.as_str()), university_id, ..self }
    }
}

/// The only way to write audit events: `INSERT INTO audit_events … SELECT`, with expressions for the columns and an
/// optional `FROM` clause. [`insert`] binds the values of the request.
///
/// If the subject or the actor was erased concurrently, a trigger of the schema removes the address, the user agent and
/// the ids of the request from the new row.
macro_rules! insert_event {
    (
        type: $type:expr, reason: $reason:expr, user_id: $user:expr, session_id: $session:expr,
        actor_id: $actor:expr, university_id: $university:expr $(, object_id: $object:expr)? $(, from: $from:expr)?
        $(,)?
    ) => {
        concat!(
            "INSERT INTO audit_events
                 (created_at, type, reason, user_id, session_id, actor_id, university_id, object_id, request_id, ray, ip,
                  user_agent)
             SELECT :now, ", $type, ", ", $reason, ", ", $user, ", ", $session, ", ", $actor, ", ", $university,
            ", ", insert_event!(@or_null $($object)?), ", :request_id, :ray, :ip, :user_agent ",
            $($from)?
        )
    };
    (@or_null) => { "NULL" };
    (@or_null $value:expr) => { $value };
}
pub(in crate::store) use insert_event;

const RECORD: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: ":user_id", session_id: ":session_id",
    actor_id: ":actor_id", university_id: ":university_id", object_id: ":object_id",
};

/// Only if the preceding statement of the batch changed a row.
const RECORD_IF_CHANGED: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: ":user_id", session_id: ":session_id",
    actor_id: ":actor_id", university_id: ":university_id", object_id: ":object_id", from: "WHERE changes() > 0",
};

/// The event depends on whether the preceding statement of the batch changed a row.
const RECORD_OUTCOME: &str = insert_event! {
    type: "CASE WHEN is_done THEN :type ELSE :refused_type END",
    reason: "CASE WHEN is_done THEN :reason ELSE :refused_reason END",
    user_id: ":user_id",
    session_id: "CASE WHEN is_done THEN :session_id ELSE :refused_session_id END",
    actor_id: ":actor_id", university_id: ":university_id", object_id: ":object_id",
    from: "FROM (SELECT changes() > 0 AS is_done)",
};

/// A command of the operator. No account is concerned.
const RECORD_COMMAND: &str = insert_event! {
    type: "'breaker_commanded'", reason: ":command", user_id: "NULL", session_id: "NULL", actor_id: "NULL",
    university_id: "NULL",
};

/// Records a command of the operator to the circuit breaker, in a batch of its own that the breaker lets pass in any state.
///
/// # Errors
/// [`DbError`].
pub async fn record_command(store: &Store, command: Command, request: RequestInfo<'_>) -> Result<(), DbError> {
    store.bypass(insert(RECORD_COMMAND, request).bind("command", command_name(command))).await
}

/// Removes personal data from a step of events about the user.
const ERASE_EVENTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '', ray = NULL WHERE id IN (
        SELECT e.id FROM users AS u JOIN audit_events AS e ON e.user_id = u.id AND e.id > u.erasure_cursor
        WHERE u.id = :user_id ORDER BY e.id LIMIT :step
    )";

/// The same for events about other users that the user caused as an administrator.
const ERASE_ACTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '', ray = NULL WHERE id IN (
        SELECT e.id FROM users AS u JOIN audit_events AS e ON e.actor_id = u.id AND e.id > u.erased_acts_cursor
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL ORDER BY e.id LIMIT :step
    )";

/// Moves the erasure behind the events that [`ERASE_EVENTS`] and [`ERASE_ACTS`] reached.
const ADVANCE_ERASURE: &str = "
    UPDATE users SET erasure_cursor = coalesce((
        SELECT max(id) FROM (
            SELECT e.id FROM audit_events AS e
            WHERE e.user_id = users.id AND e.id > users.erasure_cursor ORDER BY e.id LIMIT :step
        )
    ), erasure_cursor), erased_acts_cursor = coalesce((
        SELECT max(id) FROM (
            SELECT e.id FROM audit_events AS e
            WHERE e.actor_id = users.id AND e.id > users.erased_acts_cursor ORDER BY e.id LIMIT :step
        )
    ), erased_acts_cursor)
    WHERE id = :user_id AND erasure_cursor IS NOT NULL";

/// The address and the user agent of an administrator belong to the administrator, not to the subject.
const EXPORT: &str = concat!(
    "SELECT id, created_at, type, reason, session_id,
            CASE WHEN coalesce(actor_id, user_id) = user_id THEN ip END AS ip,
            CASE WHEN coalesce(actor_id, user_id) = user_id THEN user_agent END AS user_agent,
            request_id, ray
     FROM audit_events WHERE user_id = :user_id AND id < :before ORDER BY id DESC LIMIT :limit * ",
    session_is_live!()
);

/// Ids grow with time, so the oldest events have the lowest ids.
const DELETE_OUTDATED: &str = "
    DELETE FROM audit_events WHERE id IN (
        SELECT id FROM (SELECT id, created_at FROM audit_events ORDER BY id LIMIT :step) WHERE created_at <= :cutoff
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    RECORD,
    RECORD_IF_CHANGED,
    RECORD_OUTCOME,
    RECORD_COMMAND,
    ERASE_EVENTS,
    ERASE_ACTS,
    ADVANCE_ERASURE,
    EXPORT,
    DELETE_OUTDATED,
];

/// Events about a user and events caused by a user. Erasure keeps them without personal data.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "audit_events",
    erase: &[ERASE_EVENTS, ERASE_ACTS, ADVANCE_ERASURE],
    remains: &[
        "SELECT 1 FROM audit_events AS e WHERE e.user_id = users.id AND e.id > users.erasure_cursor",
        "SELECT 1 FROM audit_events AS e WHERE e.actor_id = users.id AND e.id > users.erased_acts_cursor",
    ],
    export: Some(Section { member: "audit_events", select: EXPORT, paging: Paging::ByKey { key: "id" } }),
    walk: Some(Walk {
        table: "audit_events",
        cutoff: Cutoff::AuditRetention,
        order: Order::OldestFirst { delete: DELETE_OUTDATED },
        max_steps: 60,
    }),
};

/// An [`insert_event!`] statement, with the values of the request bound.
pub(in crate::store) fn insert(sql: &'static str, request: RequestInfo<'_>) -> Statement {
    query(sql)
        .bind("now", request.now)
        .bind("request_id", request.request_id)
        .bind("ray", request.request_id.ray())
        .bind("ip", request.peer.ip().as_deref())
        .bind("user_agent", request.peer.user_agent())
}

/// Records an event in any case.
pub(in crate::store) fn record(request: RequestInfo<'_>, event: Event) -> Statement {
    bind(insert(RECORD, request), event)
}

/// Records an event if the preceding statement of the batch changed a row.
pub(in crate::store) fn record_if_changed(request: RequestInfo<'_>, event: Event) -> Statement {
    bind(insert(RECORD_IF_CHANGED, request), event)
}

/// Records one of two events of the same user: `done` if the preceding statement of the batch changed a row, otherwise
/// `refused`.
pub(in crate::store) fn record_outcome(request: RequestInfo<'_>, done: Event, refused: Event) -> Statement {
    bind(insert(RECORD_OUTCOME, request), done)
        .bind("refused_type", refused.kind)
        .bind("refused_reason", refused.reason)
        .bind("refused_session_id", refused.session_id)
}

fn bind(statement: Statement, event: Event) -> Statement {
    statement
        .bind("type", event.kind)
        .bind("reason", event.reason)
        .bind("user_id", event.user_id)
        .bind("session_id", event.session_id)
        .bind("actor_id", event.actor_id)
        .bind("university_id", event.university_id)
        .bind("object_id", event.object_id)
}
