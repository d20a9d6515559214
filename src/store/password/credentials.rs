//! Password hashes: reading them for verification, and replacing them.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::limits::throttle::{Throttle, ThrottleKey};
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, query};
use crate::store::audit::{Event, RequestInfo, record, record_outcome};
use crate::store::password::throttle;
use crate::store::read::Read;
use crate::store::session::end_others;
use crate::store::{IdRow, Store, boolean};

/// The columns of a user that a password check needs.
#[derive(Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct CredentialsRow {
    pub id: UserId,
    /// A PHC string with parameters and salt.
    pub password_hash: String,
    /// Incremented by every change of the password.
    pub password_version: i64,
    /// A disabled account cannot sign in.
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
    blocked_until: Timestamp,
}

impl CredentialsRow {
    /// Evidence that the password matched this row. Only the check itself may create it.
    #[must_use]
    pub const fn verified(&self) -> VerifiedPassword {
        VerifiedPassword { user_id: self.id, version: self.password_version }
    }
}

/// The credentials and the throttle of an address or of a user.
#[derive(Clone)]
pub struct Account {
    /// Absent for an address without an account.
    pub credentials: Option<CredentialsRow>,
    /// While it is in force, even the correct password is refused.
    pub throttle: Throttle,
    key: ThrottleKey,
}

/// Credentials under this condition, with the wait of one kind of guess: the key that `ThrottleKey::text` gives.
macro_rules! select_credentials {
    ($kind:literal, $condition:literal) => {
        concat!(
            "SELECT u.id, u.password_hash, u.password_version, u.is_active, coalesce(t.blocked_until, 0) AS blocked_until
             FROM users AS u LEFT JOIN throttles AS t ON t.key = 'user/' || u.id || '/",
            $kind,
            "' WHERE ",
            $condition
        )
    };
}

const SELECT_BY_EMAIL: &str = select_credentials!("password", "u.email = :email");

const SELECT_BY_ID: &str = select_credentials!("reauthentication", "u.id = :user_id AND u.erasure_cursor IS NULL");

/// Only if the verified version of the password is current, and no wait is in force.
const CHANGE_PASSWORD: &str = "
    UPDATE users SET password_hash = :new_hash, password_version = password_version + 1
    WHERE id = :user_id AND password_version = :version AND is_active = 1
      AND NOT EXISTS (SELECT 1 FROM throttles WHERE key = :throttle AND blocked_until > :now)
    RETURNING id";

/// The same password in another hash, so the version stays.
const UPGRADE_HASH: &str = "
    UPDATE users SET password_hash = :new_hash WHERE id = :user_id AND password_version = :version AND is_active = 1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_BY_EMAIL, SELECT_BY_ID, CHANGE_PASSWORD, UPGRADE_HASH];

/// Reads the credentials of an address. `unknown_slot` is the counter of an address without an account; it is read for
/// every address, so that both cases are the same work.
///
/// # Errors
/// [`DbError`].
pub async fn by_email(store: &Store, email: &Email, unknown_slot: i64) -> Result<Account, DbError> {
    let unknown_key = ThrottleKey::Unknown(unknown_slot);
    let by_email = query(SELECT_BY_EMAIL).bind("email", email);
    let [users, unknown] = store.batch([by_email, throttle::select(unknown_key)]).await?;
    let unknown = throttle::read(&unknown)?;
    Ok(match users.first::<CredentialsRow>()? {
        Some(row) => Account::of(row, ThrottleKey::Password),
        None => Account { credentials: None, throttle: unknown, key: unknown_key },
    })
}

/// Reads the credentials of a signed-in user; `None` if the account is erased.
#[must_use]
pub fn by_id(user_id: UserId) -> Read<Option<Account>> {
    let read: Read<Option<CredentialsRow>> = Read::of(query(SELECT_BY_ID).bind("user_id", user_id), Rows::first);
    read.map(|row| row.map(|row| Account::of(row, ThrottleKey::Reauthentication)))
}

impl Account {
    fn of(row: CredentialsRow, key: fn(UserId) -> ThrottleKey) -> Self {
        let (throttle, key) = (Throttle { blocked_until: row.blocked_until }, key(row.id));
        Self { credentials: Some(row), throttle, key }
    }
}

/// Records a refused password, and counts it if it was a guess. A refusal by the throttle is recorded with the same
/// statements, so that it takes the same time.
///
/// # Errors
/// [`DbError`].
pub async fn record_refusal(
    store: &Store,
    account: &Account,
    was_guess: bool,
    request: RequestInfo<'_>,
    event: Event,
) -> Result<(), DbError> {
    let count = throttle::count_failure(account.key, was_guess.into(), request.now);
    let [_, _] = store.batch([count, record(request, event)]).await?;
    Ok(())
}

/// Sets a new password and ends every session but one. Returns false, and changes nothing, if the verified password is
/// no longer current or a wait has begun.
///
/// # Errors
/// [`DbError`].
pub async fn change_password(
    store: &Store,
    verified: VerifiedPassword,
    new_hash: &str,
    kept_session: Option<SessionId>,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let user_id = verified.user_id;
    let change = query(CHANGE_PASSWORD)
        .bind("new_hash", new_hash)
        .bind("user_id", user_id)
        .bind("version", verified.version)
        .bind("throttle", ThrottleKey::Reauthentication(user_id).text())
        .bind("now", request.now);
    let changed = Event::of(EventType::PasswordChanged, user_id).within(kept_session);
    let refused = Event::of(EventType::PasswordChangeRefused, user_id).within(kept_session);
    let [rows, ..] = store
        .batch([
            change,
            record_outcome(request, changed, refused.because(Reason::Overtaken)),
            end_others(user_id, kept_session, new_hash),
            throttle::reset_after_change(user_id, new_hash),
        ])
        .await?;
    Ok(!rows.all::<IdRow>()?.is_empty())
}

/// Replaces a hash by another one of the same password, unless the password was changed concurrently.
///
/// # Errors
/// [`DbError`].
pub async fn upgrade_hash(store: &Store, verified: VerifiedPassword, new_hash: &str) -> Result<(), DbError> {
    let upgrade = query(UPGRADE_HASH)
        .bind("new_hash", new_hash)
        .bind("user_id", verified.user_id)
        .bind("version", verified.version);
    let [_] = store.batch([upgrade]).await?;
    Ok(())
}
