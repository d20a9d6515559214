//! Users and events, as administrators of the platform see and change them.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::audit::EventType;
use crate::domain::authz::RoleGrant;
use crate::domain::ids::{EventId, SessionId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Value};
use crate::store::account::users::UserRow;
use crate::store::audit::{Event, RequestInfo, record_if_changed};
use crate::store::authz::grants;
use crate::store::authz::grants::nobody_else_administers;
use crate::store::page::{Page, PageRequest};
use crate::store::{IdRow, Store, statement};

/// A user and their roles.
pub struct UserDetail {
    /// The user.
    pub user: UserRow,
    /// Their roles.
    pub grants: Vec<RoleGrant>,
}

/// Which users.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// Only the one with this address.
    pub email: Option<Email>,
    /// Only active ones, or only disabled ones.
    pub is_active: Option<bool>,
}

/// What is to be changed: what is absent stays.
pub struct UserChange {
    /// May the user sign in?
    pub is_active: Option<bool>,
    /// Another name, or none.
    pub full_name: Option<Option<FullName>>,
}

/// How a change ended.
pub enum UserChangeOutcome {
    /// This is the user now.
    Changed(UserRow),
    /// They alone administer something.
    LastAdministrator,
    /// There is no such user.
    Missing,
}

/// Which events.
#[derive(Debug, Default)]
pub struct EventFilter {
    /// Only those of this user.
    pub user_id: Option<UserId>,
    /// Only those of this type.
    pub event_type: Option<EventType>,
}

/// An audit event, as administrators see it.
#[derive(Debug, Clone, Deserialize)]
pub struct AdminEventRow {
    /// Identifies it.
    pub id: EventId,
    /// When it happened.
    pub created_at: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Why it was refused, how it came about, or which role it is about.
    pub reason: Option<String>,
    /// To whom.
    pub user_id: Option<UserId>,
    /// Which session.
    pub session_id: Option<SessionId>,
    /// Who did it, if not the user.
    pub actor_id: Option<UserId>,
    /// In which university.
    pub university_id: Option<UniversityId>,
    /// From where.
    pub ip: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: String,
}

const SELECT_USERS: &str = "
    SELECT id, email, full_name, is_active, created_at FROM users
    WHERE id > ?1 AND erasure_cursor IS NULL ORDER BY id LIMIT ?2";

const SELECT_ACTIVE: &str = "
    SELECT id, email, full_name, is_active, created_at FROM users
    WHERE id > ?1 AND is_active = 1 ORDER BY id LIMIT ?2";

const SELECT_INACTIVE: &str = "
    SELECT id, email, full_name, is_active, created_at FROM users
    WHERE id > ?1 AND is_active = 0 AND erasure_cursor IS NULL ORDER BY id LIMIT ?2";

const SELECT_BY_EMAIL: &str = "
    SELECT id, email, full_name, is_active, created_at FROM users
    WHERE email = ?3 AND id > ?1 AND (?4 IS NULL OR is_active = ?4) LIMIT ?2";

const SELECT_USER: &str = "
    SELECT id, email, full_name, is_active, created_at FROM users WHERE id = ?1 AND erasure_cursor IS NULL";

