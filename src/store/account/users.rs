//! Users: registration, profile, and the caller of a request. Passwords are in `credentials`, deletion in `erasure`.

use serde::Deserialize;

use crate::domain::account::full_name::FullName;
use crate::domain::audit::EventType;
use crate::domain::authz::RoleGrant;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::{Event, RequestInfo, record_if_changed};
use crate::store::authz::grants;
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};
use crate::store::keys::ring_version;
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::{Store, boolean};

/// The columns of a user that responses show.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct UserRow {
    pub id: UserId,
    /// Normalized, as it is stored.
    pub email: String,
    pub full_name: Option<String>,
    /// Disabled users cannot sign in.
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
    pub created_at: Timestamp,
    /// Absent until the address is proven.
    pub email_verified_at: Option<Timestamp>,
    /// Absent unless a provider of mail refused the address for good.
    pub mail_refused_at: Option<Timestamp>,
    /// A password signs in.
    #[serde(deserialize_with = "boolean")]
    pub has_password: bool,
}

/// The user and the session that an access token names.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "(UserRow, CallerColumns)")]
#[allow(missing_docs, reason = "the fields are the query's columns")]
pub struct CallerRow {
    pub user: UserRow,
    /// True if the user has this session and it has not expired.
    pub session_is_live: bool,
    /// The version of the key ring.
    pub ring_version: i64,
}

/// The columns of a [`CallerRow`] besides those of its user.
#[derive(Deserialize)]
struct CallerColumns {
    #[serde(deserialize_with = "boolean")]
    session_is_live: bool,
    ring_version: i64,
}

impl From<(UserRow, CallerColumns)> for CallerRow {
    fn from((user, CallerColumns { session_is_live, ring_version }): (UserRow, CallerColumns)) -> Self {
        Self { user, session_is_live, ring_version }
    }
}

/// The columns of a [`UserRow`].
macro_rules! user_columns {
    () => {
        "id, email, full_name, is_active, created_at, email_verified_at, mail_refused_at, has_password"
    };
}
pub(in crate::store) use user_columns;

const SELECT_CALLER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    session_is_live!(),
    " AS session_is_live, ",
    ring_version!(),
    " AS ring_version FROM users WHERE id = :user_id AND erasure_cursor IS NULL"
);

const SET_FULL_NAME: &str = "
    UPDATE users SET full_name = :full_name WHERE id = :user_id AND is_active = 1 AND full_name IS NOT :full_name";

const SELECT_USER: &str =
    concat!("SELECT ", user_columns!(), " FROM users WHERE id = :user_id AND erasure_cursor IS NULL");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_CALLER, SET_FULL_NAME, SELECT_USER];

/// Selects a user, unless erased.
pub(in crate::store) fn select(user_id: UserId) -> Statement {
    query(SELECT_USER).bind("user_id", user_id)
}

/// Reads the roles of an active user; `None` if there is no such user.
#[must_use]
pub fn active_grants(user_id: UserId) -> Read<Option<Vec<RoleGrant>>> {
    let user = Read::of(select(user_id), Rows::first::<UserRow>);
    user.and(grants::of_user(user_id)).map(|(user, grants)| user.filter(|user| user.is_active).map(|_| grants))
}

/// The data for authorizing a request with an access token.
pub struct CallerRead {
    /// `None` if the account does not exist or is erased.
    pub caller: Option<CallerRow>,
    /// The roles that the caller holds.
    pub grants: Vec<RoleGrant>,
    /// The resource in the path, if it exists.
    pub resource: Option<ResourceRow>,
}

/// Reads the caller, the state of the session, the caller's roles and the resource in the path. Every request with an
/// access token makes this read.
#[must_use]
pub fn caller(user_id: UserId, session_id: SessionId, target: Option<Target>, now: Timestamp) -> Read<CallerRead> {
    let select = query(SELECT_CALLER).bind("user_id", user_id).bind("session_id", session_id).bind("now", now);
    let read = Read::of(select, Rows::first).and(grants::of_user(user_id));
    match target {
        None => read.map(|(caller, grants)| CallerRead { caller, grants, resource: None }),
        Some(target) => {
            let read = read.and(resources::find(target));
            read.map(|((caller, grants), resource)| CallerRead { caller, grants, resource })
        }
    }
}

/// Sets or removes the name of an active user and returns the user as stored; `None` if the account was erased.
///
/// # Errors
/// [`DbError`].
pub async fn set_full_name(
    store: &Store,
    user_id: UserId,
    full_name: Option<&FullName>,
    request: RequestInfo<'_>,
) -> Result<Option<UserRow>, DbError> {
    let set = query(SET_FULL_NAME).bind("user_id", user_id).bind("full_name", full_name);
    let changed = record_if_changed(request, Event::of(EventType::ProfileChanged, user_id));
    let [_, _, users] = store.batch([set, changed, select(user_id)]).await?;
    users.first()
}
