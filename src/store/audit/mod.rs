//! Audit events. Each is written in the same batch as the change it records, so neither exists without the other.
//!
//! A batch may be executed twice, if its first answer was lost. So the id of an event is drawn before, and the event is
//! not written again. Its presence, not the number of changed rows, says whether the change was made.

pub mod list;
pub mod refusals;
pub(in crate::store) mod unrecorded;

use crate::domain::audit::{EventType, Reason};
use crate::domain::authz::Role;
use crate::domain::event_keys::EventStamp;
use crate::domain::ids::{SessionId, UniversityId, UserId};
use crate::domain::limits::throttle::HashKey;
use crate::domain::peer::Peer;
use crate::domain::request_id::RequestId;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::IdRow;
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
    /// The numbers drawn for the ids of what it writes.
    pub stamp: EventStamp,
    /// The key of the hashes by which refusals are counted.
    pub key: &'a HashKey,
    /// The database is nearly full, so refusals are not recorded.
    pub omits_refusals: bool,
}

/// An audit event, without the columns that come from the request.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    kind: EventType,
    /// The reason of a refusal, the cause of the event, or the role concerned.
    reason: Option<&'static str>,
    /// The subject; absent if no account is concerned.
    user_id: Option<UserId>,
    session_id: Option<SessionId>,
    /// The user that caused the event, if not the subject.
    actor_id: Option<UserId>,
    university_id: Option<UniversityId>,
}

