//! Sessions and their refresh tokens: opening, rotating, ending.
//!
//! D1 has no interactive transactions, but a batch is atomic and batches are serialized. So every
//! statement that must only run if an earlier one of its batch did something carries the same guard.

use serde::Deserialize;

use super::{Store, boolean, statement};
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::session::{Aftermath, PresentedToken, Rotation, Successor};
use crate::domain::time::Timestamp;
use crate::domain::token::TokenClaims;
use crate::ports::{DbError, Statement, Value};

/// A session to be opened, with its first refresh token.
pub struct NewSession<'a> {
    /// Its id, drawn at random.
    pub id: SessionId,
    /// The moment of the request.
    pub now: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// The id of the first refresh token.
    pub token_id: &'a TokenId,
    /// When that token expires.
    pub token_expires_at: Timestamp,
}

impl NewSession<'_> {
    pub(super) fn values(&self) -> [Value; 3] {
        [self.id.get().into(), self.now.millis().into(), self.expires_at.millis().into()]
    }
}

/// A password hash to be replaced by a stronger one of the same password.
pub struct HashUpgrade<'a> {
    /// What was read.
    pub old: &'a str,
    /// What takes its place.
    pub new: &'a str,
}

/// What a refresh did, and whether it ended the session for theft.
#[derive(Debug)]
pub struct RotationOutcome {
    /// What the database says now; nothing if there is no such user.
    pub aftermath: Option<Aftermath>,
    /// Did this very request end the session?
    pub ended_session: bool,
}

const OPEN_SESSION: &str = "
    INSERT INTO sessions (id, user_id, created_at, expires_at)
    SELECT ?1, id, ?2, ?3 FROM users WHERE id = ?4 AND is_active = 1
    RETURNING id";

const FIRST_TOKEN: &str = "
    INSERT INTO refresh_tokens (jti, session_id, user_id, created_at, expires_at)
    SELECT ?1, id, user_id, ?2, ?3 FROM sessions WHERE id = ?4";

const UPGRADE_HASH: &str = "UPDATE users SET password_hash = ?1 WHERE id = ?2 AND password_hash = ?3 AND is_active = 1";

/// Marks the presented token as exchanged, if it can be. Of any number of parallel refreshes one finds
/// `revoked_at IS NULL`.
const EXCHANGE_TOKEN: &str = "
    UPDATE refresh_tokens SET revoked_at = ?1, successor_jti = ?2
    WHERE jti = ?3 AND session_id = ?4 AND user_id = ?5 AND revoked_at IS NULL AND expires_at > ?1
      AND EXISTS (
          SELECT 1 FROM sessions AS s JOIN users AS u ON u.id = s.user_id
          WHERE s.id = ?4 AND s.ended_at IS NULL AND s.expires_at > ?1 AND u.is_active = 1
      )";

/// Adds the successor, if the exchange was this request's: only then does the old token name it.
const ADD_SUCCESSOR: &str = "
    INSERT INTO refresh_tokens (jti, session_id, user_id, created_at, expires_at)
    SELECT t.successor_jti, t.session_id, t.user_id, ?1, min(?2, s.expires_at)
    FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
    WHERE t.jti = ?3 AND t.successor_jti = ?4";

/// Ends the session, if the presented token was exchanged longer ago than a retry takes.
const END_FOR_REUSE: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'reuse'
    WHERE id = ?2 AND user_id = ?3 AND ended_at IS NULL
      AND EXISTS (
          SELECT 1 FROM refresh_tokens AS t
          WHERE t.jti = ?4 AND t.session_id = ?2 AND t.successor_jti <> ?5 AND t.revoked_at <= ?6
      )
    RETURNING id";

const SELECT_AFTERMATH: &str = "
    SELECT u.is_active, t.revoked_at,
           (s.ended_at IS NOT NULL OR s.expires_at <= ?4) AS session_is_over,
           s.expires_at AS session_expires_at,
           n.jti AS successor_jti, n.created_at AS successor_created_at, n.expires_at AS successor_expires_at
    FROM users AS u
    LEFT JOIN refresh_tokens AS t ON t.jti = ?2 AND t.session_id = ?3 AND t.user_id = u.id
    LEFT JOIN sessions AS s ON s.id = t.session_id
    LEFT JOIN refresh_tokens AS n ON n.jti = t.successor_jti
    WHERE u.id = ?1";

