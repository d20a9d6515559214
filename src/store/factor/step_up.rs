//! Step-up: a fresh access token of the same session.

use serde::Deserialize;

use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::factor::usage::{self, Evidence, is_marked};
use crate::store::mail::proofs::{self, PresentedProof};
use crate::store::password::confirmation::{Confirmation, is_confirmed};
use crate::store::session::token_inputs::TokenInputs;
use crate::store::{IdRow, Store};

macro_rules! select_session {
    ($condition:expr) => {
        concat!(
            "SELECT s.expires_at, ",
            $crate::store::session::token_inputs::token_inputs!(":user_id"),
            " FROM sessions AS s WHERE s.id = :session_id AND s.user_id = :user_id AND s.expires_at > :now AND ",
            $condition
        )
    };
}
pub(in crate::store) use select_session;

const SELECT_SESSION: &str = select_session!("TRUE");
const SELECT_MARKED_SESSION: &str = select_session!(is_marked!());
const SELECT_CONFIRMED_SESSION: &str = select_session!(is_confirmed!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_SESSION, SELECT_MARKED_SESSION, SELECT_CONFIRMED_SESSION];

/// A live session, with the inputs of an access token.
#[allow(missing_docs, reason = "the names say it")]
pub struct LiveSession {
    pub expires_at: Timestamp,
    pub inputs: TokenInputs,
}

#[derive(Deserialize)]
struct SessionRow {
    expires_at: Timestamp,
}

/// Reads the columns of the session.
pub(in crate::store) fn read_session(rows: &Rows) -> Result<Option<LiveSession>, DbError> {
    let row: Option<SessionRow> = rows.first()?;
    Ok(row.zip(TokenInputs::read(rows)?).map(|(row, inputs)| LiveSession { expires_at: row.expires_at, inputs }))
}

fn select(sql: &'static str, user_id: UserId, session_id: SessionId, max_roles: i64, now: Timestamp) -> Statement {
    query(sql).bind("user_id", user_id).bind("session_id", session_id).bind("max_roles", max_roles).bind("now", now)
}

/// Checks again that a verified password still holds, resets the failures of re-authentication, and reads the session. Returns
/// `None` if the password was changed, a wait has begun, or the session has ended.
///
/// # Errors
/// [`DbError`].
pub async fn confirm_password(
    store: &Store,
    confirmation: Confirmation,
    max_roles: i64,
    request: RequestInfo<'_>,
) -> Result<Option<LiveSession>, DbError> {
    let select = confirmation.of(SELECT_CONFIRMED_SESSION, request).bind("max_roles", max_roles);
    let statements = [confirmation.count_unconfirmed(request), confirmation.reset(request), select];
    let [_, _, rows] = store.batch(statements).await?;
    read_session(&rows)
}

/// The outcome of a mailed code.
pub enum CodeOutcome {
    /// The code is used up.
    Used(Box<LiveSession>),
    /// The code is no valid one of this user, or was used concurrently.
    NoCode,
    /// The code is used up, and the session has ended concurrently.
    NoSession,
}

/// Uses a mailed code up, and reads the session.
///
/// # Errors
/// [`DbError`].
pub async fn use_code(
    store: &Store,
    proof: PresentedProof,
    user_id: UserId,
    session_id: SessionId,
    max_roles: i64,
    now: Timestamp,
) -> Result<CodeOutcome, DbError> {
    let use_up = proofs::use_up(proof, user_id, now);
    let [used, rows] = store.batch([use_up, select(SELECT_SESSION, user_id, session_id, max_roles, now)]).await?;
    Ok(match (used.all::<IdRow>()?.is_empty(), read_session(&rows)?) {
        (true, _) => CodeOutcome::NoCode,
        (false, None) => CodeOutcome::NoSession,
        (false, Some(session)) => CodeOutcome::Used(Box::new(session)),
    })
}

/// Uses a factor up, and reads the session. Returns `None`, and changes nothing, if the session has ended or the factor does
/// not hold any more.
///
/// # Errors
/// [`DbError`].
pub async fn use_factor(
    store: &Store,
    evidence: Evidence<'_>,
    session_id: SessionId,
    max_roles: i64,
    request: RequestInfo<'_>,
) -> Result<Option<LiveSession>, DbError> {
    let select = select(SELECT_MARKED_SESSION, evidence.user_id, session_id, max_roles, request.now);
    let select = usage::bind_marked(select, evidence.challenge, request);
    let [use_up, reset] = usage::use_up(evidence, request);
    let [_, _, _, rows] = store.batch([usage::mark(evidence, request), use_up, reset, select]).await?;
    read_session(&rows)
}
