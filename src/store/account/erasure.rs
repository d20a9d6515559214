//! The erasure of an account: removes everything personal, a bounded number of rows at a time.
//!
//! A user may have hundreds of thousands of tokens and events. One statement that deletes them would hold up the
//! database for every other request, and an attacker could provoke that. So the user's row loses everything personal
//! at once, which ends every session and frees the address. The rows that refer to it follow in steps: the first in the
//! same batch, which suffices for nearly all users, further ones by the clean-up. The row itself goes last.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::limits::throttle::reauthentication_key;
use crate::domain::password::verified::VerifiedPassword;
use crate::ports::{DbError, Statement, query};
use crate::store::account::user_data;
use crate::store::audit::{self, Event, RequestInfo, record_if_changed, record_outcome, recorded, refusals};
use crate::store::authz::grants::{actor_is_platform_admin, is_sole_administrator, select_actor};
use crate::store::mail::notices::{Notice, farewell, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::password::credentials::password_holds;
use crate::store::{IdRow, Store};

/// The columns of a user without anything personal. The value of `email` is no valid address.
macro_rules! erased_columns {
    ($user:literal) => {
        concat!(
            "email = 'erased:' || ",
            $user,
            ".id, password_hash = '', full_name = NULL, registered_network = NULL, passkey_handle = NULL,
             imported_by = NULL, external_id = NULL, import_id = NULL, is_active = 0, erasure_cursor = 0,
             password_version = password_version + 1 "
        )
    };
}
pub(in crate::store) use erased_columns;

/// With `:version`, only if the password still has that version and no wait is in force. With `:actor_id`, only if that
/// user is still an active administrator of the platform. The only active administrator
/// of a university or of the platform is never erased.
const ERASE_USER: &str = concat!(
    "UPDATE users SET ",
    erased_columns!("users"),
    "WHERE id = :user_id AND erasure_cursor IS NULL
       AND (:version IS NULL OR (",
    password_holds!(),
    "))
       AND (is_active = 0 OR NOT EXISTS (
           SELECT 1 FROM user_university_roles AS g
           WHERE g.user_id = :user_id AND g.role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN') AND ",
    is_sole_administrator!(),
    ")) AND (:actor_id IS NULL OR ",
    actor_is_platform_admin!(),
    ")
     RETURNING id"
);

/// Explains why [`ERASE_USER`] did nothing: returns a row if the user is the only active administrator somewhere. An owner
/// whose password no longer counts is not told: during a wait, the answer would tell a right guess from a wrong one.
const SELECT_SOLE_ADMINISTRATOR: &str = concat!(
    "SELECT g.id FROM user_university_roles AS g JOIN users AS u ON u.id = g.user_id
     WHERE g.user_id = :user_id AND u.is_active = 1 AND g.role IN ('UNIVERSITY_ADMIN', 'PLATFORM_ADMIN')
       AND (:version IS NULL OR (",
    password_holds!(),
    "))
       AND ",
    is_sole_administrator!(),
    " LIMIT 1"
);

/// Deletes the row of an erased user once no table of the register has rows left of them. Built once per isolate, from
/// constants only.
static DELETE_USER: LazyLock<&'static str> = LazyLock::new(|| {
    let nothing_remains = user_data::nothing_remains();
    let sql = format!("DELETE FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL AND {nothing_remains}");
    Box::leak(sql.into_boxed_str())
});

/// Follows the deletion of the row.
const SELECT_REST: &str = "SELECT id FROM users WHERE id = :user_id";

/// The unfinished erasures behind the last one that was served, and those up to it: one round through all of them.
const SELECT_NEXT: &str = "
    SELECT id FROM users
    WHERE erasure_cursor IS NOT NULL
      AND id > coalesce((SELECT CAST(position AS INTEGER) FROM clean_up_positions WHERE walk = 'erasures'), 0)
    ORDER BY id LIMIT :limit";

const SELECT_FIRST: &str = "
    SELECT id FROM users
    WHERE erasure_cursor IS NOT NULL
      AND id <= coalesce((SELECT CAST(position AS INTEGER) FROM clean_up_positions WHERE walk = 'erasures'), 0)
    ORDER BY id LIMIT :limit";

const SET_POSITION: &str = "UPDATE clean_up_positions SET position = :position WHERE walk = 'erasures'";

/// Every constant statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[ERASE_USER, SELECT_SOLE_ADMINISTRATOR, SELECT_REST, SELECT_NEXT, SELECT_FIRST, SET_POSITION];

/// The statement that is built from the register.
#[must_use]
pub fn delete_user_sql() -> &'static str {
    *DELETE_USER
}

/// The number of statements in one step.
#[must_use]
pub fn statements_per_step() -> usize {
    user_data::OWNED.iter().map(|owned| owned.erase.len()).sum::<usize>() + 2
}

/// The result of an erasure.
#[derive(Debug)]
pub enum ErasureOutcome {
    /// The account is erased; rows may remain for the clean-up. Perhaps the notice.
    Erased(Option<QueuedMail>),
    /// The user is the only active administrator of a university or of the platform.
    SoleAdministrator,
    /// The verified password is no longer valid, or there is no such user.
    Nothing,
    /// The acting administrator is no longer an active one.
    ActorNotAllowed,
}

/// The actor of an erasure.
#[derive(Clone, Copy)]
pub enum ErasedBy {
    /// The user, after password verification, in this session.
    Owner(VerifiedPassword, SessionId),
    /// An administrator of the platform.
    Administrator(UserId),
}

/// Erases a user, and takes the first step of deleting their rows.
///
/// # Errors
/// [`DbError`].
pub async fn erase(
    store: &Store,
    user_id: UserId,
    by: ErasedBy,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<ErasureOutcome, DbError> {
    let deleted = Event::of(EventType::Deleted, user_id);
    let (version, session_id, actor, event) = match by {
        ErasedBy::Owner(verified, session_id) => (Some(verified.version), Some(session_id), None, deleted),
        ErasedBy::Administrator(actor) => (None, None, Some(actor), deleted.by(actor)),
    };
    let erase = query(ERASE_USER)
        .bind("user_id", user_id)
        .bind("version", version)
        .bind("session_id", session_id)
        .bind("actor_id", actor)
        .bind("throttle", reauthentication_key(user_id))
        .bind("now", request.now);
    let refused = Event::of(EventType::DeletionRefused, user_id).because(Reason::Overtaken);
    let [record, count] = match by {
        ErasedBy::Owner(..) => record_outcome(request, event, refused),
        ErasedBy::Administrator(_) => [record_if_changed(request, event), refusals::nothing()],
    };
    let sole = query(SELECT_SOLE_ADMINISTRATOR)
        .bind("user_id", user_id)
        .bind("version", version)
        .bind("session_id", session_id)
        .bind("throttle", reauthentication_key(user_id))
        .bind("now", request.now);
    let guard = actor.map(select_actor);
    let (queue, settle) = notice.map_or((None, Vec::new()), |notice| {
        let [queue, delete, select] = farewell(notice, user_id, request.now);
        (Some(queue), vec![delete, select])
    });
    let guards = usize::from(guard.is_some()) + usize::from(queue.is_some());
    let statements = queue
        .into_iter()
        .chain(guard)
        .chain([erase, record, count, recorded(request, EventType::Deleted), sole])
        .chain(step_statements(user_id))
        .chain(settle);
    let all = store.batch_of(statements.collect()).await?;
    let (actors, results) = all.split_at_checked(guards).unwrap_or_default();
    let [erased, _, _, recorded, sole, ..] = results else {
        return Err(DbError::lost_results());
    };
    // First, because an administrator that erased their own account is none any more.
    if audit::is_done(erased, recorded)? {
        return Ok(ErasureOutcome::Erased(queued(notice, &all)?));
    }
    if actor.is_some()
        && let Some(actors) = actors.last()
        && actors.all::<IdRow>()?.is_empty()
    {
        return Ok(ErasureOutcome::ActorNotAllowed);
    }
    Ok(if sole.all::<IdRow>()?.is_empty() { ErasureOutcome::Nothing } else { ErasureOutcome::SoleAdministrator })
}

#[derive(Deserialize)]
struct ErasedRow {
    id: UserId,
}

/// Lists erased users whose rows are not all deleted, in turn: from the one behind [`set_position`].
///
/// # Errors
/// [`DbError`].
pub async fn unfinished(store: &Store, limit: usize) -> Result<Vec<UserId>, DbError> {
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let [next, first] = store.batch([SELECT_NEXT, SELECT_FIRST].map(|sql| query(sql).bind("limit", rows))).await?;
    let users = next.all::<ErasedRow>()?.into_iter().chain(first.all()?).take(limit);
    Ok(users.map(|row| row.id).collect())
}

/// Sets the position behind which the next list of unfinished erasures begins.
///
/// # Errors
/// [`DbError`].
pub async fn set_position(store: &Store, user_id: UserId) -> Result<(), DbError> {
    store.batch([query(SET_POSITION).bind("position", user_id.get().to_string())]).await.map(|[_]| ())
}

/// Performs one more step. Returns true if no row of the user is left.
///
/// # Errors
/// [`DbError`].
pub async fn step(store: &Store, user_id: UserId) -> Result<bool, DbError> {
    let results = store.batch_of(step_statements(user_id)).await?;
    let rest = results.last().ok_or_else(DbError::lost_results)?;
    Ok(rest.all::<IdRow>()?.is_empty())
}

fn step_statements(user_id: UserId) -> Vec<Statement> {
    let delete = query(delete_user_sql()).bind("user_id", user_id);
    let rest = query(SELECT_REST).bind("user_id", user_id);
    user_data::erasure_steps(user_id).chain([delete, rest]).collect()
}
