//! Password hashes: reading them for verification, and replacing them.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{ProofId, SessionId, UserId};
use crate::domain::limits::standing::StoredCounter;
use crate::domain::limits::throttle::{KNOWN_FOR_MS, Scope, Throttle, reauthentication_key};
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::account::pending;
use crate::store::audit::refusals;
use crate::store::audit::{self, Event, RequestInfo, insert_event};
use crate::store::mail::notices::{self, Notice, password_notice};
use crate::store::mail::outbox::QueuedMail;
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
    /// False if no password matches the hash: the account was emptied, or taken back from a thief.
    #[serde(deserialize_with = "boolean")]
    pub has_password: bool,
    /// A disabled account cannot sign in.
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
    /// The network of a registration within 90 days. Read for a sign-in only.
    #[serde(default)]
    pub registered_network: Option<String>,
}

impl CredentialsRow {
    /// Evidence that the password matched this row. Only the check itself may create it, or a fresh sign-in that stands for
    /// the password.
    #[must_use]
    pub const fn verified(&self) -> VerifiedPassword {
        VerifiedPassword { user_id: self.id, version: self.password_version }
    }
}

/// The credentials and the counters of an address.
pub struct SignInAccount {
    /// Absent for an address without an account.
    pub credentials: Option<CredentialsRow>,
    /// The account, or the counters that addresses without one share.
    pub scope: Scope,
    /// The stored counters of sign-ins.
    pub counters: Vec<StoredCounter>,
    /// The hash of a registration that waits for the proof of its address.
    pub registration: Option<String>,
}

/// The columns of a [`CredentialsRow`].
macro_rules! credentials_columns {
    () => {
        "u.id, u.password_hash, u.password_version, u.has_password, u.is_active"
    };
}

const SELECT_BY_EMAIL: &str = concat!(
    "SELECT ",
    credentials_columns!(),
    ", CASE WHEN u.created_at > :known_after THEN u.registered_network END AS registered_network
     FROM users AS u WHERE u.email = :email"
);

/// The user whom a proof concerns.
const SELECT_BY_PROOF: &str = concat!(
    "SELECT ",
    credentials_columns!(),
    ", CASE WHEN u.created_at > :known_after THEN u.registered_network END AS registered_network
     FROM users AS u WHERE u.id = (SELECT p.user_id FROM email_proofs AS p WHERE p.id = :proof_id)"
);

/// The counters of that user.
const COUNTERS_BY_PROOF: &str = "
    SELECT t.key, t.tag, t.failures, t.failed_at, t.blocked_until, t.closed_until, t.signed_in_at
    FROM users AS u JOIN throttles AS t ON t.key > 'user/' || u.id || '/known/' AND t.key < 'user/' || u.id || '/unknown0'
    WHERE u.id = (SELECT p.user_id FROM email_proofs AS p WHERE p.id = :proof_id)";

const SELECT_BY_ID: &str = concat!(
    "SELECT ",
    credentials_columns!(),
    ", coalesce(t.blocked_until, 0) AS blocked_until
     FROM users AS u LEFT JOIN throttles AS t ON t.key = 'user/' || u.id || '/reauthentication'
     WHERE u.id = :user_id AND u.erasure_cursor IS NULL"
);

/// A condition on a row of `users`: the verified version of the password is current, the account active, the session live,
/// and no wait of re-authentication is in force.
macro_rules! password_holds {
    () => {
        concat!(
            "password_version = :version AND is_active = 1
             AND NOT EXISTS (SELECT 1 FROM throttles WHERE key = :throttle AND blocked_until > :now) AND ",
            $crate::store::session::liveness::session_is_live!()
        )
    };
}
pub(in crate::store) use password_holds;

const CHANGE_PASSWORD: &str = concat!(
    "UPDATE users SET password_hash = :new_hash, has_password = 1, password_version = password_version + 1 WHERE id = :user_id AND ",
    password_holds!()
);

/// The salt makes the hash unique, so it says that the change was made.
const SELECT_CHANGED: &str = "SELECT id FROM users WHERE id = :user_id AND password_hash = :new_hash";

const RECORD_CHANGE: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: ":session_id", actor_id: "NULL",
    university_id: "NULL", from: "FROM users WHERE id = :user_id AND password_hash = :new_hash",
};

/// The same password in another hash, so the version stays.
const UPGRADE_HASH: &str = "
    UPDATE users SET password_hash = :new_hash WHERE id = :user_id AND password_version = :version AND is_active = 1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT_BY_EMAIL,
    SELECT_BY_PROOF,
    COUNTERS_BY_PROOF,
    SELECT_BY_ID,
    CHANGE_PASSWORD,
    SELECT_CHANGED,
    RECORD_CHANGE,
    UPGRADE_HASH,
];

