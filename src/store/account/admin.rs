//! Reading and changing one user, for administrators of the platform. `list` lists users.

use serde::Deserialize;

use crate::domain::account::full_name::FullName;
use crate::domain::audit::EventType;
use crate::domain::authz::RoleGrant;
use crate::domain::ids::UserId;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::account::users::{self, UserRow, user_columns};
use crate::store::audit::{self, Event, RequestInfo, insert_event, record_if_changed, recorded};
use crate::store::authz::grants;
use crate::store::authz::grants::{actor_is_platform_admin, caller_administers_or_has, is_sole_administrator};
use crate::store::authz::viewer::Viewer;
use crate::store::outcome::ActOutcome;
use crate::store::password::throttle;
use crate::store::read::Read;
use crate::store::session;
use crate::store::{Store, boolean};

/// A user, their second factors and their roles.
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct UserDetail {
    pub user: UserRow,
    pub factors: FactorCounts,
    pub grants: Vec<RoleGrant>,
}

/// The second factors of a user, suspended ones included.
#[derive(Debug, Clone, Copy, Deserialize)]
#[allow(missing_docs, reason = "the fields are the query's columns")]
pub struct FactorCounts {
    #[serde(deserialize_with = "boolean")]
    pub has_totp: bool,
    #[serde(deserialize_with = "boolean")]
    pub has_recovery_codes: bool,
    pub passkeys: u32,
    pub identities: u32,
}

/// A change of a user. An absent field stays as it is.
pub struct UserChange {
    /// `Some(false)` disables sign-in and ends all sessions.
    pub is_active: Option<bool>,
    /// `Some(None)` removes the name.
    pub full_name: Option<Option<FullName>>,
    /// The administrator vouches for the address. A proof cannot be taken back.
    pub proves_address: bool,
}

/// The result of a change.
pub enum UserChangeOutcome {
    /// The user after the change.
    Changed(UserRow),
    /// Nothing changed, because the user is the only active administrator of the platform.
    LastAdministrator,
    /// There is no such user.
    Missing,
    /// The actor is no longer an active administrator.
    ActorNotAllowed,
}

const SELECT_USER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1) AS has_totp,
       EXISTS (SELECT 1 FROM recovery_codes WHERE user_id = :user_id AND hashes <> '') AS has_recovery_codes,
       (SELECT count(*) FROM passkeys WHERE user_id = :user_id) AS passkeys,
       (SELECT count(*) FROM identities WHERE user_id = :user_id) AS identities
     FROM users WHERE id = :user_id AND erasure_cursor IS NULL LIMIT ",
    caller_administers_or_has!("users:read")
);

/// The only active administrator of the platform stays active. The only administrator of a university can be disabled:
/// the platform's administrators remain, and must be able to lock a stolen account.
const SET_ACTIVE: &str = concat!(
    "UPDATE users SET is_active = :is_active
     WHERE id = :user_id AND is_active <> :is_active AND erasure_cursor IS NULL
       AND (:is_active = 1 OR NOT EXISTS (
           SELECT 1 FROM user_university_roles AS g WHERE g.user_id = :user_id AND g.role = 'PLATFORM_ADMIN' AND ",
    is_sole_administrator!(),
    ")) AND ",
    actor_is_platform_admin!()
);

/// `:requires_inactive` is 1 if the same request disables the user: if that is refused, the name stays too. An
/// administrator that disables their own account is none any more when this statement runs.
const SET_FULL_NAME: &str = concat!(
    "UPDATE users SET full_name = :full_name
     WHERE id = :user_id AND erasure_cursor IS NULL AND :is_requested = 1
       AND (:requires_inactive = 0 OR is_active = 0) AND full_name IS NOT :full_name
       AND (:requires_inactive = 1 AND :actor_id = :user_id OR ",
    actor_is_platform_admin!(),
    ")"
);

/// Like the name, it stays if the same request fails to disable the user.
const SET_VERIFIED: &str = concat!(
    "UPDATE users SET email_verified_at = :now
     WHERE id = :user_id AND erasure_cursor IS NULL AND :is_requested = 1
       AND (:requires_inactive = 0 OR is_active = 0) AND email_verified_at IS NULL
       AND (:requires_inactive = 1 AND :actor_id = :user_id OR ",
    actor_is_platform_admin!(),
    ")"
);

const COUNT_SESSIONS: &str = "SELECT count(*) AS count FROM sessions WHERE user_id = :user_id AND expires_at > :now";

const END_SESSIONS: &str =
    concat!("DELETE FROM sessions WHERE user_id = :user_id AND expires_at > :now AND ", actor_is_platform_admin!());

/// Precedes [`END_SESSIONS`]. The event keeps the number of sessions for a second execution of the batch.
const RECORD_SESSIONS: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", count: "live",
    from: concat!(
        "FROM (SELECT count(*) AS live FROM sessions WHERE user_id = :user_id AND expires_at > :now)
         WHERE live > 0 AND ", actor_is_platform_admin!()
    ),
};

/// Only if the user is now disabled, perhaps by an administrator that is the user.
const END_SESSIONS_OF_DISABLED: &str = "
    DELETE FROM sessions
    WHERE user_id = :user_id AND expires_at > :now
      AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 0)";

/// Also if the account is enabled again: a thief may have asked for it.
const VOID_CHANGE_OF_ADDRESS: &str = "
    DELETE FROM email_proofs
    WHERE user_id = :user_id AND purpose = 'change_address'
      AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 0)";

/// As the user's own end of all sessions does.
const VOID_CHANGE_WITH_SESSIONS: &str = concat!(
    "DELETE FROM email_proofs WHERE user_id = :user_id AND purpose = 'change_address' AND ",
    actor_is_platform_admin!()
);

/// An unlock is recorded even if no wait was in force.
const RECORD_UNLOCK: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL",
    from: concat!("FROM users WHERE id = :user_id AND erasure_cursor IS NULL AND ", actor_is_platform_admin!()),
};

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_USER,
    SET_ACTIVE,
    SET_FULL_NAME,
    SET_VERIFIED,
    COUNT_SESSIONS,
    END_SESSIONS,
    RECORD_SESSIONS,
    END_SESSIONS_OF_DISABLED,
    VOID_CHANGE_OF_ADDRESS,
    VOID_CHANGE_WITH_SESSIONS,
    RECORD_UNLOCK,
];

