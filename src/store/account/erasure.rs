//! The end of an account: everything personal goes, a bounded number of rows at a time.
//!
//! A user may have hundreds of thousands of tokens and events. To delete them in one statement would hold the
//! database up for everybody, and somebody could do that on purpose. So the user's row loses everything
//! personal at once, which ends every session and frees the address; what points to it follows in steps: the
//! first with the erasure itself, which is enough for nearly everybody, further ones by the clean-up. The row
//! itself goes last.

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::UserId;
use crate::ports::{DbError, Statement};
use crate::store::audit::{Event, RequestInfo, record_if_changed, record_outcome};
use crate::store::authz::grants::nobody_else_administers;
use crate::store::password::credentials::CredentialsRow;
use crate::store::{IdRow, Store, statement};

/// Rows of each table in one step.
const STEP: i64 = 1000;
/// Statements of one step.
pub const STATEMENTS_PER_STEP: u32 = 8;

/// With a password version (?2): only if it is still that one, and may be used. Whoever is the only active
/// administrator of something stays; who is disabled is none. No address parses to the new one.
const ERASE_USER: &str = concat!(
    "UPDATE users
     SET email = 'erased:' || id, password_hash = '', full_name = NULL, is_active = 0, erasure_cursor = 0,
         password_version = password_version + 1, failed_sign_ins = 0, blocked_until = 0
     WHERE id = ?1 AND erasure_cursor IS NULL
       AND (?2 IS NULL OR (password_version = ?2 AND is_active = 1 AND proofs_blocked_until <= ?3))
       AND (is_active = 0 OR NOT EXISTS (
           SELECT 1 FROM user_university_roles AS g
           WHERE g.user_id = ?1 AND g.role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') AND ",
    nobody_else_administers!(),
    "))
     RETURNING id"
);

/// Asked after [`ERASE_USER`], if that did nothing: does the user hold back because they alone administer something?
const SELECT_SOLE_ADMINISTRATOR: &str = concat!(
    "SELECT g.id FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
     WHERE g.user_id = ?1 AND u.is_active = 1 AND g.role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') AND ",
    nobody_else_administers!(),
    " LIMIT 1"
);

/// At most as many as one user may have.
const DELETE_ROLES: &str = "
    DELETE FROM user_university_roles
    WHERE user_id = (SELECT id FROM users WHERE id = ?1 AND erasure_cursor IS NOT NULL)";

const DELETE_ENROLLMENTS: &str = "
    DELETE FROM enrollments WHERE id IN (
        SELECT e.id FROM users AS u JOIN enrollments AS e ON e.user_id = u.id
        WHERE u.id = ?1 AND u.erasure_cursor IS NOT NULL LIMIT ?2
    )";

const DELETE_TOKENS: &str = "
    DELETE FROM refresh_tokens WHERE jti IN (
        SELECT t.jti FROM users AS u
        JOIN sessions AS s ON s.user_id = u.id
        JOIN refresh_tokens AS t ON t.session_id = s.id
        WHERE u.id = ?1 AND u.erasure_cursor IS NOT NULL ORDER BY s.ended_at, s.created_at LIMIT ?2
    )";

const DELETE_SESSIONS: &str = "
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM (
            SELECT s.id FROM users AS u JOIN sessions AS s ON s.user_id = u.id
            WHERE u.id = ?1 AND u.erasure_cursor IS NOT NULL ORDER BY s.ended_at, s.created_at LIMIT ?2
        ) AS first
        WHERE NOT EXISTS (SELECT 1 FROM refresh_tokens AS t WHERE t.session_id = first.id)
    )";

const STRIP_EVENTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '' WHERE id IN (
        SELECT e.id FROM users AS u JOIN audit_events AS e ON e.user_id = u.id AND e.id > u.erasure_cursor
        WHERE u.id = ?1 ORDER BY e.id LIMIT ?2
    )";

/// What the user did to others, as an administrator.
const STRIP_ACTS: &str = "
    UPDATE audit_events SET ip = NULL, user_agent = NULL, request_id = '' WHERE id IN (
        SELECT e.id FROM users AS u JOIN audit_events AS e ON e.actor_id = u.id AND e.request_id <> ''
        WHERE u.id = ?1 AND u.erasure_cursor IS NOT NULL LIMIT ?2
    )";

const ADVANCE: &str = "
    UPDATE users SET erasure_cursor = coalesce((
        SELECT max(id) FROM (
            SELECT e.id FROM audit_events AS e
            WHERE e.user_id = users.id AND e.id > users.erasure_cursor ORDER BY e.id LIMIT ?2
        )
    ), erasure_cursor)
    WHERE id = ?1 AND erasure_cursor IS NOT NULL";

const DELETE_USER: &str = "
    DELETE FROM users
    WHERE id = ?1 AND erasure_cursor IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM user_university_roles AS g WHERE g.user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = users.id)
      AND NOT EXISTS (SELECT 1 FROM audit_events AS e WHERE e.user_id = users.id AND e.id > users.erasure_cursor)
      AND NOT EXISTS (SELECT 1 FROM audit_events AS e WHERE e.actor_id = users.id AND e.request_id <> '')
    RETURNING id";

