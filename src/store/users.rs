//! Users: who they are, and how they prove it.

use serde::Deserialize;

use super::sessions::{NewSession, first_token};
use super::{Store, boolean, statement};
use crate::domain::email::Email;
use crate::domain::full_name::FullName;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Value};

/// What is shown of a user.
#[derive(Debug, Clone, Deserialize)]
pub struct UserRow {
    /// Identifies the user.
    pub id: UserId,
    /// The address as stored.
    pub email: String,
    /// The name, if one was given.
    pub full_name: Option<String>,
    /// May the user sign in?
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
    /// When the user registered.
    pub created_at: Timestamp,
}

/// What a sign-in is checked against.
#[derive(Deserialize)]
pub struct CredentialsRow {
    /// Identifies the user.
    pub id: UserId,
    /// PHC string.
    pub password_hash: String,
    /// May the user sign in?
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
}

/// A user, and the session that a token claims to belong to.
#[derive(Debug, Clone, Deserialize)]
pub struct CallerRow {
    /// The user.
    #[serde(flatten)]
    pub user: UserRow,
    /// Is there such a session of this user, neither ended nor expired?
    #[serde(deserialize_with = "boolean")]
    pub session_is_live: bool,
}

/// A user to be registered.
pub struct NewUser<'a> {
    /// The address.
    pub email: &'a Email,
    /// PHC string.
    pub password_hash: &'a str,
    /// The name, if one was given.
    pub full_name: Option<&'a FullName>,
}

const INSERT_USER: &str = "
    INSERT INTO users (email, password_hash, full_name, created_at)
    VALUES (?1, ?2, ?3, ?4)
    RETURNING id, email, full_name, is_active, created_at";

const OPEN_SESSION_OF_NEW_USER: &str = "
    INSERT INTO sessions (id, user_id, created_at, expires_at)
    SELECT ?1, id, ?2, ?3 FROM users WHERE email = ?4";

const SELECT_CREDENTIALS: &str = "SELECT id, password_hash, is_active FROM users WHERE email = ?1";

const SELECT_CALLER: &str = "
    SELECT u.id, u.email, u.full_name, u.is_active, u.created_at,
           EXISTS (
               SELECT 1 FROM sessions AS s
               WHERE s.id = ?2 AND s.user_id = u.id AND s.ended_at IS NULL AND s.expires_at > ?3
           ) AS session_is_live
    FROM users AS u
    WHERE u.id = ?1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT_USER, OPEN_SESSION_OF_NEW_USER, SELECT_CREDENTIALS, SELECT_CALLER];

/// Adds a user and opens their first session, in one round trip. The e-mail's uniqueness is the
/// constraint's to judge: a taken address is `DbError::Unique`, and nothing is written.
///
/// # Errors
/// [`DbError`].
pub async fn register(store: &Store, user: &NewUser<'_>, session: &NewSession<'_>) -> Result<UserRow, DbError> {
    let insert = statement(
        INSERT_USER,
        [
            user.email.as_str().into(),
            user.password_hash.into(),
            Value::from(user.full_name.map(FullName::as_str)),
            session.now.millis().into(),
        ],
    );
    let [id, created_at, expires_at] = session.values();
    let open = statement(OPEN_SESSION_OF_NEW_USER, [id, created_at, expires_at, user.email.as_str().into()]);
    let [users, _, _] = store.batch([insert, open, first_token(session)]).await?;
    users.first()?.ok_or_else(|| DbError::Unreadable("the new user was not returned".to_owned()))
}

/// Who signs in with this address?
///
/// # Errors
/// [`DbError`].
pub async fn credentials(store: &Store, email: &Email) -> Result<Option<CredentialsRow>, DbError> {
    let [rows] = store.batch([statement(SELECT_CREDENTIALS, [email.as_str().into()])]).await?;
    rows.first()
}

/// Who calls, and is their session alive? One statement, made for every request with an access token.
///
/// # Errors
/// [`DbError`].
pub async fn caller(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    now: Timestamp,
) -> Result<Option<CallerRow>, DbError> {
    let values = [user_id.get().into(), session_id.get().into(), now.millis().into()];
    let [rows] = store.batch([statement(SELECT_CALLER, values)]).await?;
    rows.first()
}
