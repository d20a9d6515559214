//! Rotation of refresh tokens: one batch, whose guards decide between exchange, retry and reuse.

use serde::Deserialize;

use crate::domain::ids::TokenId;
use crate::domain::session::token::TokenClaims;
use crate::domain::session::{PresentedToken, Rotation, RotationState, Successor};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, query};
use crate::store::audit::{self, RequestInfo, insert_event};
use crate::store::owned::Owned;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::{IdRow, Store, boolean};

/// The result of a refresh, from which the domain derives its outcome.
#[derive(Debug)]
pub struct RotationResult {
    /// The state after the batch; `None` if there is no such user.
    pub state: Option<RotationState>,
    /// True if this request ended the session for reuse.
    pub ended_session: bool,
}

/// Marks the presented token as exchanged, if that is allowed. Of concurrent refreshes, exactly one finds `revoked_at
/// IS NULL`.
const EXCHANGE_TOKEN: &str = "
    UPDATE refresh_tokens SET revoked_at = :now, successor_jti = :successor
    WHERE jti = :presented AND session_id = :session_id AND revoked_at IS NULL AND expires_at > :now
      AND EXISTS (
          SELECT 1 FROM sessions AS s JOIN users AS u ON u.id = s.user_id
          WHERE s.id = :session_id AND s.user_id = :user_id AND s.ended_at IS NULL AND s.expires_at > :now
            AND u.is_active = 1
      )";

/// Adds the successor if this request made the exchange: only then does the old token name it.
const ADD_SUCCESSOR: &str = "
    INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at)
    SELECT t.successor_jti, t.session_id, :now, min(:refresh_expires_at, s.expires_at)
    FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
    WHERE t.jti = :presented AND t.successor_jti = :successor";

/// Updates the last use of the session if this request made the exchange.
const UPDATE_LAST_USE: &str = "
    UPDATE sessions SET last_used_at = :now, ip = :ip, user_agent = :user_agent
    WHERE id = :session_id
      AND EXISTS (SELECT 1 FROM refresh_tokens WHERE jti = :presented AND successor_jti = :successor)";

/// Ends the session if the presented token was exchanged too long ago for a retry.
const END_FOR_REUSE: &str = "
    UPDATE sessions SET ended_at = :now, end_reason = 'reuse'
    WHERE id = :session_id AND user_id = :user_id AND ended_at IS NULL
      AND EXISTS (
          SELECT 1 FROM refresh_tokens AS t
          WHERE t.jti = :presented AND t.session_id = :session_id AND t.successor_jti <> :successor
            AND t.revoked_at <= :theft_cutoff
      )
    RETURNING id";

/// Must follow [`END_FOR_REUSE`], whose `changes()` it reads. The cases have the order of `domain::session::outcome`.
const RECORD: &str = insert_event! {
    type: "CASE WHEN changes() > 0 THEN 'reuse_detected'
                WHEN outcome IN ('rotated', 'retry') THEN 'refreshed'
                ELSE 'refresh_refused' END",
    reason: "CASE WHEN changes() > 0 OR outcome = 'rotated' THEN NULL ELSE outcome END",
    user_id: "user_id", session_id: ":session_id", actor_id: "NULL", university_id: "NULL",
    from: "FROM (
        SELECT u.id AS user_id,
               CASE WHEN u.is_active = 0 THEN 'disabled'
                    WHEN t.successor_jti = :successor THEN 'rotated'
                    WHEN t.revoked_at > :theft_cutoff AND s.ended_at IS NULL AND s.expires_at > :now
                         AND (SELECT expires_at FROM refresh_tokens WHERE jti = t.successor_jti) > :now THEN 'retry'
                    ELSE 'revoked' END AS outcome
        FROM users AS u
        LEFT JOIN sessions AS s ON s.id = :session_id AND s.user_id = u.id
        LEFT JOIN refresh_tokens AS t ON t.jti = :presented AND t.session_id = s.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NULL
    )",
};

const SELECT_STATE: &str = "
    SELECT u.is_active, t.revoked_at,
           (s.ended_at IS NOT NULL OR s.expires_at <= :now) AS session_is_over,
           s.expires_at AS session_expires_at,
           n.jti AS successor_jti, n.created_at AS successor_created_at, n.expires_at AS successor_expires_at
    FROM users AS u
    LEFT JOIN refresh_tokens AS t ON t.jti = :presented AND t.session_id = :session_id
    LEFT JOIN sessions AS s ON s.id = t.session_id AND s.user_id = u.id
    LEFT JOIN refresh_tokens AS n ON n.jti = t.successor_jti
    WHERE u.id = :user_id AND u.erasure_cursor IS NULL";

