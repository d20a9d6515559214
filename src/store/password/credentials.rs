//! What proves who somebody is: password hashes, and how often they were guessed at.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::limits::throttle::{FIRST_WAIT_MS, FREE_FAILURES, MAX_DOUBLINGS, MAX_WAIT_MS, Throttle};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement};
use crate::store::audit::{Event, RequestInfo, record, record_outcome};
use crate::store::session::end_others;
use crate::store::{IdRow, Store, boolean, statement};

/// What a password is checked against.
#[derive(Clone, Deserialize)]
pub struct CredentialsRow {
    /// Identifies the user.
    pub id: UserId,
    /// PHC string.
    pub password_hash: String,
    /// Which password this is: grows with every change.
    pub password_version: i64,
    /// May the user sign in?
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
    blocked_until: Timestamp,
}

/// What is on file for an address or a user.
pub struct Account {
    /// The user, if there is one.
    pub credentials: Option<CredentialsRow>,
    /// What wrong passwords have led to.
    pub throttle: Throttle,
    counter: Counter,
}

/// Where wrong passwords are counted.
#[derive(Clone, Copy)]
enum Counter {
    /// Of an account, at the door.
    User(UserId),
    /// Of an account, by somebody who is signed in to it.
    Proof(UserId),
    /// Of addresses without an account.
    Unknown(i64),
}

const SELECT_BY_EMAIL: &str = "
    SELECT id, password_hash, password_version, is_active, blocked_until FROM users WHERE email = ?1";

const SELECT_BY_ID: &str = "
    SELECT id, password_hash, password_version, is_active, proofs_blocked_until AS blocked_until FROM users
    WHERE id = ?1 AND erasure_cursor IS NULL";

const SELECT_UNKNOWN: &str = "SELECT blocked_until FROM unknown_sign_ins WHERE slot = ?1";

/// One more failure, or none (?2), and the wait that it earns. `domain::limits::throttle::wait_ms` in SQL. A wait is
/// never shortened: guesses that were under way together are written in any order.
const COUNT_FAILURE: &str = "
    UPDATE users
    SET failed_sign_ins = failed_sign_ins + ?2,
        blocked_until = CASE
            WHEN ?2 = 0 OR failed_sign_ins + ?2 <= ?4 THEN blocked_until
            ELSE max(blocked_until, ?3 + min(?5 << min(failed_sign_ins + ?2 - ?4 - 1, ?7), ?6))
        END
    WHERE id = ?1";

const COUNT_FAILED_PROOF: &str = "
    UPDATE users
    SET failed_proofs = failed_proofs + ?2,
        proofs_blocked_until = CASE
            WHEN ?2 = 0 OR failed_proofs + ?2 <= ?4 THEN proofs_blocked_until
            ELSE max(proofs_blocked_until, ?3 + min(?5 << min(failed_proofs + ?2 - ?4 - 1, ?7), ?6))
        END
    WHERE id = ?1";

const COUNT_UNKNOWN_FAILURE: &str = "
    UPDATE unknown_sign_ins
    SET failed_sign_ins = failed_sign_ins + ?2,
        blocked_until = CASE
            WHEN ?2 = 0 OR failed_sign_ins + ?2 <= ?4 THEN blocked_until
            ELSE max(blocked_until, ?3 + min(?5 << min(failed_sign_ins + ?2 - ?4 - 1, ?7), ?6))
        END
    WHERE slot = ?1";

/// Only with the password that was proven, and only while it may be used.
const CHANGE_PASSWORD: &str = "
    UPDATE users
    SET password_hash = ?1, password_version = password_version + 1, failed_sign_ins = 0, blocked_until = 0,
        failed_proofs = 0, proofs_blocked_until = 0
    WHERE id = ?2 AND password_version = ?3 AND is_active = 1 AND proofs_blocked_until <= ?4
    RETURNING id";

/// The same password in another hash.
const UPGRADE_HASH: &str = "UPDATE users SET password_hash = ?1 WHERE id = ?2 AND password_hash = ?3 AND is_active = 1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_BY_EMAIL,
    SELECT_BY_ID,
    SELECT_UNKNOWN,
    COUNT_FAILURE,
    COUNT_FAILED_PROOF,
    COUNT_UNKNOWN_FAILURE,
    CHANGE_PASSWORD,
    UPGRADE_HASH,
];

