//! Users: registration, profile, and the caller of a request. Passwords are in `credentials`, deletion in `erasure`.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::audit::{EventType, Reason};
use crate::domain::authz::RoleGrant;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::refusals::{self, count_refusal};
use crate::store::audit::{self, Event, RequestInfo, insert_event, record_if_changed};
use crate::store::authz::grants;
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};
use crate::store::keys::ring_version;
use crate::store::mail::counts::Asking;
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::proofs;
use crate::store::mail::proofs::NewProof;
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::session::opening::{self, NewSession, insert_session};
use crate::store::session::token_inputs::{TokenInputs, token_inputs};
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
}

/// The user and the session that an access token names.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the query's columns")]
pub struct CallerRow {
    #[serde(flatten)]
    pub user: UserRow,
    /// True if the user has this session and it has not expired.
    #[serde(deserialize_with = "boolean")]
    pub session_is_live: bool,
    /// The version of the key ring.
    pub ring_version: i64,
}

/// A user to be registered.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct NewUser<'a> {
    pub email: &'a Email,
    /// A PHC string with parameters and salt.
    pub password_hash: &'a str,
    pub full_name: Option<&'a FullName>,
}

/// The result of a registration that succeeded.
#[derive(Debug)]
pub struct Created {
    /// The user as stored.
    pub user: UserRow,
    /// For the first access token.
    pub inputs: TokenInputs,
    /// Asks for a proof of the address.
    pub mail: Option<QueuedMail>,
}

/// The result of a registration.
#[derive(Debug)]
pub enum RegistrationOutcome {
    /// The user was created.
    Created(Box<Created>),
    /// The address already has an account.
    EmailTaken,
    /// The network exceeded its limit in this window.
    TooMany {
        /// Start of the current window.
        window_started_at: Timestamp,
    },
}

/// The limit of registrations per network and window.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationLimit<'a> {
    /// The client network, whose registrations are counted together.
    pub network: &'a str,
    /// Maximum number of attempts, including refused ones.
    pub attempts: i64,
    /// A window that began at or before this moment is over.
    pub window_cutoff: Timestamp,
}

/// The columns of a [`UserRow`].
macro_rules! user_columns {
    () => {
        "id, email, full_name, is_active, created_at, email_verified_at, mail_refused_at"
    };
}
pub(in crate::store) use user_columns;

/// A batch that is executed again finds its nonce, and counts nothing.
pub(super) const COUNT_REGISTRATION: &str = "
    INSERT INTO registration_counts (network, window_started_at, attempts, nonce) VALUES (:network, :now, 1, :nonce)
    ON CONFLICT (network) DO UPDATE SET
        attempts =
            CASE WHEN window_started_at <= :window_cutoff THEN 1 ELSE attempts + (nonce IS NOT excluded.nonce) END,
        window_started_at =
            CASE WHEN window_started_at <= :window_cutoff THEN excluded.window_started_at ELSE window_started_at END,
        nonce = excluded.nonce
    RETURNING attempts, window_started_at";

/// The constraint decides whether the address is free; the preceding count decides whether the network may register.
const INSERT_USER: &str = "
    INSERT INTO users (email, password_hash, full_name, registered_network, created_at)
     SELECT :email, :password_hash, :full_name, :network_tag, :now
     WHERE (SELECT attempts FROM registration_counts WHERE network = :network) <= :max_attempts
       AND NOT EXISTS (SELECT 1 FROM users WHERE email = :email)
     ON CONFLICT (email) DO NOTHING";

/// The salt makes the hash unique, so it says that this request added the user.
const SELECT_NEW_USER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    token_inputs!("users.id"),
    " FROM users WHERE email = :email AND password_hash = :password_hash"
);

/// Only for the user that this request added: the salt makes the hash unique.
const OPEN_SESSION_OF_NEW_USER: &str = insert_session!("email = :email AND password_hash = :password_hash");

const RECORD_REGISTRATION: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "s.user_id", session_id: "s.id", actor_id: "NULL", university_id: "NULL",
    from: "FROM sessions AS s WHERE s.id = :session_id",
};