const END_SESSION: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'logout'
    WHERE id = ?2 AND user_id = ?3 AND ended_at IS NULL
    RETURNING id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    OPEN_SESSION,
    FIRST_TOKEN,
    UPGRADE_HASH,
    EXCHANGE_TOKEN,
    ADD_SUCCESSOR,
    END_FOR_REUSE,
    SELECT_AFTERMATH,
    END_SESSION,
];

pub(super) fn first_token(session: &NewSession<'_>) -> Statement {
    let values = [
        session.token_id.as_str().into(),
        session.now.millis().into(),
        session.token_expires_at.millis().into(),
        session.id.get().into(),
    ];
    statement(FIRST_TOKEN, values)
}

/// Opens a session for a user who proved who they are, and upgrades the stored hash on the way.
/// False if the account was disabled or erased since it was read: then nothing is opened.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    user_id: UserId,
    session: &NewSession<'_>,
    upgrade: Option<HashUpgrade<'_>>,
) -> Result<bool, DbError> {
    let [id, created_at, expires_at] = session.values();
    let open = statement(OPEN_SESSION, [id, created_at, expires_at, user_id.get().into()]);
    let first_token = first_token(session);
    let opened = match upgrade {
        None => {
            let [opened, _] = store.batch([open, first_token]).await?;
            opened
        }
        Some(HashUpgrade { old, new }) => {
            let upgrade = statement(UPGRADE_HASH, [new.into(), user_id.get().into(), old.into()]);
            let [opened, _, _] = store.batch([open, first_token, upgrade]).await?;
            opened
        }
    };
    Ok(!opened.all::<IdRow>()?.is_empty())
}

/// Exchanges a refresh token for its successor, or finds out why not: one batch, one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn rotate(
    store: &Store,
    presented: &TokenClaims,
    proposed: &TokenId,
    rotation: &Rotation,
) -> Result<RotationOutcome, DbError> {
    let now: Value = rotation.now.millis().into();
    let jti: Value = presented.id.as_str().into();
    let session: Value = presented.session_id.get().into();
    let user: Value = presented.user_id.get().into();
    let next: Value = proposed.as_str().into();
    let expires_at: Value = rotation.refresh_expires_at.millis().into();
    let cutoff: Value = rotation.theft_cutoff.millis().into();
    let [_, _, ended, aftermath] = store
        .batch([
            statement(EXCHANGE_TOKEN, [now.clone(), next.clone(), jti.clone(), session.clone(), user.clone()]),
            statement(ADD_SUCCESSOR, [now.clone(), expires_at, jti.clone(), next.clone()]),
            statement(END_FOR_REUSE, [now.clone(), session.clone(), user.clone(), jti.clone(), next, cutoff]),
            statement(SELECT_AFTERMATH, [user, jti, session, now]),
        ])
        .await?;
    Ok(RotationOutcome {
        aftermath: aftermath.first::<AftermathRow>()?.map(Aftermath::from),
        ended_session: !ended.all::<IdRow>()?.is_empty(),
    })
}

/// Ends a session on its owner's wish. False if it was over already, or never was.
///
/// # Errors
/// [`DbError`].
pub async fn end(store: &Store, user_id: UserId, session_id: SessionId, now: Timestamp) -> Result<bool, DbError> {
    let values = [now.millis().into(), session_id.get().into(), user_id.get().into()];
    let [rows] = store.batch([statement(END_SESSION, values)]).await?;
    Ok(!rows.all::<IdRow>()?.is_empty())
}

#[derive(Deserialize)]
struct IdRow {
    #[serde(rename = "id")]
    _id: i64,
}

/// One row of [`SELECT_AFTERMATH`]: the user always, the rest if it is still on file.
#[derive(Deserialize)]
struct AftermathRow {
    #[serde(deserialize_with = "boolean")]
    is_active: bool,
    revoked_at: Option<Timestamp>,
    session_is_over: Option<i64>,
    session_expires_at: Option<Timestamp>,
    successor_jti: Option<TokenId>,
    successor_created_at: Option<Timestamp>,
    successor_expires_at: Option<Timestamp>,
}

impl From<AftermathRow> for Aftermath {
    fn from(row: AftermathRow) -> Self {
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
