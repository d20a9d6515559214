//! Users: who they are. How they prove it is `credentials`'; how they leave is `erasure`'s.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::audit::EventType;
use crate::domain::authz::RoleGrant;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Value};
use crate::store::audit::{Event, RequestInfo, record_if_changed};
use crate::store::authz::grants;
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};
use crate::store::session::{NewSession, first_token};
use crate::store::{Store, boolean, statement};

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

/// How a registration ended.
#[derive(Debug)]
pub enum RegistrationOutcome {
    /// There is a new user.
    Created(UserRow),
    /// The address has an account already.
    EmailTaken,
    /// Too many came from this network in this window.
    TooMany {
        /// When the window began.
        window_started_at: Timestamp,
    },
}

/// How many registrations a network may make within a window.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationLimit<'a> {
    /// Whose registrations are counted together.
    pub network: &'a str,
    /// At most so many, the refused ones included.
    pub attempts: i64,
    /// A window that began at or before this moment is over.
    pub window_cutoff: Timestamp,
}

const COUNT_REGISTRATION: &str = "
    INSERT INTO registration_counts (network, window_started_at, attempts) VALUES (?1, ?2, 1)
    ON CONFLICT (network) DO UPDATE SET
        attempts = CASE WHEN window_started_at <= ?3 THEN 1 ELSE attempts + 1 END,
        window_started_at = CASE WHEN window_started_at <= ?3 THEN excluded.window_started_at ELSE window_started_at END
    RETURNING attempts, window_started_at";

/// The constraint decides whether the address is free, the count before it whether anybody may.
const INSERT_USER: &str = "
    INSERT INTO users (email, password_hash, full_name, created_at)
    SELECT ?1, ?2, ?3, ?4 WHERE (SELECT attempts FROM registration_counts WHERE network = ?5) <= ?6
    ON CONFLICT (email) DO NOTHING
    RETURNING id, email, full_name, is_active, created_at";

/// Only for the user that this request added: nobody else's hash has the same salt.
const OPEN_SESSION_OF_NEW_USER: &str = "
    INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent)
    SELECT ?1, id, ?2, ?3, ?2, ?4, ?5 FROM users WHERE email = ?6 AND password_hash = ?7";

const RECORD_REGISTRATION: &str = "
    INSERT INTO audit_events (created_at, type, reason, user_id, session_id, ip, user_agent, request_id)
    SELECT ?1,
           CASE WHEN s.id IS NULL THEN 'registration_refused' ELSE 'registered' END,
           CASE WHEN s.id IS NOT NULL THEN NULL WHEN c.attempts > ?2 THEN 'rate_limited' ELSE 'email_taken' END,
           u.id, s.id, ?3, ?4, ?5
    FROM registration_counts AS c
    LEFT JOIN users AS u ON u.email = ?6 AND c.attempts <= ?2
    LEFT JOIN sessions AS s ON s.id = ?7 AND s.user_id = u.id
    WHERE c.network = ?8";

const SELECT_CALLER: &str = "
    SELECT u.id, u.email, u.full_name, u.is_active, u.created_at,
           EXISTS (
               SELECT 1 FROM sessions AS s
               WHERE s.id = ?2 AND s.user_id = u.id AND s.ended_at IS NULL AND s.expires_at > ?3
           ) AS session_is_live
    FROM users AS u
    WHERE u.id = ?1 AND u.erasure_cursor IS NULL";

const SET_FULL_NAME: &str = "
    UPDATE users SET full_name = ?2 WHERE id = ?1 AND is_active = 1 AND full_name IS NOT ?2";

const SELECT_USER: &str = "
    SELECT id, email, full_name, is_active, created_at FROM users WHERE id = ?1 AND erasure_cursor IS NULL";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    COUNT_REGISTRATION,
    INSERT_USER,
    OPEN_SESSION_OF_NEW_USER,
    RECORD_REGISTRATION,
    SELECT_CALLER,
    SET_FULL_NAME,
    SELECT_USER,
];