impl Event {
    /// An event about a user, or without a subject if the account does not exist.
    #[must_use]
    pub fn of(event_type: EventType, user_id: impl Into<Option<UserId>>) -> Self {
        let user_id = user_id.into();
        Self { kind: event_type, reason: None, user_id, session_id: None, actor_id: None, university_id: None }
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

    /// Sets the name of the permission that the caller lacked.
    #[must_use]
    pub const fn for_want_of(self, permission: &'static str) -> Self {
        Self { reason: Some(permission), ..self }
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

    /// Sets the role concerned and its university.
    #[must_use]
    pub const fn concerning(self, role: Role, university_id: Option<UniversityId>) -> Self {
        Self { reason: Some(role.as_str()), university_id, ..self }
    }
}

/// The columns that the event of a change sets.
macro_rules! event_columns {
    () => {
        "id, nonce, created_at, type, reason, user_id, session_id, actor_id, university_id, count, request_id, ip, user_agent"
    };
}
pub(in crate::store) use event_columns;

macro_rules! count_or_null {
    () => {
        "NULL"
    };
    ($count:expr) => {
        $count
    };
}
pub(in crate::store) use count_or_null;

/// The start of every statement that writes an event of a change. The rest of the statement selects the event.
const fn insert_into() -> &'static str {
    concat!("INSERT INTO audit_events (", event_columns!(), ") ")
}

/// The condition that the request's event was written: by this execution of the batch, or by an earlier one.
macro_rules! is_recorded {
    () => {
        "EXISTS (SELECT 1 FROM audit_events WHERE id BETWEEN :event_id AND :event_id + 8191 AND nonce = :nonce)"
    };
}
pub(in crate::store) use is_recorded;

/// The only way to write the event of a change: `INSERT INTO audit_events … SELECT`, with expressions for the columns and
/// an optional `FROM` clause. [`insert`] binds the values of the request. The event is written once, even if the batch is
/// executed twice.
///
/// If the subject or the actor was erased concurrently, a trigger of the schema removes the address, the user agent and
/// the request id from the new row.
macro_rules! insert_event {
    (
        type: $type:expr, reason: $reason:expr, user_id: $user:expr, session_id: $session:expr,
        actor_id: $actor:expr, university_id: $university:expr $(, count: $count:expr)? $(, from: $from:expr)? $(,)?
    ) => {
        concat!(
            "INSERT INTO audit_events (", $crate::store::audit::event_columns!(), ") SELECT
                 coalesce(
                     (SELECT max(id) + 1 FROM audit_events WHERE id BETWEEN :event_id AND :event_id + 8191), :event_id
                 ) AS id, :nonce AS nonce, :now AS created_at, e.*,
                 :request_id AS request_id, :ip AS ip, :user_agent AS user_agent
             FROM (SELECT ", $type, " AS type, ", $reason, " AS reason, ", $user, " AS user_id, ", $session,
            " AS session_id, ", $actor, " AS actor_id, ", $university, " AS university_id, ",
            $crate::store::audit::count_or_null!($($count)?), " AS count ",
            $($from,)?
            ") AS e WHERE NOT ", $crate::store::audit::is_recorded!()
        )
    };
}
pub(in crate::store) use insert_event;

/// The same for one event per row of the `FROM` clause. The second execution of a batch must find no such row any more.
macro_rules! insert_events {
    (
        type: $type:expr, reason: $reason:expr, user_id: $user:expr, session_id: $session:expr,
        actor_id: $actor:expr, university_id: $university:expr, from: $from:expr $(,)?
    ) => {
        concat!(
            "INSERT INTO audit_events (", $crate::store::audit::event_columns!(), ") SELECT
                 max(:event_id, coalesce((SELECT max(id) + 1 FROM audit_events), 1)) + row_number() OVER () - 1 AS id,
                 :nonce AS nonce, :now AS created_at, e.*,
                 :request_id AS request_id, :ip AS ip, :user_agent AS user_agent
             FROM (SELECT ", $type, " AS type, ", $reason, " AS reason, ", $user, " AS user_id, ", $session,
            " AS session_id, ", $actor, " AS actor_id, ", $university, " AS university_id, NULL AS count ", $from,
            ") AS e"
        )
    };
}
pub(in crate::store) use insert_events;

/// Only if the preceding statement of the batch changed a row. When the batch is executed again it does not, but then
/// the event is there already.
const RECORD_IF_CHANGED: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: ":user_id", session_id: ":session_id",
    actor_id: ":actor_id", university_id: ":university_id", from: "WHERE changes() > 0",
};

const SELECT_RECORDED: &str = concat!("SELECT 1 AS id WHERE ", is_recorded!());

/// Removes personal data from a step of events about the user.
const ERASE_EVENTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '', refusal_tag = NULL WHERE id IN (
        SELECT e.id FROM users AS u JOIN audit_events AS e ON e.user_id = u.id AND e.id > u.erasure_cursor
        WHERE u.id = :user_id ORDER BY e.id LIMIT :step
    )";

/// The same for events about other users that the user caused as an administrator.
const ERASE_ACTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '' WHERE id IN (
        SELECT e.id FROM users AS u JOIN audit_events AS e ON e.actor_id = u.id AND e.request_id <> ''
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

/// Moves the erasure behind the events that [`ERASE_EVENTS`] reached.
const ADVANCE_ERASURE: &str = "
    UPDATE users SET erasure_cursor = coalesce((
        SELECT max(id) FROM (
            SELECT e.id FROM audit_events AS e
            WHERE e.user_id = users.id AND e.id > users.erasure_cursor ORDER BY e.id LIMIT :step
        )
    ), erasure_cursor)
    WHERE id = :user_id AND erasure_cursor IS NOT NULL";

/// Without the event of this export, which a second execution of the batch would find. The address and the user agent of
/// an administrator belong to the administrator, not to the subject.
const EXPORT: &str = concat!(
    "SELECT id, created_at, type, reason, coalesce(count, 1) AS count, created_at AS first_at,
            coalesce(last_at, created_at) AS last_at, session_id,
            CASE WHEN coalesce(actor_id, user_id) = user_id THEN ip END AS ip,
            CASE WHEN coalesce(actor_id, user_id) = user_id THEN user_agent END AS user_agent,
            request_id
     FROM audit_events WHERE user_id = :user_id AND id < :before AND nonce IS NOT :own_nonce
     ORDER BY id DESC LIMIT :limit * ",
    session_is_live!()
);

/// Ids grow with time, so the oldest events have the lowest ids.
const DELETE_OUTDATED: &str = "
    DELETE FROM audit_events WHERE id IN (
        SELECT id FROM (SELECT id, created_at FROM audit_events ORDER BY id LIMIT :step) WHERE created_at <= :cutoff
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'audit_events' AND nonce = :nonce)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[RECORD_IF_CHANGED, SELECT_RECORDED, ERASE_EVENTS, ERASE_ACTS, ADVANCE_ERASURE, EXPORT, DELETE_OUTDATED];

/// Events about a user and events caused by a user. Erasure keeps them without personal data.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "audit_events",
    erase: &[ERASE_EVENTS, ERASE_ACTS, ADVANCE_ERASURE],
    remains: &[
        "SELECT 1 FROM audit_events AS e WHERE e.user_id = users.id AND e.id > users.erasure_cursor",
        "SELECT 1 FROM audit_events AS e WHERE e.actor_id = users.id AND e.request_id <> ''",
    ],
    export: Some(Section { member: "audit_events", select: EXPORT, paging: Paging::ById }),
    walk: Some(Walk {
        table: "audit_events",
        cutoff: Cutoff::AuditRetention,
        order: Order::OldestFirst { delete: DELETE_OUTDATED },
        max_steps: 60,
    }),
};

/// An [`insert_event!`] statement, with the type of the event and the values of the request bound.
pub(in crate::store) fn insert(sql: &'static str, request: RequestInfo<'_>, event_type: EventType) -> Statement {
    bind_mark(query(sql), request, event_type)
        .bind("type", event_type)
        .bind("now", request.now)
        .bind("request_id", request.request_id)
        .bind("ip", request.peer.ip().as_deref())
        .bind("user_agent", request.peer.user_agent())
}

/// Binds the values of [`is_recorded!`].
pub(in crate::store) fn bind_mark(statement: Statement, request: RequestInfo<'_>, event_type: EventType) -> Statement {
    statement.bind("event_id", request.stamp.id()).bind("nonce", request.stamp.nonce_of(event_type))
}

/// Records an event if the preceding statement of the batch changed a row.
pub(in crate::store) fn record_if_changed(request: RequestInfo<'_>, event: Event) -> Statement {
    bind(insert(RECORD_IF_CHANGED, request, event.kind), event)
}

/// Records one of two events of the same user: `done` if the preceding statement of the batch changed a row, otherwise
/// the refusal.
pub(in crate::store) fn record_outcome(request: RequestInfo<'_>, done: Event, refused: Event) -> [Statement; 2] {
    [record_if_changed(request, done), refusals::count_unless(request, refused, done.kind)]
}

/// Selects a row if the event of this type was recorded. It follows the statement that records it.
pub(in crate::store) fn recorded(request: RequestInfo<'_>, event_type: EventType) -> Statement {
    bind_mark(query(SELECT_RECORDED), request, event_type)
}

/// Was the change made, by this execution of the batch or by an earlier one? `changed` are the rows that the change
/// returned, `recorded` those of [`recorded`]. A batch that is executed without its events, because the database is full,
/// has only the former.
pub(in crate::store) fn is_done(changed: &Rows, recorded: &Rows) -> Result<bool, DbError> {
    Ok(!changed.all::<IdRow>()?.is_empty() || !recorded.all::<IdRow>()?.is_empty())
}

fn bind(statement: Statement, event: Event) -> Statement {
    statement
        .bind("reason", event.reason)
        .bind("user_id", event.user_id)
        .bind("session_id", event.session_id)
        .bind("actor_id", event.actor_id)
        .bind("university_id", event.university_id)
}

/// The effect of a statement on the audit events.
enum Effect {
    None,
    /// It writes the event of a change. The text selects that event instead.
    Event(&'static str),
    Refusal,
}

impl Effect {
    fn of(sql: &'static str) -> Self {
        match sql.strip_prefix(insert_into()) {
            Some(select) => Self::Event(select),
            None if sql.starts_with("INSERT INTO audit_events ") => Self::Refusal,
            None => Self::None,
        }
    }
}
