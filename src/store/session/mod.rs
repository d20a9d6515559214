//! Sessions: listing and ending them. They are opened in `opening`; their refresh tokens rotate in `rotation`.
//!
//! A session is one row, and it exists as long as the session does: ending a session deletes the row. The audit event of
//! the same batch says how the session ended.

pub(in crate::store) mod liveness;
pub mod opening;
pub mod rotation;
pub mod token_inputs;

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::insertion::event_window;
use crate::store::audit::{self, Event, RequestInfo, insert_event, is_done, record_if_changed, recorded};
use crate::store::authz::grants::caller_is_platform_admin;
use crate::store::authz::viewer::Viewer;
use crate::store::mail::address;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store};

/// A live session, with the columns that responses show.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct SessionRow {
    pub id: SessionId,
    pub created_at: Timestamp,
    /// Time of the last sign-in or refresh; `ip` and `user_agent` are from then too.
    pub last_used_at: Timestamp,
    /// The end of the session unless it is refreshed before.
    pub expires_at: Timestamp,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

macro_rules! select_live {
    () => {
        "SELECT id, created_at, last_used_at, coalesce(refresh_expires_at, expires_at) AS expires_at, ip, user_agent
         FROM sessions
         WHERE user_id = :user_id AND expires_at > :now AND (refresh_expires_at > :now OR id IS :current_id)
         ORDER BY created_at DESC, id DESC"
    };
}

const SELECT_LIVE: &str = select_live!();

/// A negative limit is none.
const SELECT_LIVE_FOR_ADMIN: &str = concat!(select_live!(), " LIMIT -1 * ", caller_is_platform_admin!());

const SELECT_OWNER: &str =
    concat!("SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NULL LIMIT ", caller_is_platform_admin!());

const SIGN_OUT: &str = "DELETE FROM sessions WHERE id = :session_id AND user_id = :user_id RETURNING id";

const END_ONE: &str = "
    DELETE FROM sessions WHERE id = :session_id AND user_id = :user_id AND expires_at > :now RETURNING id";

/// The count equals the length of the user's list: a session whose refresh token has expired ends too, but was
/// unusable.
const COUNT_USABLE: &str = "
    SELECT count(*) AS count FROM sessions
    WHERE user_id = :user_id AND expires_at > :now AND (refresh_expires_at > :now OR id IS :current_id)";

const END_ALL: &str = "DELETE FROM sessions WHERE user_id = :user_id AND expires_at > :now";

/// Precedes [`END_ALL`]. The event keeps the number of sessions for a second execution of the batch.
const RECORD_ALL: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    count: "usable",
    from: "FROM (
               SELECT count(*) AS live, coalesce(sum(refresh_expires_at > :now OR id IS :current_id), 0) AS usable
               FROM sessions WHERE user_id = :user_id AND expires_at > :now
           )
           WHERE live > 0",
};

/// The number that an event keeps.
const SELECT_COUNT: &str = concat!("SELECT count FROM audit_events WHERE ", event_window!(), " AND nonce = :nonce");

const END_OTHERS: &str = "
    DELETE FROM sessions
    WHERE user_id = :user_id AND id IS NOT :kept_id
      AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND password_hash = :new_hash)";

const ERASE: &str = "
    DELETE FROM sessions WHERE id IN (
        SELECT s.id FROM users AS u JOIN sessions AS s ON s.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

const EXPORT: &str = concat!(
    "SELECT id, created_at, last_used_at, refresh_expires_at, expires_at, ip, user_agent
     FROM sessions WHERE user_id = :user_id ORDER BY created_at DESC LIMIT :limit * ",
    session_is_live!()
);

const ADVANCE_WALK: &str = "
    UPDATE clean_up_positions
    SET previous = position, position = coalesce((
        SELECT max(id) FROM (
            SELECT id FROM sessions WHERE id > CAST(clean_up_positions.position AS INTEGER) ORDER BY id LIMIT :step
        )
    ), '')
    WHERE walk = 'sessions' AND nonce IS NOT :nonce";

/// Sessions past their absolute end, and those whose refresh token has expired. The cutoff leaves the latter for the
/// lifetime of an access token, since one may have been issued just before.
const DELETE_OUTDATED: &str = "
    DELETE FROM sessions WHERE id IN (
        SELECT s.id
        FROM clean_up_positions AS p
        JOIN sessions AS s ON s.id > CAST(p.previous AS INTEGER) AND s.id <= CAST(p.position AS INTEGER)
        WHERE p.walk = 'sessions' AND (s.expires_at <= :cutoff OR s.refresh_expires_at <= :cutoff)
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_LIVE,
    SELECT_LIVE_FOR_ADMIN,
    SELECT_OWNER,
    SIGN_OUT,
    END_ONE,
    COUNT_USABLE,
    END_ALL,
    RECORD_ALL,
    SELECT_COUNT,
    END_OTHERS,
    ERASE,
    EXPORT,
    ADVANCE_WALK,
    DELETE_OUTDATED,
];

/// Sessions of a user, of which there are at most `MAX_SESSIONS`.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "sessions",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM sessions AS s WHERE s.user_id = users.id"],
    export: Some(Section { member: "sessions", select: EXPORT, paging: Paging::FirstPage { limit: 1000 } }),
    walk: Some(Walk {
        table: "sessions",
        cutoff: Cutoff::AccessTokens,
        order: Order::ByKey { advance: ADVANCE_WALK, delete: DELETE_OUTDATED },
        max_steps: 168,
    }),
};