const ERASE: &str = "
    DELETE FROM refresh_tokens WHERE jti IN (
        SELECT t.jti FROM users AS u
        JOIN sessions AS s ON s.user_id = u.id
        JOIN refresh_tokens AS t ON t.session_id = s.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL ORDER BY s.ended_at, s.created_at LIMIT :step
    )";

const ADVANCE_WALK: &str = "
    UPDATE clean_up_positions
    SET previous = position, position = coalesce((
        SELECT max(jti) FROM (
            SELECT jti FROM refresh_tokens WHERE jti > clean_up_positions.position ORDER BY jti LIMIT :step
        )
    ), '')
    WHERE walk = 'refresh_tokens'
    RETURNING position";

/// Expired tokens, and tokens of sessions that are over. Exchanged tokens of live sessions stay until they expire, so
/// that the service detects their reuse.
const DELETE_OUTDATED: &str = "
    DELETE FROM refresh_tokens WHERE jti IN (
        SELECT t.jti
        FROM clean_up_positions AS p
        JOIN refresh_tokens AS t ON t.jti > p.previous AND t.jti <= p.position
        JOIN sessions AS s ON s.id = t.session_id
        WHERE p.walk = 'refresh_tokens' AND (t.expires_at <= :cutoff OR s.ended_at IS NOT NULL OR s.expires_at <= :cutoff)
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    EXCHANGE_TOKEN,
    ADD_SUCCESSOR,
    UPDATE_LAST_USE,
    END_FOR_REUSE,
    RECORD,
    SELECT_STATE,
    ERASE,
    ADVANCE_WALK,
    DELETE_OUTDATED,
];

/// Refresh tokens of a user's sessions. A session is deleted after its tokens, so the condition of `sessions` covers
/// them. The export shows only sessions, because only the id of a token is stored.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "refresh_tokens",
    erase: &[ERASE],
    remains: &[],
    export: None,
    walk: Some(Walk {
        table: "refresh_tokens",
        cutoff: Cutoff::Now,
        order: Order::ByKey { advance: ADVANCE_WALK, delete: DELETE_OUTDATED },
        max_steps: 150,
    }),
};

/// Exchanges a refresh token for its successor, or reads the reason for a refusal, in one round trip.
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
    let on = |sql: &'static str| query(sql).bind("presented", &presented.id);
    let [_, _, _, ended, _, state] = store
        .batch([
            on(EXCHANGE_TOKEN)
                .bind("successor", proposed)
                .bind("now", rotation.now)
                .bind("session_id", presented.session_id)
                .bind("user_id", presented.user_id),
            on(ADD_SUCCESSOR)
                .bind("successor", proposed)
                .bind("now", rotation.now)
                .bind("refresh_expires_at", rotation.refresh_expires_at),
            on(UPDATE_LAST_USE)
                .bind("successor", proposed)
                .bind("now", rotation.now)
                .bind("session_id", presented.session_id)
                .bind("ip", request.peer.ip().as_deref())
                .bind("user_agent", request.peer.user_agent()),
            on(END_FOR_REUSE)
                .bind("successor", proposed)
                .bind("now", rotation.now)
                .bind("session_id", presented.session_id)
                .bind("user_id", presented.user_id)
                .bind("theft_cutoff", rotation.theft_cutoff),
            audit::insert(RECORD, request)
                .bind("presented", &presented.id)
                .bind("successor", proposed)
                .bind("session_id", presented.session_id)
                .bind("user_id", presented.user_id)
                .bind("theft_cutoff", rotation.theft_cutoff),
            on(SELECT_STATE)
                .bind("now", rotation.now)
                .bind("session_id", presented.session_id)
                .bind("user_id", presented.user_id),
        ])
        .await?;
    Ok(RotationResult {
        state: state.first::<RotationStateRow>()?.map(RotationState::from),
        ended_session: !ended.all::<IdRow>()?.is_empty(),
    })
}

/// One row of [`SELECT_STATE`]. Columns of the token and the session are NULL if their rows do not exist.
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
