//! Counted refusals: those of one kind, for one user or none, from one network, within one hour are one row.
//!
//! `domain::event_keys` says where the row is: in a bucket of 20 ids. So a refusal reads at most two buckets, and the
//! refusals of an hour have 5,000 rows and one per kind, whatever strangers do. Counting another one writes one row.
//! Address, user agent and session are those of the first refusal; a row of several networks has none.

use crate::domain::audit::EventType;
use crate::domain::event_keys::{MAX_REFUSALS_OF_USER, RefusalPlaces};
use crate::ports::{Statement, query};
use crate::store::audit::event::{Event, RequestInfo};
use crate::store::audit::insertion::is_recorded;

/// Code points of the user agent that a refusal keeps. Strangers choose it, so it is shorter than in other events.
const MAX_USER_AGENT: usize = 64;

/// The id of the row with a tag in a bucket.
macro_rules! row_in {
    ($first:literal, $last:literal, $tag:literal) => {
        concat!(
            "(SELECT id FROM audit_events WHERE id BETWEEN ",
            $first,
            " AND ",
            $last,
            " AND refusal_tag = ",
            $tag,
            ")"
        )
    };
}

/// The next free id of a bucket; NULL if it is full. Ids are taken in order.
macro_rules! free_in {
    ($first:literal, $last:literal) => {
        concat!(
            "(SELECT nullif(coalesce(max(id) + 1, ",
            $first,
            "), ",
            $last,
            " + 1) FROM audit_events WHERE id BETWEEN ",
            $first,
            " AND ",
            $last,
            ")"
        )
    };
}

/// Counts a refusal of the user that an expression selects, under a condition. A batch that is executed again finds its
/// nonce, and counts nothing.
macro_rules! count_refusal {
    (user_id: $user:expr, if: $condition:expr) => {
        concat!(
            "INSERT INTO audit_events (id, nonce, created_at, last_at, count, type, reason, user_id, session_id, request_id,
                                       ray, ip, user_agent, refusal_tag)
             WITH r AS MATERIALIZED (
                 SELECT user_id, coalesce(",
            $crate::store::audit::refusals::row_in!(":own_first", ":own_last", ":own_tag"),
            ", CASE WHEN (
                     SELECT count(*) FROM audit_events AS other
                     WHERE other.user_id = subject.user_id AND other.id BETWEEN :first_place AND :last_place
                 ) < :max_of_user THEN ",
            $crate::store::audit::refusals::free_in!(":own_first", ":own_last"),
            " END, CASE WHEN user_id IS NOT NULL THEN coalesce(",
            $crate::store::audit::refusals::row_in!(":user_first", ":user_last", ":user_tag"),
            ", ",
            $crate::store::audit::refusals::free_in!(":user_first", ":user_last"),
            ") END, :of_kind) AS place
                 FROM (SELECT ",
            $user,
            " AS user_id WHERE ",
            $condition,
            ") AS subject
             )
             SELECT place, :nonce, :now, :now, 1, :type, :reason, CASE WHEN place <> :of_kind THEN user_id END,
                    CASE WHEN place BETWEEN :own_first AND :own_last THEN :session_id END,
                    CASE WHEN place <> :of_kind THEN :request_id ELSE '' END, CASE WHEN place <> :of_kind THEN :ray END,
                    CASE WHEN place BETWEEN :own_first AND :own_last THEN :ip END,
                    CASE WHEN place BETWEEN :own_first AND :own_last THEN :user_agent END,
                    CASE WHEN place BETWEEN :own_first AND :own_last THEN :own_tag
                         WHEN place <> :of_kind THEN :user_tag END
             FROM r WHERE TRUE
             ON CONFLICT (id) DO UPDATE SET count = count + 1, last_at = max(last_at, excluded.last_at),
                 nonce = excluded.nonce
             WHERE nonce IS NOT excluded.nonce"
        )
    };
}
pub(in super::super) use count_refusal;
pub(in super::super) use free_in;
pub(in super::super) use row_in;

const COUNT: &str = count_refusal!(user_id: ":user_id", if: "TRUE");

/// Unless the request's event of the other type is recorded.
const COUNT_UNLESS: &str = count_refusal!(user_id: ":user_id", if: concat!("NOT ", is_recorded!(":done_nonce")));

/// Takes the place of a statement that is left out.
const NOTHING: &str = "SELECT 1 AS id WHERE FALSE";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[COUNT, COUNT_UNLESS, NOTHING];

/// A [`count_refusal!`] statement with its values; `None` if refusals are not recorded at present. `subject` identifies the
/// user among refusals of this kind.
pub(in super::super) fn if_recorded(
    request: RequestInfo<'_>,
    sql: &'static str,
    refused: Event,
    subject: &str,
) -> Option<Statement> {
    (!request.omits_refusals).then(|| bind(query(sql), request, refused, subject))
}

/// The same where the user of the event is known, as `:user_id`.
pub(in super::super) fn of_user_if_recorded(
    request: RequestInfo<'_>,
    sql: &'static str,
    refused: Event,
) -> Option<Statement> {
    let subject = refused.user_id.map(|id| id.to_string()).unwrap_or_default();
    if_recorded(request, sql, refused, &subject).map(|count| count.bind("user_id", refused.user_id))
}

/// A statement that does nothing, in the place of one that is left out.
pub(in super::super) fn nothing() -> Statement {
    query(NOTHING)
}

/// Counts a refusal in any case.
pub(in super::super) fn count(request: RequestInfo<'_>, refused: Event) -> Statement {
    of_user_if_recorded(request, COUNT, refused).unwrap_or_else(nothing)
}

/// Counts a refusal, unless the request's event of type `done` was recorded by the same batch.
pub(in super::super) fn count_unless(request: RequestInfo<'_>, refused: Event, done: EventType) -> Statement {
    let stamp = request.stamp;
    let count = of_user_if_recorded(request, COUNT_UNLESS, refused);
    let count = count.map(|count| count.bind("event_id", stamp.id()).bind("done_nonce", stamp.nonce_of(done)));
    count.unwrap_or_else(nothing)
}

fn bind(statement: Statement, request: RequestInfo<'_>, refused: Event, subject: &str) -> Statement {
    let kind = (refused.kind, refused.reason.unwrap_or_default());
    let places = RefusalPlaces::of(request.key, request.now, kind, subject, &request.peer.attributed_network());
    statement
        .bind("type", refused.kind)
        .bind("reason", refused.reason)
        .bind("session_id", refused.session_id)
        .bind("nonce", request.stamp.nonce_of(refused.kind))
        .bind("now", request.now)
        .bind("request_id", request.request_id)
        .bind("ray", request.request_id.ray())
        .bind("ip", request.peer.ip().as_deref())
        .bind("user_agent", request.peer.user_agent().map(|text| text.chars().take(MAX_USER_AGENT).collect::<String>()))
        .bind("max_of_user", MAX_REFUSALS_OF_USER)
        .bind("first_place", places.first)
        .bind("last_place", places.last)
        .bind("of_kind", places.of_kind)
        .bind("own_first", places.own.first)
        .bind("own_last", places.own.last)
        .bind("own_tag", places.own.tag)
        .bind("user_first", places.of_user.first)
        .bind("user_last", places.of_user.last)
        .bind("user_tag", places.of_user.tag)
}