/// Reads the credentials of an address. `no_account` has the counters of an address without an account; they are read
/// for every address, so that both cases are the same work. `registering_from` is the tag of the client's network, where
/// addresses must be proven.
///
/// # Errors
/// [`DbError`].
pub async fn by_email(
    store: &Store,
    email: &Email,
    no_account: Scope,
    registering_from: Option<&str>,
    now: Timestamp,
) -> Result<SignInAccount, DbError> {
    let by_email = query(SELECT_BY_EMAIL).bind("email", email).bind("known_after", known_after(now));
    let mut statements = vec![by_email, throttle::select_by_email(email), throttle::select(no_account)];
    statements.extend(registering_from.map(|tag| pending::select_by_address(email, tag, now)));
    let results = store.batch_of(statements).await?;
    let [users, own, shared, pending @ ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let registration = pending.first().map(pending::read_hash).transpose()?.flatten();
    let credentials: Option<CredentialsRow> = users.first()?;
    let scope = credentials.as_ref().map_or(no_account, |row| Scope::User(row.id));
    let counters = throttle::read(if credentials.is_some() { own } else { shared })?;
    Ok(SignInAccount { credentials, scope, counters, registration })
}

const fn known_after(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis() - KNOWN_FOR_MS)
}

/// Reads the credentials of the user whom a proof concerns; `None` without one.
#[must_use]
pub fn by_proof(proof: ProofId, now: Timestamp) -> Read<Option<SignInAccount>> {
    let select = query(SELECT_BY_PROOF).bind("proof_id", proof).bind("known_after", known_after(now));
    let credentials = Read::of(select, Rows::first::<CredentialsRow>);
    let counters = Read::of(query(COUNTERS_BY_PROOF).bind("proof_id", proof), throttle::read);
    credentials.and(counters).map(|(credentials, counters)| {
        let scope = Scope::User(credentials.as_ref()?.id);
        Some(SignInAccount { credentials, scope, counters, registration: None })
    })
}

/// The wait of re-authentication, a column beside the credentials of a signed-in user.
#[derive(Deserialize)]
struct Wait {
    blocked_until: Timestamp,
}

/// The credentials and the throttle of a signed-in user.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types of the fields are documented")]
pub struct Account {
    pub credentials: CredentialsRow,
    pub throttle: Throttle,
}

/// Reads the credentials of a signed-in user; `None` if the account is erased.
#[must_use]
pub fn by_id(user_id: UserId) -> Read<Option<Account>> {
    let read = Read::of(query(SELECT_BY_ID).bind("user_id", user_id), Rows::first::<(CredentialsRow, Wait)>);
    read.map(|row| {
        let account =
            |(credentials, Wait { blocked_until })| Account { credentials, throttle: Throttle { blocked_until } };
        row.map(account)
    })
}

/// A password was changed.
pub struct PasswordChanged {
    /// The mail that tells it.
    pub notice: Option<QueuedMail>,
}

/// Sets a new password and ends every session but one. Returns `None`, and changes nothing, if the verified password is
/// no longer current or a wait has begun.
///
/// # Errors
/// [`DbError`].
pub async fn change_password(
    store: &Store,
    verified: VerifiedPassword,
    new_hash: &str,
    kept_session: Option<SessionId>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<PasswordChanged>, DbError> {
    let user_id = verified.user_id;
    let change = query(CHANGE_PASSWORD)
        .bind("new_hash", new_hash)
        .bind("user_id", user_id)
        .bind("version", verified.version)
        .bind("throttle", reauthentication_key(user_id))
        .bind("session_id", kept_session)
        .bind("now", request.now);
    let of_change = |statement: Statement| statement.bind("user_id", user_id).bind("new_hash", new_hash);
    let record = audit::insert(RECORD_CHANGE, request, EventType::PasswordChanged).bind("session_id", kept_session);
    let refused = Event::of(EventType::PasswordChangeRefused, user_id).within(kept_session).because(Reason::Overtaken);
    let [reset_unknown, reset_known] = throttle::reset_after_change(user_id, new_hash);
    let mut statements = vec![
        change,
        of_change(query(SELECT_CHANGED)),
        of_change(record),
        refusals::count_unless(request, refused, EventType::PasswordChanged),
        end_others(user_id, kept_session, new_hash),
        reset_unknown,
        reset_known,
    ];
    if let Some(notice) = notice {
        statements.extend(password_notice(notice, user_id, new_hash, request.now));
    }
    let results = store.batch_of(statements).await?;
    let [_, changed, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let notice = notices::queued(notice, &results)?;
    Ok((!changed.all::<IdRow>()?.is_empty()).then_some(PasswordChanged { notice }))
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