const SELECT_ERASED: &str = "SELECT id FROM users WHERE erasure_cursor IS NOT NULL ORDER BY id LIMIT ?1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    ERASE_USER,
    SELECT_SOLE_ADMINISTRATOR,
    DELETE_ROLES,
    DELETE_ENROLLMENTS,
    DELETE_TOKENS,
    DELETE_SESSIONS,
    STRIP_EVENTS,
    STRIP_ACTS,
    ADVANCE,
    DELETE_USER,
    SELECT_ERASED,
];

/// How an erasure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureOutcome {
    /// The account is gone.
    Erased,
    /// They alone administer something.
    SoleAdministrator,
    /// The proof no longer holds, or there is no such user.
    Nothing,
}

/// Who wants a user to be erased.
#[derive(Clone, Copy)]
pub enum ErasedBy<'a> {
    /// The user, who proved their password.
    Owner(&'a CredentialsRow),
    /// An administrator.
    Administrator(UserId),
}

/// Erases a user.
///
/// # Errors
/// [`DbError`].
pub async fn erase(
    store: &Store,
    user_id: UserId,
    by: ErasedBy<'_>,
    request: RequestInfo<'_>,
) -> Result<ErasureOutcome, DbError> {
    let (version, event) = match by {
        ErasedBy::Owner(proven) => (Some(proven.password_version), Event::of(EventType::Deleted, user_id)),
        ErasedBy::Administrator(actor) => (None, Event::of(EventType::Deleted, user_id).by(actor)),
    };
    let values = [user_id.get().into(), version.into(), request.now.millis().into()];
    let refused = Event::of(EventType::DeletionRefused, user_id).because(Reason::Overtaken);
    let recorded = match by {
        ErasedBy::Owner(_) => record_outcome(request, event, refused),
        ErasedBy::Administrator(_) => record_if_changed(request, event),
    };
    let sole = statement(SELECT_SOLE_ADMINISTRATOR, [user_id.get().into()]);
    let mut statements = vec![statement(ERASE_USER, values), recorded, sole];
    statements.extend(step_statements(user_id));
    let results = store.batch_of(statements).await?;
    let [erased, _, sole, ..] = results.as_slice() else {
        return Err(DbError::Corrupt("lost results".to_owned()));
    };
    Ok(match (erased.all::<IdRow>()?.is_empty(), sole.all::<IdRow>()?.is_empty()) {
        (false, _) => ErasureOutcome::Erased,
        (true, false) => ErasureOutcome::SoleAdministrator,
        (true, true) => ErasureOutcome::Nothing,
    })
}

#[derive(Deserialize)]
struct ErasedRow {
    id: UserId,
}

/// Erased users of whom something is left.
///
/// # Errors
/// [`DbError`].
pub async fn unfinished(store: &Store, limit: i64) -> Result<Vec<UserId>, DbError> {
    let [rows] = store.batch([statement(SELECT_ERASED, [limit.into()])]).await?;
    Ok(rows.all::<ErasedRow>()?.into_iter().map(|row| row.id).collect())
}

/// One more step. True if nothing is left of the user now.
///
/// # Errors
/// [`DbError`].
pub async fn step(store: &Store, user_id: UserId) -> Result<bool, DbError> {
    let [.., deleted] = store.batch(step_statements(user_id)).await?;
    Ok(!deleted.all::<IdRow>()?.is_empty())
}

fn step_statements(user_id: UserId) -> [Statement; STATEMENTS_PER_STEP as usize] {
    let id = user_id.get();
    [
        statement(DELETE_ROLES, [id.into()]),
        statement(DELETE_ENROLLMENTS, [id.into(), STEP.into()]),
        statement(DELETE_TOKENS, [id.into(), STEP.into()]),
        statement(DELETE_SESSIONS, [id.into(), STEP.into()]),
        statement(STRIP_EVENTS, [id.into(), STEP.into()]),
        statement(STRIP_ACTS, [id.into(), STEP.into()]),
        statement(ADVANCE, [id.into(), STEP.into()]),
        statement(DELETE_USER, [id.into()]),
    ]
}
