//! The text of the statements that write the event of a change.

/// The columns that the event of a change sets.
macro_rules! event_columns {
    () => {
        "id, nonce, created_at, type, reason, user_id, session_id, actor_id, university_id, object_id, count, request_id, ray,
         ip, user_agent"
    };
}
pub(in super::super) use event_columns;

macro_rules! value_or_null {
    () => {
        "NULL"
    };
    ($value:expr) => {
        $value
    };
}
pub(in super::super) use value_or_null;

/// The start of every statement that writes an event of a change. The rest of the statement selects the event.
const fn insert_into() -> &'static str {
    concat!("INSERT INTO audit_events (", event_columns!(), ") ")
}

/// The ids that an event of the request can have: as many as an hour has places for refusals (`domain::event_keys`).
macro_rules! event_window {
    () => {
        "id BETWEEN :event_id AND :event_id + 8191"
    };
}
pub(in super::super) use event_window;

/// The condition that the request's event was written: by this execution of the batch, or by an earlier one.
macro_rules! is_recorded {
    () => {
        $crate::store::audit::insertion::is_recorded!(":nonce")
    };
    ($nonce:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM audit_events WHERE ",
            $crate::store::audit::insertion::event_window!(),
            " AND nonce = ",
            $nonce,
            ")"
        )
    };
}
pub(in super::super) use is_recorded;

/// The id of the next event: behind those of the same moment.
macro_rules! next_event_id {
    () => {
        concat!(
            "coalesce((SELECT max(id) + 1 FROM audit_events WHERE ",
            $crate::store::audit::insertion::event_window!(),
            "), :event_id)"
        )
    };
}
pub(in super::super) use next_event_id;

/// The only way to write the event of a change: `INSERT INTO audit_events … SELECT`, with expressions for the columns and
/// an optional `FROM` clause.
/// [`super::insert`] binds the values of the request. The event is written once, even if the batch is
/// executed twice.
///
/// If the subject or the actor was erased concurrently, a trigger of the schema removes the address, the user agent and
/// the request id from the new row.
macro_rules! insert_event {
    (
        type: $type:expr, reason: $reason:expr, user_id: $user:expr, session_id: $session:expr,
        actor_id: $actor:expr, university_id: $university:expr $(, object_id: $object:expr)?
        $(, count: $count:expr)? $(, from: $from:expr)? $(,)?
    ) => {
        concat!(
            "INSERT INTO audit_events (", $crate::store::audit::insertion::event_columns!(), ") SELECT
                 ", $crate::store::audit::insertion::next_event_id!(), " AS id, :nonce AS nonce, :now AS created_at, e.*,
                 :request_id AS request_id, :ray AS ray, :ip AS ip, :user_agent AS user_agent
             FROM (SELECT ", $type, " AS type, ", $reason, " AS reason, ", $user, " AS user_id, ", $session,
            " AS session_id, ", $actor, " AS actor_id, ", $university, " AS university_id, ",
            $crate::store::audit::insertion::value_or_null!($($object)?), " AS object_id, ",
            $crate::store::audit::insertion::value_or_null!($($count)?), " AS count ",
            $($from,)?
            ") AS e WHERE NOT ", $crate::store::audit::insertion::is_recorded!()
        )
    };
}
pub(in super::super) use insert_event;

/// The same for one event per row of the `FROM` clause. The second execution of a batch must find no such row any more.
macro_rules! insert_events {
    (
        type: $type:expr, reason: $reason:expr, user_id: $user:expr, session_id: $session:expr,
        actor_id: $actor:expr, university_id: $university:expr $(, object_id: $object:expr)?, from: $from:expr $(,)?
    ) => {
        concat!(
            "INSERT INTO audit_events (",
            $crate::store::audit::insertion::event_columns!(),
            ") SELECT
                 ",
            $crate::store::audit::insertion::next_event_id!(),
            " + row_number() OVER () - 1 AS id,
                 :nonce AS nonce, :now AS created_at, e.*,
                 :request_id AS request_id, :ray AS ray, :ip AS ip, :user_agent AS user_agent
             FROM (SELECT ",
            $type,
            " AS type, ",
            $reason,
            " AS reason, ",
            $user,
            " AS user_id, ",
            $session,
            " AS session_id, ",
            $actor,
            " AS actor_id, ",
            $university,
            " AS university_id, ",
            $crate::store::audit::insertion::value_or_null!($($object)?),
            " AS object_id, NULL AS count ",
            $from,
            ") AS e"
        )
    };
}
pub(in super::super) use insert_events;

/// The effect of a statement on the audit events.
pub(in super::super) enum Effect {
    None,
    /// It writes the event of a change. The text selects that event instead.
    Event(&'static str),
    Refusal,
    /// It queues or counts a mail that tells of a change. A full database leaves it out, too.
    Notice,
}

impl Effect {
    pub(in super::super) fn of(sql: &'static str) -> Self {
        match sql.strip_prefix(insert_into()) {
            Some(select) => Self::Event(select),
            None if sql.starts_with("INSERT INTO audit_events ") => Self::Refusal,
            None if sql.starts_with("INSERT INTO mails ") || sql.starts_with("INSERT INTO notice_counts ") => {
                Self::Notice
            }
            None => Self::None,
        }
    }
}
