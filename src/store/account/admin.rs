//! Listing and changing users, for administrators of the platform.

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::audit::EventType;
use crate::domain::authz::RoleGrant;
use crate::domain::ids::UserId;
use crate::ports::{DbError, Rows, query};
use crate::store::account::users::{self, UserRow, user_columns};
use crate::store::audit::{self, Event, RequestInfo, insert_event, record_if_changed};
use crate::store::authz::grants;
use crate::store::authz::grants::is_sole_administrator;
use crate::store::page::{Page, PageRequest};
use crate::store::password::throttle;
use crate::store::{IdRow, Store};

/// A user and their roles.
#[allow(missing_docs, reason = "the fields are the response's")]
pub struct UserDetail {
    pub user: UserRow,
    pub grants: Vec<RoleGrant>,
}

/// Filter of the list of users. An absent field matches every user.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// Only the user with this address.
    pub email: Option<Email>,
    /// Only active ones, or only disabled ones.
    pub is_active: Option<bool>,
}

/// A change of a user. An absent field stays as it is.
pub struct UserChange {
    /// `Some(false)` disables sign-in and ends all sessions.
    pub is_active: Option<bool>,
    /// `Some(None)` removes the name.
    pub full_name: Option<Option<FullName>>,
}

/// The result of a change.
pub enum UserChangeOutcome {
    /// The user after the change.
    Changed(UserRow),
    /// Nothing changed, because the user is the only active administrator of the platform.
    LastAdministrator,
    /// There is no such user.
    Missing,
}

const SELECT_USERS: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE id > :after AND erasure_cursor IS NULL ORDER BY id LIMIT :limit"
);

const SELECT_ACTIVE: &str =
    concat!("SELECT ", user_columns!(), " FROM users WHERE id > :after AND is_active = 1 ORDER BY id LIMIT :limit");

const SELECT_INACTIVE: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE id > :after AND is_active = 0 AND erasure_cursor IS NULL ORDER BY id LIMIT :limit"
);

const SELECT_BY_EMAIL: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users WHERE email = :email AND id > :after AND (:is_active IS NULL OR is_active = :is_active) LIMIT :limit"
);

/// The only active administrator of the platform stays active. The only administrator of a university can be disabled:
/// the platform's administrators remain, and must be able to lock a stolen account.
const SET_ACTIVE: &str = concat!(
    "UPDATE users SET is_active = :is_active
     WHERE id = :user_id AND is_active <> :is_active AND erasure_cursor IS NULL
       AND (:is_active = 1 OR NOT EXISTS (
           SELECT 1 FROM user_university_roles AS g WHERE g.user_id = :user_id AND g.role = 'PLATFORM_ADMIN' AND ",
    is_sole_administrator!(),
    "))"
);

/// `:requires_inactive` is 1 if the same request disables the user: if that is refused, the name stays too.
const SET_FULL_NAME: &str = "
    UPDATE users SET full_name = :full_name
    WHERE id = :user_id AND erasure_cursor IS NULL AND :is_requested = 1
      AND (:requires_inactive = 0 OR is_active = 0) AND full_name IS NOT :full_name";

/// Without `:always`, only if the user is now disabled.
const END_SESSIONS: &str = "
    DELETE FROM sessions
    WHERE user_id = :user_id AND expires_at > :now
      AND (:always = 1 OR EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 0))
    RETURNING id";

/// An unlock is recorded even if no wait was in force.
const RECORD_UNLOCK: &str = insert_event! {
    type: "'unlocked'", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", from: "FROM users WHERE id = :user_id AND erasure_cursor IS NULL",
};

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[SELECT_USERS, SELECT_ACTIVE, SELECT_INACTIVE, SELECT_BY_EMAIL, SET_ACTIVE, SET_FULL_NAME, END_SESSIONS, RECORD_UNLOCK];

/// Lists users in the order of their registration.
///
/// # Errors
/// [`DbError`].
pub async fn users(store: &Store, filter: &UserFilter, page: PageRequest) -> Result<Page<UserRow>, DbError> {
    let sql = match (&filter.email, filter.is_active) {
        (Some(_), _) => SELECT_BY_EMAIL,
        (None, None) => SELECT_USERS,
        (None, Some(true)) => SELECT_ACTIVE,
        (None, Some(false)) => SELECT_INACTIVE,
    };
    let mut select = query(sql).bind("after", page.after.unwrap_or(0)).bind("limit", page.rows());
    if let Some(email) = &filter.email {
        select = select.bind("email", email).bind("is_active", filter.is_active);
    }
    let [rows] = store.batch([select]).await?;
    Ok(Page::new(rows.all()?, page, |row: &UserRow| row.id.get()))
}

/// Reads one user with their roles.
///
/// # Errors
/// [`DbError`].
pub async fn user(store: &Store, id: UserId) -> Result<Option<UserDetail>, DbError> {
    let [users, grants] = store.batch([users::select(id), grants::of_user(id)]).await?;
    let grants = grants::read(&grants)?;
    Ok(users.first()?.map(|user| UserDetail { user, grants }))
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
    let [_, _, _, _, _, users] = store
        .batch([
            query(SET_ACTIVE).bind("user_id", id).bind("is_active", change.is_active),
            record_if_changed(request, Event::of(event_type, id).by(actor)),
            query(END_SESSIONS).bind("now", request.now).bind("user_id", id).bind("always", false),
            query(SET_FULL_NAME)
                .bind("user_id", id)
                .bind("full_name", name)
                .bind("is_requested", change.full_name.is_some())
                .bind("requires_inactive", is_disabling),
            record_if_changed(request, Event::of(EventType::ProfileChanged, id).by(actor)),
            users::select(id),
        ])
        .await?;
    let user: Option<UserRow> = users.first()?;
    Ok(match user {
        None => UserChangeOutcome::Missing,
        Some(user) if is_disabling && user.is_active => UserChangeOutcome::LastAdministrator,
        Some(user) => UserChangeOutcome::Changed(user),
    })
}

/// Ends all sessions of a user; returns their number, or `None` if there is no such user.
///
/// # Errors
/// [`DbError`].
pub async fn end_sessions(
    store: &Store,
    id: UserId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<Option<usize>, DbError> {
    let end = query(END_SESSIONS).bind("now", request.now).bind("user_id", id).bind("always", true);
    let event = Event::of(EventType::SessionsEnded, id).by(actor);
    let [ended, _, users] = store.batch([end, record_if_changed(request, event), users::select(id)]).await?;
    let user: Option<UserRow> = users.first()?;
    Ok(user.is_some().then_some(count(&ended)?))
}

/// Resets all counters of a user. Returns false if there is no such user.
///
/// # Errors
/// [`DbError`].
pub async fn unlock(store: &Store, id: UserId, actor: UserId, request: RequestInfo<'_>) -> Result<bool, DbError> {
    let [reset_unknown, reset_known] = throttle::reset_all(id, None);
    let record = audit::insert(RECORD_UNLOCK, request).bind("user_id", id).bind("actor_id", actor);
    let [_, _, _, users] = store.batch([reset_unknown, reset_known, record, users::select(id)]).await?;
    let user: Option<UserRow> = users.first()?;
    Ok(user.is_some())
}

fn count(rows: &Rows) -> Result<usize, DbError> {
    Ok(rows.all::<IdRow>()?.len())
}
