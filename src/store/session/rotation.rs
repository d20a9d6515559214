//! Rotation of refresh tokens: one guarded UPDATE of the session's row. Refusals are written by a second batch.

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::TokenId;
use crate::domain::session::methods::AuthMethods;
use crate::domain::session::token::TokenClaims;
use crate::domain::session::{RecordedToken, Rotation, RotationState, SessionState};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::audit::{Event, RequestInfo, is_done, record_outcome, recorded, refusals};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::read::Read;
use crate::store::session::token_inputs::{TokenInputs, token_inputs};
use crate::store::{Store, boolean};

/// Exchanges the presented token, if it is the current one. Of concurrent refreshes, exactly one finds it so.
///
/// No index contains a column that changes here, so D1 counts one written row.
const EXCHANGE_TOKEN: &str = "
    UPDATE sessions
    SET previous_refresh_id = refresh_id, refresh_id = :successor,
        refresh_expires_at = min(:refresh_expires_at, expires_at),
        last_used_at = :now, ip = :ip, user_agent = :user_agent
    WHERE id = :session_id AND user_id = :user_id AND refresh_id = :presented
      AND refresh_expires_at > :now AND expires_at > :now
      AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 1)";

const SELECT_STATE: &str = concat!(
    "SELECT u.is_active, s.created_at, s.method, s.expires_at, s.refresh_id, s.last_used_at, s.refresh_expires_at,
            s.previous_refresh_id, ",
    token_inputs!(":user_id"),
    " FROM users AS u LEFT JOIN sessions AS s ON s.id = :session_id AND s.user_id = u.id
      WHERE u.id = :user_id AND u.erasure_cursor IS NULL"
);

fn select_state(presented: &TokenClaims, max_roles: i64) -> Statement {
    query(SELECT_STATE)
        .bind("session_id", presented.session_id)
        .bind("user_id", presented.user_id)
        .bind("max_roles", max_roles)
}

/// An exchanged token never becomes the current one again, so the state that was read before still holds.
const END_FOR_REUSE: &str = "
    DELETE FROM sessions WHERE id = :session_id AND user_id = :user_id AND refresh_id <> :presented RETURNING id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[EXCHANGE_TOKEN, SELECT_STATE, END_FOR_REUSE];

/// Exchanges a refresh token for its successor in one round trip, and returns the state afterwards; `None` if there is
/// no such user.
///
/// # Errors
/// [`DbError`]. If it is a failure of the database, the exchange may have been carried out nevertheless.
pub async fn rotate(
    store: &Store,
    presented: &TokenClaims,
    proposed: &TokenId,
    rotation: &Rotation,
    max_roles: i64,
    request: RequestInfo<'_>,
) -> Result<Option<(RotationState, TokenInputs)>, DbError> {
    let exchange = query(EXCHANGE_TOKEN)
        .bind("successor", proposed)
        .bind("refresh_expires_at", rotation.refresh_expires_at)
        .bind("now", rotation.now)
        .bind("ip", request.peer.ip().as_deref())
        .bind("user_agent", request.peer.user_agent())
        .bind("session_id", presented.session_id)
        .bind("user_id", presented.user_id)
        .bind("presented", &presented.id);
    let [_, state] = store.batch([exchange, select_state(presented, max_roles)]).await?;
    let inputs = TokenInputs::read(&state)?;
    Ok(state.first::<RotationStateRow>()?.map(RotationState::from).zip(inputs))
}

/// Reads the state of a session, without exchanging the token.
#[must_use]
pub fn state(presented: &TokenClaims) -> Read<Option<RotationState>> {
    Read::of(select_state(presented, 0), |rows| Ok(rows.first::<RotationStateRow>()?.map(RotationState::from)))
}

/// Ends the session of a reused token. `None` if it had ended concurrently; otherwise perhaps the notice.
///
/// # Errors
/// [`DbError`].
pub async fn end_for_reuse(
    store: &Store,
    presented: &TokenClaims,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<Option<QueuedMail>>, DbError> {
    let end = query(END_FOR_REUSE)
        .bind("session_id", presented.session_id)
        .bind("user_id", presented.user_id)
        .bind("presented", &presented.id);
    let [detected, refused] = [EventType::ReuseDetected, EventType::RefreshRefused]
        .map(|event_type| Event::of(event_type, presented.user_id).in_session(presented.session_id));
    let [record, count] = record_outcome(request, detected, refused.because(Reason::Revoked));
    let mut statements = vec![end, record, count, recorded(request, EventType::ReuseDetected)];
    statements.extend(event_notice(notice, presented.user_id, EventType::ReuseDetected, request));
    let results = store.batch_of(statements).await?;
    let [ended, _, _, recorded, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    Ok(is_done(ended, recorded)?.then_some(mail))
}

/// Records that a token was refused without consequence for its session.
///
/// # Errors
/// [`DbError`].
pub async fn record_refusal(
    store: &Store,
    presented: &TokenClaims,
    reason: Reason,
    request: RequestInfo<'_>,
) -> Result<(), DbError> {
    let event = Event::of(EventType::RefreshRefused, presented.user_id).in_session(presented.session_id);
    let [_] = store.batch([refusals::count(request, event.because(reason))]).await?;
    Ok(())
}

/// One row of [`SELECT_STATE`]. Columns of the session are NULL if it has ended.
#[derive(Deserialize)]
struct RotationStateRow {
    #[serde(deserialize_with = "boolean")]
    is_active: bool,
    created_at: Option<Timestamp>,
    method: Option<String>,
    expires_at: Option<Timestamp>,
    refresh_id: Option<TokenId>,
    last_used_at: Option<Timestamp>,
    refresh_expires_at: Option<Timestamp>,
    previous_refresh_id: Option<TokenId>,
}

impl From<RotationStateRow> for RotationState {
    fn from(row: RotationStateRow) -> Self {
        let current = match (row.refresh_id, row.last_used_at, row.refresh_expires_at) {
            (Some(id), Some(issued_at), Some(expires_at)) => Some(RecordedToken { id, issued_at, expires_at }),
            _ => None,
        };
        let times = row.created_at.zip(row.expires_at);
        let session = times.zip(current).map(|((signed_in_at, expires_at), current)| SessionState {
            signed_in_at,
            methods: AuthMethods::of_text(row.method.as_deref()),
            expires_at,
            current,
            previous_id: row.previous_refresh_id,
        });
        Self { user_is_active: row.is_active, session }
    }
}
