//! Sessions: opening, listing, ending. How a session's refresh tokens replace each other is `rotation`'s.
//!
//! D1 has no interactive transactions, but a batch is atomic and batches are serialized. So every
//! statement that must only run if an earlier one of its batch did something carries the same guard.

pub mod rotation;

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::limits::MAX_SESSIONS;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, Value};
use crate::store::audit::{Event, RequestInfo, record_if_changed, record_outcome};
use crate::store::password::credentials::CredentialsRow;
use crate::store::{IdRow, Store, boolean, statement};

/// A session to be opened, with its first refresh token.
pub struct NewSession<'a> {
    /// Its id, drawn at random.
    pub id: SessionId,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// The id of the first refresh token.
    pub token_id: &'a TokenId,
    /// When that token expires.
    pub token_expires_at: Timestamp,
    /// The request that opens it.
    pub request: RequestInfo<'a>,
}

/// A live session, as its owner sees it.
#[derive(Debug, Clone, Deserialize)]
pub struct SessionRow {
    /// Identifies it.
    pub id: SessionId,
    /// When it was signed in to.
    pub created_at: Timestamp,
    /// When it was signed in to or refreshed last.
    pub last_used_at: Timestamp,
    /// When it ends, if it is not refreshed before.
    pub expires_at: Timestamp,
    /// From where it was used last.
    pub ip: Option<String>,
    /// With what it was used last.
    pub user_agent: Option<String>,
}

const OPEN_SESSION: &str = "
    INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent)
    SELECT ?1, id, ?2, ?3, ?2, ?4, ?5 FROM users
    WHERE id = ?6 AND is_active = 1 AND password_version = ?7 AND blocked_until <= ?2
    RETURNING id";

const FIRST_TOKEN: &str = "
    INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at)
    SELECT ?1, id, ?2, ?3 FROM sessions WHERE id = ?4";

/// A success forgives the failures before it.
const RESET_THROTTLE: &str = "
    UPDATE users SET failed_sign_ins = 0, blocked_until = 0
    WHERE id = ?1 AND failed_sign_ins > 0 AND EXISTS (SELECT 1 FROM sessions WHERE id = ?2)";

/// One event for each session that is about to make room: those that [`END_OLDEST`] ends behind it.
const RECORD_OLDEST: &str = "
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    SELECT ?1, 'session_ended', 'limit', ?2, id, ?5, ?6, ?7 FROM (
        SELECT id, created_at FROM sessions WHERE user_id = ?2 AND ended_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?3
    )
    WHERE EXISTS (SELECT 1 FROM sessions WHERE id = ?4)
    ORDER BY created_at, id";

const END_OLDEST: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'limit'
    WHERE id IN (
        SELECT id FROM sessions WHERE user_id = ?2 AND ended_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?3
    )
    AND EXISTS (SELECT 1 FROM sessions WHERE id = ?4)";

const SELECT_LIVE: &str = "
    SELECT s.id, s.created_at, s.last_used_at, coalesce(t.expires_at, s.expires_at) AS expires_at, s.ip, s.user_agent
    FROM sessions AS s
    LEFT JOIN refresh_tokens AS t ON t.session_id = s.id AND t.revoked_at IS NULL
    WHERE s.user_id = ?1 AND s.ended_at IS NULL AND s.expires_at > ?2 AND (t.expires_at > ?2 OR s.id = ?3)
    ORDER BY s.created_at DESC, s.id DESC";

const SELECT_OWNER: &str = "SELECT id FROM users WHERE id = ?1 AND erasure_cursor IS NULL";

const SIGN_OUT: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'logout'
    WHERE id = ?2 AND user_id = ?3 AND ended_at IS NULL
    RETURNING id";

const END_ONE: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'revoked'
    WHERE id = ?2 AND user_id = ?3 AND ended_at IS NULL AND expires_at > ?1
    RETURNING id";

/// Counted as the list shows them: one whose refresh token has expired ends too, but nobody could use it.
const END_ALL: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'logout_all'
    WHERE user_id = ?2 AND ended_at IS NULL AND expires_at > ?1
    RETURNING id = ?3 OR EXISTS (
        SELECT 1 FROM refresh_tokens AS t
        WHERE t.session_id = sessions.id AND t.revoked_at IS NULL AND t.expires_at > ?1
    ) AS was_usable";

const END_OTHERS: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'password_changed'
    WHERE user_id = ?2 AND ended_at IS NULL AND id <> ?3
      AND EXISTS (SELECT 1 FROM users WHERE id = ?2 AND password_hash = ?4)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    OPEN_SESSION,
    FIRST_TOKEN,
    RESET_THROTTLE,
    END_OLDEST,
    RECORD_OLDEST,
    SELECT_LIVE,
    SELECT_OWNER,
    SIGN_OUT,
    END_ONE,
    END_ALL,
    END_OTHERS,
];