/// The only active administrator of the platform stays one. Who alone administers a university can be disabled: those
/// who run the platform are there for it, and must be able to stop a thief.
const SET_ACTIVE: &str = concat!(
    "UPDATE users SET is_active = ?2
     WHERE id = ?1 AND is_active <> ?2 AND erasure_cursor IS NULL
       AND (?2 = 1 OR NOT EXISTS (
           SELECT 1 FROM user_university_roles AS g WHERE g.user_id = ?1 AND g.role = 'PLATFORM_ADMIN' AND ",
    nobody_else_administers!(),
    "))"
);

const SET_FULL_NAME: &str = "
    UPDATE users SET full_name = ?2
    WHERE id = ?1 AND erasure_cursor IS NULL AND ?3 = 1 AND (?4 = 0 OR is_active = 0) AND full_name IS NOT ?2";

const END_SESSIONS: &str = "
    UPDATE sessions SET ended_at = ?1, end_reason = 'administrator'
    WHERE user_id = ?2 AND ended_at IS NULL AND expires_at > ?1
      AND (?3 = 1 OR EXISTS (SELECT 1 FROM users WHERE id = ?2 AND is_active = 0))
    RETURNING id";

const SELECT_EVENTS: &str = "
    SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
    FROM audit_events WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

const SELECT_EVENTS_OF_USER: &str = "
    SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
    FROM audit_events WHERE user_id = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2";

const SELECT_EVENTS_OF_USER_AND_TYPE: &str = "
    SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
    FROM audit_events WHERE user_id = ?3 AND type = ?4 AND type <> 'refreshed' AND id < ?1 ORDER BY id DESC LIMIT ?2";

const SELECT_REFRESHES_OF_USER: &str = "
    SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
    FROM audit_events WHERE user_id = ?3 AND +type = 'refreshed' AND id < ?1 ORDER BY id DESC LIMIT ?2";

/// The condition on the type is that of the index.
const SELECT_EVENTS_OF_TYPE: &str = "
    SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
    FROM audit_events WHERE type = ?3 AND type <> 'refreshed' AND id < ?1 ORDER BY id DESC LIMIT ?2";

/// Refreshes are in no index by type, and need none: most events are.
const SELECT_REFRESHES: &str = "
    SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
    FROM audit_events WHERE +type = 'refreshed' AND id < ?1 ORDER BY id DESC LIMIT ?2";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_USERS,
    SELECT_ACTIVE,
    SELECT_INACTIVE,
    SELECT_BY_EMAIL,
    SELECT_USER,
    SET_ACTIVE,
    SET_FULL_NAME,
    END_SESSIONS,
    SELECT_EVENTS,
    SELECT_EVENTS_OF_USER,
    SELECT_EVENTS_OF_USER_AND_TYPE,
    SELECT_REFRESHES_OF_USER,
    SELECT_EVENTS_OF_TYPE,
    SELECT_REFRESHES,
];

/// Users, in the order of their registration.
///
/// # Errors
/// [`DbError`].
pub async fn users(store: &Store, filter: &UserFilter, page: PageRequest) -> Result<Page<UserRow>, DbError> {
    let (after, rows) = (page.after.unwrap_or(0).into(), page.rows().into());
    let query = match (&filter.email, filter.is_active) {
        (Some(email), active) => {
            statement(SELECT_BY_EMAIL, [after, rows, email.as_str().into(), active.map(i64::from).into()])
        }
        (None, None) => statement(SELECT_USERS, [after, rows]),
        (None, Some(true)) => statement(SELECT_ACTIVE, [after, rows]),
        (None, Some(false)) => statement(SELECT_INACTIVE, [after, rows]),
    };
    let [rows] = store.batch([query]).await?;
    Ok(Page::new(rows.all()?, page, |row: &UserRow| row.id.get()))
}

/// One user with their roles.
///
/// # Errors
/// [`DbError`].
pub async fn user(store: &Store, id: UserId) -> Result<Option<UserDetail>, DbError> {
    let [users, grants] = store.batch([statement(SELECT_USER, [id.get().into()]), grants::of_user(id)]).await?;
    let grants = grants::read(&grants)?;
    Ok(users.first()?.map(|user| UserDetail { user, grants }))
}

/// Changes a user; disabling ends all their sessions. Unless they alone administer something: then nothing
/// is changed.
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
    let user_id = || Value::from(id.get());
    let now = request.now.millis();
    // A wish that is not there is written as a statement that changes nothing.
    let wished = change.is_active.map_or(Value::Null, |active| i64::from(active).into());
    let event_type = if change.is_active == Some(false) { EventType::Disabled } else { EventType::Enabled };
    let names = change.full_name.is_some();
    let name = change.full_name.as_ref().and_then(Option::as_ref).map(FullName::as_str);
    let disabling = i64::from(change.is_active == Some(false));
    let [_, _, _, _, _, users] = store
        .batch([
            statement(SET_ACTIVE, [user_id(), wished]),
            record_if_changed(request, Event::of(event_type, id).by(actor)),
            statement(END_SESSIONS, [now.into(), user_id(), 0.into()]),
            statement(SET_FULL_NAME, [user_id(), name.into(), i64::from(names).into(), disabling.into()]),
            record_if_changed(request, Event::of(EventType::ProfileChanged, id).by(actor)),
            statement(SELECT_USER, [user_id()]),
        ])
        .await?;
    let user: Option<UserRow> = users.first()?;
    Ok(match user {
        None => UserChangeOutcome::Missing,
        Some(user) if disabling == 1 && user.is_active => UserChangeOutcome::LastAdministrator,
        Some(user) => UserChangeOutcome::Changed(user),
    })
}

/// Ends all sessions of a user; says how many there were. Nothing, if there is no such user.
///
/// # Errors
/// [`DbError`].
pub async fn end_sessions(
    store: &Store,
    id: UserId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<Option<usize>, DbError> {
    let end = statement(END_SESSIONS, [request.now.millis().into(), id.get().into(), 1.into()]);
    let event = Event::of(EventType::SessionsEnded, id).by(actor);
    let present = statement(SELECT_USER, [id.get().into()]);
    let [ended, _, users] = store.batch([end, record_if_changed(request, event), present]).await?;
    let user: Option<UserRow> = users.first()?;
    Ok(user.is_some().then_some(count(&ended)?))
}

fn count(rows: &Rows) -> Result<usize, DbError> {
    Ok(rows.all::<IdRow>()?.len())
}

/// Events, newest first.
///
/// # Errors
/// [`DbError`].
pub async fn events(store: &Store, filter: &EventFilter, page: PageRequest) -> Result<Page<AdminEventRow>, DbError> {
    let (before, rows) = (page.after.unwrap_or(EventId::END.get()).into(), page.rows().into());
    let query = match (filter.user_id, filter.event_type) {
        (Some(user_id), None) => statement(SELECT_EVENTS_OF_USER, [before, rows, user_id.get().into()]),
        (Some(user_id), Some(EventType::Refreshed)) => {
            statement(SELECT_REFRESHES_OF_USER, [before, rows, user_id.get().into()])
        }
        (Some(user_id), Some(event_type)) => {
            let values = [before, rows, user_id.get().into(), event_type.as_str().into()];
            statement(SELECT_EVENTS_OF_USER_AND_TYPE, values)
        }
        (None, None) => statement(SELECT_EVENTS, [before, rows]),
        (None, Some(EventType::Refreshed)) => statement(SELECT_REFRESHES, [before, rows]),
        (None, Some(event_type)) => statement(SELECT_EVENTS_OF_TYPE, [before, rows, event_type.as_str().into()]),
    };
    let [rows] = store.batch([query]).await?;
    Ok(Page::new(rows.all()?, page, |row: &AdminEventRow| row.id.get()))
}