/// Lists the usable sessions of a user, newest first. `current` is listed even if its refresh token has expired.
#[must_use]
pub fn live(user_id: UserId, current: Option<SessionId>, now: Timestamp) -> Read<Vec<SessionRow>> {
    Read::of(select_live(SELECT_LIVE, user_id, current, now), Rows::all)
}

fn select_live(sql: &'static str, user_id: UserId, current: Option<SessionId>, now: Timestamp) -> Statement {
    query(sql).bind("user_id", user_id).bind("now", now).bind("current_id", current)
}

/// Lists the usable sessions of any user, newest first; `None` if there is no such user, or the caller does not administer
/// the platform.
#[must_use]
pub fn live_of(user_id: UserId, viewer: &Viewer, now: Timestamp) -> Read<Option<Vec<SessionRow>>> {
    let sessions = viewer.bind(select_live(SELECT_LIVE_FOR_ADMIN, user_id, None, now));
    let owner = viewer.bind(query(SELECT_OWNER).bind("user_id", user_id));
    let read = Read::of(sessions, Rows::all).and(Read::of(owner, Rows::first::<IdRow>));
    read.map(|(sessions, owner)| owner.map(|_| sessions))
}

/// Ends a session with its refresh token. Returns false if it had ended already, or never existed.
///
/// # Errors
/// [`DbError`].
pub async fn sign_out(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    end(store, query(SIGN_OUT), EventType::SignedOut, user_id, session_id, request).await
}

/// Ends one session of a user by its id. Returns false if the user has no such live session.
///
/// # Errors
/// [`DbError`].
pub async fn end_one(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    end(store, query(END_ONE).bind("now", request.now), EventType::SessionEnded, user_id, session_id, request).await
}

/// Ends a session for a service account that presented one of its tokens. Returns false if it had ended already.
///
/// # Errors
/// [`DbError`].
pub async fn end_by_service(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let end = query(SIGN_OUT).bind("session_id", session_id).bind("user_id", user_id);
    let event = Event::of(EventType::SessionEnded, user_id).in_session(session_id).because(Reason::Service);
    let statements = [end, record_if_changed(request, event), recorded(request, EventType::SessionEnded)];
    let [ended, _, recorded] = store.batch(statements).await?;
    is_done(&ended, &recorded)
}

async fn end(
    store: &Store,
    statement: Statement,
    event_type: EventType,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let end = statement.bind("session_id", session_id).bind("user_id", user_id);
    let event = Event::of(event_type, user_id).in_session(session_id);
    let statements = [end, record_if_changed(request, event), recorded(request, event_type)];
    let [ended, _, recorded] = store.batch(statements).await?;
    is_done(&ended, &recorded)
}

#[derive(Deserialize)]
struct CountRow {
    count: usize,
}

/// Selects the number that the request's event of this type keeps.
pub(in crate::store) fn recorded_count(request: RequestInfo<'_>, event_type: EventType) -> Statement {
    audit::bind_mark(query(SELECT_COUNT), request, event_type)
}

/// The recorded number, or the one that was counted if the batch was executed without its event.
pub(in crate::store) fn ended(counted: &Rows, recorded: &Rows) -> Result<usize, DbError> {
    let recorded = recorded.first::<CountRow>()?;
    let row = recorded.map_or_else(|| counted.first::<CountRow>(), |row| Ok(Some(row)))?;
    Ok(row.map_or(0, |row| row.count))
}

/// Ends every session of a user; returns how many of them were usable.
///
/// # Errors
/// [`DbError`].
pub async fn end_all(
    store: &Store,
    user_id: UserId,
    current: Option<SessionId>,
    request: RequestInfo<'_>,
) -> Result<usize, DbError> {
    let of_user = |statement: Statement| statement.bind("user_id", user_id);
    let count = of_user(query(COUNT_USABLE)).bind("now", request.now).bind("current_id", current);
    let record = audit::insert(RECORD_ALL, request, EventType::SessionsEnded);
    let record = of_user(record).bind("current_id", current);
    let end = of_user(query(END_ALL)).bind("now", request.now);
    let recorded = recorded_count(request, EventType::SessionsEnded);
    let [counted, _, _, _, recorded] = store.batch([count, record, end, address::void(user_id), recorded]).await?;
    ended(&counted, &recorded)
}

/// Ends every session of a user but one, if `new_hash` is now the hash of the user's password.
pub(in crate::store) fn end_others(user_id: UserId, kept: Option<SessionId>, new_hash: &str) -> Statement {
    query(END_OTHERS).bind("user_id", user_id).bind("kept_id", kept).bind("new_hash", new_hash)
}
