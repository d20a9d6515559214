//! How the refresh tokens of a session replace each other: one batch, in which the guards decide.

use serde::Deserialize;

use crate::domain::ids::TokenId;
use crate::domain::session::token::TokenClaims;
use crate::domain::session::{PresentedToken, Rotation, RotationState, Successor};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Value};
use crate::store::audit::RequestInfo;
use crate::store::{IdRow, Store, boolean, statement};

/// What a refresh did, and whether it ended the session for theft.
#[derive(Debug)]
pub struct RotationResult {
    /// What the database says now; nothing if there is no such user.
    pub state: Option<RotationState>,
    /// Did this very request end the session?
    pub ended_session: bool,
}

/// Marks the presented token as exchanged, if it can be. Of any number of parallel refreshes one finds
/// `revoked_at IS NULL`.
const EXCHANGE_TOKEN: &str = "
    UPDATE refresh_tokens SET revoked_at = ?1, successor_jti = ?2
    WHERE jti = ?3 AND session_id = ?4 AND revoked_at IS NULL AND expires_at > ?1
      AND EXISTS (
          SELECT 1 FROM sessions AS s JOIN users AS u ON u.id = s.user_id
          WHERE s.id = ?4 AND s.user_id = ?5 AND s.ended_at IS NULL AND s.expires_at > ?1 AND u.is_active = 1
      )";

/// Adds the successor, if the exchange was this request's: only then does the old token name it.
const ADD_SUCCESSOR: &str = "
    INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at)
    SELECT t.successor_jti, t.session_id, ?1, min(?2, s.expires_at)
    FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
    WHERE t.jti = ?3 AND t.successor_jti = ?4";

/// Notes from where the session is used, if the exchange was this request's.
const NOTE_USE: &str = "
    UPDATE sessions SET last_used_at = ?1, ip = ?2, user_agent = ?3
    WHERE id = ?4 AND EXISTS (SELECT 1 FROM refresh_tokens WHERE jti = ?5 AND successor_jti = ?6)";

/// Ends the session, if the presented token was exchanged longer ago than a retry takes.
const END_FOR_REUSE: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'reuse'
    WHERE id = ?2 AND user_id = ?3 AND ended_at IS NULL
      AND EXISTS (
          SELECT 1 FROM refresh_tokens AS t
          WHERE t.jti = ?4 AND t.session_id = ?2 AND t.successor_jti <> ?5 AND t.revoked_at <= ?6
      )
    RETURNING id";

/// Stands right behind [`END_FOR_REUSE`], whose changes it asks for. The cases are those of
/// `domain::session::outcome`, in its order.
const RECORD: &str = "
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    SELECT ?1,
           CASE WHEN changes() > 0 THEN 'reuse_detected'
                WHEN outcome IN ('rotated', 'retry') THEN 'refreshed'
                ELSE 'refresh_refused' END,
           CASE WHEN changes() > 0 OR outcome = 'rotated' THEN NULL ELSE outcome END,
           user_id, ?2, ?3, ?4, ?5
    FROM (
        SELECT u.id AS user_id,
               CASE WHEN u.is_active = 0 THEN 'disabled'
                    WHEN t.successor_jti = ?6 THEN 'rotated'
                    WHEN t.revoked_at > ?7 AND s.ended_at IS NULL AND s.expires_at > ?1 AND n.expires_at > ?1 THEN 'retry'
                    ELSE 'revoked' END AS outcome
        FROM users AS u
        LEFT JOIN sessions AS s ON s.id = ?2 AND s.user_id = u.id
        LEFT JOIN refresh_tokens AS t ON t.jti = ?8 AND t.session_id = s.id
        LEFT JOIN refresh_tokens AS n ON n.jti = t.successor_jti
        WHERE u.id = ?9 AND u.erasure_cursor IS NULL
    )";

const SELECT_STATE: &str = "
    SELECT u.is_active, t.revoked_at,
           (s.ended_at IS NOT NULL OR s.expires_at <= ?4) AS session_is_over,
           s.expires_at AS session_expires_at,
           n.jti AS successor_jti, n.created_at AS successor_created_at, n.expires_at AS successor_expires_at
    FROM users AS u
    LEFT JOIN refresh_tokens AS t ON t.jti = ?2 AND t.session_id = ?3
    LEFT JOIN sessions AS s ON s.id = t.session_id AND s.user_id = u.id
    LEFT JOIN refresh_tokens AS n ON n.jti = t.successor_jti
    WHERE u.id = ?1 AND u.erasure_cursor IS NULL";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[EXCHANGE_TOKEN, ADD_SUCCESSOR, NOTE_USE, END_FOR_REUSE, RECORD, SELECT_STATE];

/// Exchanges a refresh token for its successor, or finds out why not: one batch, one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn rotate(
    store: &Store,
    presented: &TokenClaims,
    proposed: &TokenId,
    rotation: &Rotation,
    request: RequestInfo<'_>,
) -> Result<RotationResult, DbError> {
    let now = || Value::from(rotation.now.millis());
    let jti = || Value::from(presented.id.as_str());
    let session = || Value::from(presented.session_id.get());
    let user = || Value::from(presented.user_id.get());
    let next = || Value::from(proposed.as_str());
    let cutoff = || Value::from(rotation.theft_cutoff.millis());
    let ip = || Value::from(request.peer.ip().as_deref());
    let agent = || Value::from(request.peer.user_agent());
    let expires_at = rotation.refresh_expires_at.millis().into();
    let request_id = request.request_id.as_str().into();
    let [_, _, _, ended, _, state] = store
        .batch([
            statement(EXCHANGE_TOKEN, [now(), next(), jti(), session(), user()]),
            statement(ADD_SUCCESSOR, [now(), expires_at, jti(), next()]),
            statement(NOTE_USE, [now(), ip(), agent(), session(), jti(), next()]),
            statement(END_FOR_REUSE, [now(), session(), user(), jti(), next(), cutoff()]),
            statement(RECORD, [now(), session(), ip(), agent(), request_id, next(), cutoff(), jti(), user()]),
            statement(SELECT_STATE, [user(), jti(), session(), now()]),
        ])
        .await?;
    Ok(RotationResult {
        state: state.first::<RotationStateRow>()?.map(RotationState::from),
        ended_session: !ended.all::<IdRow>()?.is_empty(),
    })
}

/// One row of [`SELECT_STATE`]: the user always, the rest if it is still on file.
#[derive(Deserialize)]
struct RotationStateRow {
    #[serde(deserialize_with = "boolean")]
    is_active: bool,
    revoked_at: Option<Timestamp>,
    session_is_over: Option<i64>,
    session_expires_at: Option<Timestamp>,
    successor_jti: Option<TokenId>,
    successor_created_at: Option<Timestamp>,
    successor_expires_at: Option<Timestamp>,
}

impl From<RotationStateRow> for RotationState {
    fn from(row: RotationStateRow) -> Self {
        let successor = match (row.successor_jti, row.successor_created_at, row.successor_expires_at) {
            (Some(id), Some(issued_at), Some(expires_at)) => Some(Successor { id, issued_at, expires_at }),
            _ => None,
        };
        let token = row.session_expires_at.map(|session_expires_at| PresentedToken {
            session_is_over: row.session_is_over == Some(1),
            session_expires_at,
            rotated_at: row.revoked_at,
            successor,
        });
        Self { user_is_active: row.is_active, token }
    }
}