#[derive(Deserialize)]
struct ThrottleRow {
    blocked_until: Timestamp,
}

/// Who signs in with this address, and may anybody? `unknown_slot` is where it is counted if nobody does.
///
/// # Errors
/// [`DbError`].
pub async fn by_email(store: &Store, email: &Email, unknown_slot: i64) -> Result<Account, DbError> {
    let by_email = statement(SELECT_BY_EMAIL, [email.as_str().into()]);
    let [users, unknown] = store.batch([by_email, statement(SELECT_UNKNOWN, [unknown_slot.into()])]).await?;
    let credentials = users.first::<CredentialsRow>()?;
    let unknown = unknown.first::<ThrottleRow>()?.ok_or_else(|| missing("unknown_sign_ins"))?;
    Ok(match credentials {
        Some(row) => Account::of(row, Counter::User),
        None => Account {
            credentials: None,
            throttle: Throttle { blocked_until: unknown.blocked_until },
            counter: Counter::Unknown(unknown_slot),
        },
    })
}

/// The credentials of somebody who is signed in. Nothing, if they were erased a moment ago.
///
/// # Errors
/// [`DbError`].
pub async fn by_id(store: &Store, user_id: UserId) -> Result<Option<Account>, DbError> {
    let [rows] = store.batch([statement(SELECT_BY_ID, [user_id.get().into()])]).await?;
    Ok(rows.first()?.map(|row| Account::of(row, Counter::Proof)))
}

impl Account {
    fn of(row: CredentialsRow, counter: fn(UserId) -> Counter) -> Self {
        let (throttle, counter) = (Throttle { blocked_until: row.blocked_until }, counter(row.id));
        Self { credentials: Some(row), throttle, counter }
    }
}

/// Writes a refused password down, and counts it if it was a guess. What the throttle refused is written with
/// the same statements, so that it takes the same time.
///
/// # Errors
/// [`DbError`].
pub async fn refuse(
    store: &Store,
    account: &Account,
    was_guess: bool,
    request: RequestInfo<'_>,
    event: Event,
) -> Result<(), DbError> {
    let count = count_failure(account, i64::from(was_guess), request.now);
    let [_, _] = store.batch([count, record(request, event)]).await?;
    Ok(())
}

fn count_failure(account: &Account, failures: i64, now: Timestamp) -> Statement {
    let (sql, key) = match account.counter {
        Counter::User(id) => (COUNT_FAILURE, id.get()),
        Counter::Proof(id) => (COUNT_FAILED_PROOF, id.get()),
        Counter::Unknown(slot) => (COUNT_UNKNOWN_FAILURE, slot),
    };
    let numbers = [key, failures, now.millis(), FREE_FAILURES, FIRST_WAIT_MS, MAX_WAIT_MS, MAX_DOUBLINGS];
    statement(sql, numbers.map(Into::into))
}

/// A new password for who proved the old one; every session but one ends. False if the old password is no
/// longer the one that was proven, or may not be used at this moment: then nothing changed.
///
/// # Errors
/// [`DbError`].
pub async fn change_password(
    store: &Store,
    proven: &CredentialsRow,
    new_hash: &str,
    staying: SessionId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let now = request.now.millis();
    let version = proven.password_version;
    let change = statement(CHANGE_PASSWORD, [new_hash.into(), proven.id.get().into(), version.into(), now.into()]);
    let changed = Event::of(EventType::PasswordChanged, proven.id).in_session(staying);
    let refused = Event::of(EventType::PasswordChangeRefused, proven.id).in_session(staying);
    let [rows, ..] = store
        .batch([
            change,
            record_outcome(request, changed, refused.because(Reason::Overtaken)),
            end_others(proven.id, staying, new_hash, request.now),
        ])
        .await?;
    Ok(!rows.all::<IdRow>()?.is_empty())
}

/// Replaces a hash by another one of the same password, unless it was replaced meanwhile.
///
/// # Errors
/// [`DbError`].
pub async fn upgrade_hash(store: &Store, user: &CredentialsRow, hash: &str) -> Result<(), DbError> {
    let values = [hash.into(), user.id.get().into(), user.password_hash.as_str().into()];
    let [_] = store.batch([statement(UPGRADE_HASH, values)]).await?;
    Ok(())
}

fn missing(table: &str) -> DbError {
    DbError::Unreadable(format!("{table} lacks a row that the migrations made"))
}