#[derive(Deserialize)]
struct CountRow {
    attempts: i64,
    window_started_at: Timestamp,
}

/// Counts the attempt, adds the user if they may be, and opens their first session: one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn register(
    store: &Store,
    user: &NewUser<'_>,
    session: &NewSession<'_>,
    limit: RegistrationLimit<'_>,
) -> Result<RegistrationOutcome, DbError> {
    let request = session.request;
    let now = || Value::from(request.now.millis());
    let ip = || Value::from(request.peer.ip().as_deref());
    let agent = || Value::from(request.peer.user_agent());
    let email = || Value::from(user.email.as_str());
    let hash = || Value::from(user.password_hash);
    let network = || Value::from(limit.network);
    let session_id = || Value::from(session.id.get());
    let full_name = user.full_name.map(FullName::as_str).into();
    let request_id = request.request_id.as_str().into();
    let expires_at = session.expires_at.millis().into();
    let [counts, users, ..] = store
        .batch([
            statement(COUNT_REGISTRATION, [network(), now(), limit.window_cutoff.millis().into()]),
            statement(INSERT_USER, [email(), hash(), full_name, now(), network(), limit.attempts.into()]),
            statement(OPEN_SESSION_OF_NEW_USER, [session_id(), now(), expires_at, ip(), agent(), email(), hash()]),
            first_token(session),
            statement(
                RECORD_REGISTRATION,
                [now(), limit.attempts.into(), ip(), agent(), request_id, email(), session_id(), network()],
            ),
        ])
        .await?;
    if let Some(user) = users.first()? {
        return Ok(RegistrationOutcome::Created(user));
    }
    let count: Option<CountRow> = counts.first()?;
    let count = count.ok_or_else(|| DbError::Unreadable("the count of registrations was not returned".to_owned()))?;
    Ok(if count.attempts > limit.attempts {
        RegistrationOutcome::TooMany { window_started_at: count.window_started_at }
    } else {
        RegistrationOutcome::EmailTaken
    })
}

/// What one read says of a request with an access token.
pub struct CallerRead {
    /// Who calls, if they are still on file.
    pub caller: Option<CallerRow>,
    /// Their roles.
    pub grants: Vec<RoleGrant>,
    /// What the path names, if it exists.
    pub resource: Option<ResourceRow>,
}

/// Who calls, is their session alive, what are their roles, and what does the path name? One read, made for
/// every request with an access token.
///
/// # Errors
/// [`DbError`].
pub async fn caller(
    store: &Store,
    user_id: UserId,
    session_id: SessionId,
    target: Option<Target>,
    now: Timestamp,
) -> Result<CallerRead, DbError> {
    let values = [user_id.get().into(), session_id.get().into(), now.millis().into()];
    let mut statements = vec![statement(SELECT_CALLER, values), grants::of_user(user_id)];
    statements.extend(target.map(resources::lookup));
    let results = store.batch_of(statements).await?;
    let [caller, grants, resource @ ..] = results.as_slice() else {
        return Err(DbError::Corrupt("lost results".to_owned()));
    };
    let resource = resource.first().map(Rows::first).transpose()?.flatten();
    Ok(CallerRead { caller: caller.first()?, grants: grants::read(grants)?, resource })
}

/// Gives an active user another name, or none, and says what is on file then. Nothing, if they are gone.
///
/// # Errors
/// [`DbError`].
pub async fn set_full_name(
    store: &Store,
    user_id: UserId,
    full_name: Option<&FullName>,
    request: RequestInfo<'_>,
) -> Result<Option<UserRow>, DbError> {
    let set = statement(SET_FULL_NAME, [user_id.get().into(), full_name.map(FullName::as_str).into()]);
    let changed = record_if_changed(request, Event::of(EventType::ProfileChanged, user_id));
    let [_, _, users] = store.batch([set, changed, statement(SELECT_USER, [user_id.get().into()])]).await?;
    users.first()
}
