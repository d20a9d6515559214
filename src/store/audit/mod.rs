//! Audit events. Each is written in the same batch as the change it records, so neither exists without the other. The
//! exceptions are a full database, whose events go to the log, and the operator's commands.
//!
//! A batch may be executed twice, if its first answer was lost. So the id of an event is drawn before, and the event is
//! not written again. Its presence, not the number of changed rows, says whether the change was made.

pub mod archive;
pub mod archive_key;
pub mod event;
pub(in crate::store) mod insertion;
pub mod list;
pub mod refusals;
pub(in crate::store) mod unrecorded;

use crate::domain::audit::{EventType, command_name};
use crate::domain::breaker::Command;
use crate::domain::ids::UserId;
use crate::ports::{DbError, Rows, Statement, query};
pub use crate::store::audit::event::{Event, RequestInfo};
pub(in crate::store) use crate::store::audit::insertion::{insert_event, insert_events, is_recorded};
use crate::store::owned::{Owned, Paging, Section};
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store};

/// Only if the preceding statement of the batch changed a row. When the batch is executed again it does not, but then
/// the event is there already.
const RECORD_IF_CHANGED: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: ":user_id", session_id: ":session_id",
    actor_id: ":actor_id", university_id: ":university_id", object_id: ":object_id", from: "WHERE changes() > 0",
};

const SELECT_RECORDED: &str = concat!("SELECT 1 AS id WHERE ", is_recorded!());

/// A command of the operator. No account is concerned.
const RECORD_COMMAND: &str = insert_event! {
    type: ":type", reason: ":command", user_id: "NULL", session_id: "NULL", actor_id: "NULL",
    university_id: "NULL",
};

/// Records a command of the operator to the circuit breaker, in a batch of its own that the breaker lets pass in any state.
///
/// # Errors
/// [`DbError`].
pub async fn record_command(store: &Store, command: Command, request: RequestInfo<'_>) -> Result<(), DbError> {
    store
        .bypass(insert(RECORD_COMMAND, request, EventType::BreakerCommanded).bind("command", command_name(command)))
        .await
}

/// Removes personal data from a step of events about the user.
const ERASE_EVENTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '', ray = NULL, refusal_tag = NULL WHERE id IN (
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

/// The user caused the event. Events of an import by a service account have no actor, but its id as their object.
macro_rules! is_own_act {
    () => {
        "coalesce(actor_id, user_id) = user_id
             AND NOT (object_id IS NOT NULL AND type IN ('imported', 'role_granted', 'profile_changed'))"
    };
}

/// Without the event of this export, which a second execution of the batch would find. The address and the user agent of
/// an administrator or an importer are not the subject's.
const EXPORT: &str = concat!(
    "SELECT id, created_at, type, reason, coalesce(count, 1) AS count, created_at AS first_at,
            coalesce(last_at, created_at) AS last_at, session_id, university_id, object_id,
            CASE WHEN ",
    is_own_act!(),
    " THEN ip END AS ip, CASE WHEN ",
    is_own_act!(),
    " THEN user_agent END AS user_agent, request_id, ray
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
pub const STATEMENTS: &[&str] = &[
    RECORD_IF_CHANGED,
    SELECT_RECORDED,
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
    export: Some(Section {
        member: "audit_events",
        select: EXPORT,
        paging: Paging::ByKey { key: "id", own_event: Some(EventType::Exported) },
    }),
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
        .bind("ray", request.request_id.ray())
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
        .bind("object_id", event.object_id)
}

/// Records the refusal of a signed-in user that lacked a permission, in a batch of its own.
///
/// # Errors
/// [`DbError`].
pub async fn record_access_refused(
    store: &Store,
    user_id: UserId,
    permission: &'static str,
    request: RequestInfo<'_>,
) -> Result<(), DbError> {
    if request.omits_refusals {
        return Ok(());
    }
    let event = Event::of(EventType::AccessRefused, user_id).for_want_of(permission);
    let [_] = store.batch([refusals::count(request, event)]).await?;
    Ok(())
}