pub(in crate::store) fn first_token(session: &NewSession<'_>) -> Statement {
    let values = [
        session.token_id.as_str().into(),
        session.request.now.millis().into(),
        session.token_expires_at.millis().into(),
        session.id.get().into(),
    ];
    statement(FIRST_TOKEN, values)
}

/// Opens a session for a user who proved who they are. False if the account was disabled or erased, its password changed, or
/// guesses at it have begun a wait, since it was read: then nothing is opened.
///
/// # Errors
/// [`DbError`].
pub async fn open(store: &Store, user: &CredentialsRow, session: &NewSession<'_>) -> Result<bool, DbError> {
    let (request, user_id, now) = (session.request, user.id, session.request.now.millis());
    let [signed_in, refused] = [EventType::SignedIn, EventType::SignInRefused].map(|event| Event::of(event, user_id));
    let (id, max) = (session.id.get(), || Value::from(MAX_SESSIONS));
    let ip = request.peer.ip().as_deref().into();
    let (agent, request_id) = (request.peer.user_agent().into(), request.request_id.as_str().into());
    let [opened, ..] = store
        .batch([
            open_statement(user, session),
            record_outcome(request, signed_in.in_session(session.id), refused.because(Reason::Overtaken)),
            first_token(session),
            statement(RESET_THROTTLE, [user_id.get().into(), id.into()]),
            statement(RECORD_OLDEST, [now.into(), user_id.get().into(), max(), id.into(), ip, agent, request_id]),
            statement(END_OLDEST, [now.into(), user_id.get().into(), max(), id.into()]),
        ])
        .await?;
    Ok(!opened.all::<IdRow>()?.is_empty())
}

fn open_statement(user: &CredentialsRow, session: &NewSession<'_>) -> Statement {
    let values = [
        session.id.get().into(),
        session.request.now.millis().into(),
        session.expires_at.millis().into(),
        session.request.peer.ip().as_deref().into(),
        session.request.peer.user_agent().into(),
        user.id.get().into(),
        user.password_version.into(),
    ];
    statement(OPEN_SESSION, values)
}

/// The sessions of a user that can still be used, newest first; `current` also when its refresh token has
/// expired.
///
/// # Errors
/// [`DbError`].
pub async fn live(
    store: &Store,
    user_id: UserId,
    current: SessionId,
    now: Timestamp,
) -> Result<Vec<SessionRow>, DbError> {
    let values = [user_id.get().into(), now.millis().into(), current.get().into()];
    let [rows] = store.batch([statement(SELECT_LIVE, values)]).await?;
    rows.all()
}

/// The live sessions of somebody. Nothing, if there is no such user.
///
/// # Errors
/// [`DbError`].
pub async fn live_of(store: &Store, user_id: UserId, now: Timestamp) -> Result<Option<Vec<SessionRow>>, DbError> {
    let values = [user_id.get().into(), now.millis().into(), Value::Null];
    let present = statement(SELECT_OWNER, [user_id.get().into()]);
    let [rows, owners] = store.batch([statement(SELECT_LIVE, values), present]).await?;
    let is_there = !owners.all::<IdRow>()?.is_empty();
    Ok(is_there.then_some(rows.all()?))
}

/// Ends a session with its refresh token. False if it was over already, or never was.
///
/// # Errors
/// [`DbError`].
pub async fn sign_out(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    end(store, SIGN_OUT, EventType::SignedOut, user_id, session_id, request).await
}

/// Ends one session of a user by its id. False if they have no such live session.
///
/// # Errors
/// [`DbError`].
pub async fn end_one(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    end(store, END_ONE, EventType::SessionEnded, user_id, session_id, request).await
}

async fn end(
    store: &Store,
    sql: &'static str,
    event_type: EventType,
    user_id: UserId,
    session_id: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let end = statement(sql, [request.now.millis().into(), session_id.get().into(), user_id.get().into()]);
    let event = Event::of(event_type, user_id).in_session(session_id);
    let [rows, _] = store.batch([end, record_if_changed(request, event)]).await?;
    Ok(!rows.all::<IdRow>()?.is_empty())
}

#[derive(Deserialize)]
struct EndedRow {
    #[serde(deserialize_with = "boolean")]
    was_usable: bool,
}

/// Ends every session of a user; says how many there were.
///
/// # Errors
/// [`DbError`].
pub async fn end_all(
    store: &Store,
    user_id: UserId,
    current: SessionId,
    request: RequestInfo<'_>,
) -> Result<usize, DbError> {
    let end = statement(END_ALL, [request.now.millis().into(), user_id.get().into(), current.get().into()]);
    let event = Event::of(EventType::SessionsEnded, user_id);
    let [rows, _] = store.batch([end, record_if_changed(request, event)]).await?;
    Ok(rows.all::<EndedRow>()?.iter().filter(|row| row.was_usable).count())
}

/// Ends every session of a user but one, if the password is now the one with this hash.
pub(in crate::store) fn end_others(user_id: UserId, staying: SessionId, hash: &str, now: Timestamp) -> Statement {
    statement(END_OTHERS, [now.millis().into(), user_id.get().into(), staying.get().into(), hash.into()])
}