/// Reads one user with their roles. `None` unless the caller administers the platform, or is a service account with
/// the scope `users:read`.
#[must_use]
pub fn user(id: UserId, viewer: &Viewer) -> Read<Option<UserDetail>> {
    let select = viewer.bind(query(SELECT_USER).bind("user_id", id));
    let read = Read::of(select, Rows::first).and(grants::of_user_for(id, viewer));
    read.map(|(row, grants)| row.map(|(user, factors)| UserDetail { user, factors, grants }))
}

/// Changes a user; disabling ends all their sessions. Nothing changes if it would disable the last administrator.
///
/// # Errors
/// [`DbError`].
pub async fn change(
    store: &Store,
    id: UserId,
    change: &UserChange,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<UserChangeOutcome, DbError> {
    let is_disabling = change.is_active == Some(false);
    let event_type = if is_disabling { EventType::Disabled } else { EventType::Enabled };
    let name = change.full_name.as_ref().and_then(Option::as_ref);
    // A change that is not requested is a statement that changes nothing: `is_active <> NULL` holds for no row.
    let verify = query(SET_VERIFIED)
        .bind("now", request.now)
        .bind("actor_id", actor)
        .bind("user_id", id)
        .bind("is_requested", change.proves_address)
        .bind("requires_inactive", is_disabling);
    let [actors, _, _, _, _, _, _, _, _, changed, renamed, verified, users] = store
        .batch([
            grants::select_actor(actor),
            query(SET_ACTIVE).bind("user_id", id).bind("is_active", change.is_active).bind("actor_id", actor),
            record_if_changed(request, Event::of(event_type, id).by(actor)),
            query(END_SESSIONS_OF_DISABLED).bind("now", request.now).bind("user_id", id),
            query(VOID_CHANGE_OF_ADDRESS).bind("user_id", id),
            query(SET_FULL_NAME)
                .bind("actor_id", actor)
                .bind("user_id", id)
                .bind("full_name", name)
                .bind("is_requested", change.full_name.is_some())
                .bind("requires_inactive", is_disabling),
            record_if_changed(request, Event::of(EventType::ProfileChanged, id).by(actor)),
            verify,
            record_if_changed(request, Event::of(EventType::EmailVerified, id).by(actor)),
            recorded(request, event_type),
            recorded(request, EventType::ProfileChanged),
            recorded(request, EventType::EmailVerified),
            users::select(id),
        ])
        .await?;
    // An administrator that disables their own account is none any more when the batch is executed again.
    let is_done = |recorded| audit::is_done(&actors, recorded);
    if !is_done(&changed)? && !is_done(&renamed)? && !is_done(&verified)? {
        return Ok(UserChangeOutcome::ActorNotAllowed);
    }
    let user: Option<UserRow> = users.first()?;
    Ok(match user {
        None => UserChangeOutcome::Missing,
        Some(user) if is_disabling && user.is_active => UserChangeOutcome::LastAdministrator,
        Some(user) => UserChangeOutcome::Changed(user),
    })
}

/// Ends all sessions of a user; returns their number.
///
/// # Errors
/// [`DbError`].
pub async fn end_sessions(
    store: &Store,
    id: UserId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<ActOutcome<usize>, DbError> {
    let of_user = |statement: Statement| statement.bind("user_id", id);
    let record = audit::insert(RECORD_SESSIONS, request, EventType::SessionsEnded);
    let statements = [
        grants::select_actor(actor),
        of_user(query(COUNT_SESSIONS)).bind("now", request.now),
        of_user(record).bind("actor_id", actor),
        of_user(query(END_SESSIONS)).bind("now", request.now).bind("actor_id", actor),
        of_user(query(VOID_CHANGE_WITH_SESSIONS)).bind("actor_id", actor),
        session::recorded_count(request, EventType::SessionsEnded),
        users::select(id),
    ];
    let [actors, counted, _, _, _, recorded, users] = store.batch(statements).await?;
    ActOutcome::read(&actors, &users, session::ended(&counted, &recorded)?)
}

/// Resets all counters of a user.
///
/// # Errors
/// [`DbError`].
pub async fn unlock(
    store: &Store,
    id: UserId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<ActOutcome<()>, DbError> {
    let [reset_unknown, reset_known] = throttle::reset_by(actor, id);
    let record = audit::insert(RECORD_UNLOCK, request, EventType::Unlocked).bind("user_id", id).bind("actor_id", actor);
    let statements = [grants::select_actor(actor), reset_unknown, reset_known, record, users::select(id)];
    let [actors, _, _, _, users] = store.batch(statements).await?;
    ActOutcome::read(&actors, &users, ())
}