pub(super) const COUNT_LIMITED: &str = count_refusal!(user_id: "NULL", if: "
    (SELECT attempts FROM registration_counts WHERE network = :network) > :max_attempts");

const COUNT_TAKEN: &str = count_refusal!(user_id: "(SELECT id FROM users WHERE email = :email)", if: "
    (SELECT attempts FROM registration_counts WHERE network = :network) <= :max_attempts
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = :new_session_id)");

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
pub const STATEMENTS: &[&str] = &[
    COUNT_REGISTRATION,
    INSERT_USER,
    OPEN_SESSION_OF_NEW_USER,
    SELECT_NEW_USER,
    RECORD_REGISTRATION,
    COUNT_LIMITED,
    COUNT_TAKEN,
    SELECT_CALLER,
    SET_FULL_NAME,
    SELECT_USER,
];

/// Selects a user, unless erased.
pub(in crate::store) fn select(user_id: UserId) -> Statement {
    query(SELECT_USER).bind("user_id", user_id)
}

#[derive(Deserialize)]
pub(super) struct CountRow {
    pub(super) attempts: i64,
    pub(super) window_started_at: Timestamp,
}

/// Counts the attempt, adds the user if the limit allows it, and opens the first session, in one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn register(
    store: &Store,
    user: &NewUser<'_>,
    session: &NewSession<'_>,
    limit: RegistrationLimit<'_>,
    proof: Option<(NewProof, Asking<'_>)>,
) -> Result<RegistrationOutcome, DbError> {
    let request = session.request;
    let count = query(COUNT_REGISTRATION)
        .bind("network", limit.network)
        .bind("now", request.now)
        .bind("nonce", request.stamp.nonce())
        .bind("window_cutoff", limit.window_cutoff);
    let insert = query(INSERT_USER)
        .bind("email", user.email)
        .bind("password_hash", user.password_hash)
        .bind("full_name", user.full_name)
        .bind("network_tag", session.network_tag)
        .bind("now", request.now)
        .bind("network", limit.network)
        .bind("max_attempts", limit.attempts);
    let open = opening::bind(query(OPEN_SESSION_OF_NEW_USER), session)
        .bind("email", user.email)
        .bind("password_hash", user.password_hash);
    // A new user has no roles.
    let select =
        query(SELECT_NEW_USER).bind("email", user.email).bind("password_hash", user.password_hash).bind("max_roles", 0);
    let record = audit::insert(RECORD_REGISTRATION, request, EventType::Registered).bind("session_id", session.id);
    let [limited, taken] = count_refused(user.email, session, limit);
    let mut statements = vec![count, insert, open, select, record, limited, taken];
    let of_proof = |(new, asking)| proofs::of_new_user(new, asking, user.password_hash, request);
    statements.extend(proof.into_iter().flat_map(of_proof));
    let results = store.batch_of(statements).await?;
    let [counts, _, _, users, _, _, _, mails @ ..] = results.as_slice() else {
        return Err(DbError::Corrupt("lost results".to_owned()));
    };
    if let Some((user, inputs)) = users.first()?.zip(TokenInputs::read(users)?) {
        let mail = mails.last().map(Rows::first).transpose()?.flatten();
        return Ok(RegistrationOutcome::Created(Box::new(Created { user, inputs, mail })));
    }
    let count: Option<CountRow> = counts.first()?;
    let count = count.ok_or_else(|| DbError::Unreadable("the count of registrations was not returned".to_owned()))?;
    Ok(if count.attempts > limit.attempts {
        RegistrationOutcome::TooMany { window_started_at: count.window_started_at }
    } else {
        RegistrationOutcome::EmailTaken
    })
}

/// Counts a refusal, for either reason. The user that has the address is known to the database alone, so a hash of the
/// address identifies it.
fn count_refused(email: &Email, session: &NewSession<'_>, limit: RegistrationLimit<'_>) -> [Statement; 2] {
    let refused = |sql, reason, subject: &str| {
        let event = Event::of(EventType::RegistrationRefused, None).because(reason);
        let count = refusals::if_recorded(session.request, sql, event, subject);
        count.map(|count| count.bind("network", limit.network).bind("max_attempts", limit.attempts))
    };
    let taken = refused(COUNT_TAKEN, Reason::EmailTaken, email.as_str());
    let taken = taken.map(|count| count.bind("email", email).bind("new_session_id", session.id));
    [refused(COUNT_LIMITED, Reason::RateLimited, ""), taken].map(|count| count.unwrap_or_else(refusals::nothing))
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
