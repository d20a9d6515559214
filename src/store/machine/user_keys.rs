//! The API keys of users: making, listing and withdrawing them, and the entry in the register of user data.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::authz::permission_set::PermissionSet;
use crate::domain::ids::{ApiKeyId, SessionId, UserId};
use crate::domain::machine::api_key::{ApiKey, MAX_KEYS_OF_USER};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::audit::{Event, RequestInfo, is_done, record_if_changed, recorded};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::names;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store};

/// A key of a user, without its hash.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct UserKeyRow {
    pub id: ApiKeyId,
    pub name: String,
    permissions: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The latest use, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl UserKeyRow {
    /// The permissions to which the key is narrowed.
    ///
    /// # Errors
    /// [`DbError`] for a malformed list.
    pub fn permissions(&self) -> Result<PermissionSet, DbError> {
        let names = names::parse(&self.permissions)?;
        Ok(PermissionSet::of_names(names.iter().map(String::as_str)))
    }
}

/// A key to be made.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct NewUserKey<'a> {
    pub key: &'a ApiKey,
    pub user_id: UserId,
    /// The session that makes the key.
    pub session_id: Option<SessionId>,
    pub name: &'a Label,
    pub permissions: PermissionSet,
    pub expires_at: Option<Timestamp>,
    /// The session has more than one factor.
    pub has_mfa: bool,
    /// Only an owner whose address is proven may have keys.
    pub needs_proof: bool,
}

/// The outcome of making a key.
pub enum KeyCreationOutcome<T> {
    /// The key was added.
    Created(T),
    /// The owner has the maximum of keys.
    TooMany,
    /// The owner is gone or may not have keys any more.
    NoOwner,
}

macro_rules! columns {
    () => {
        "id, name, permissions, created_at, expires_at, last_used_at"
    };
}

/// A key outlives its session, so the session must not have ended concurrently.
macro_rules! owner_is_present {
    () => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM users WHERE id = :user_id AND is_active = 1
                   AND (:needs_proof = 0 OR email_verified_at IS NOT NULL)
             ) AND ",
            session_is_live!()
        )
    };
}

const INSERT: &str = concat!(
    "INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at, expires_at, has_mfa)
     SELECT :key_id, :user_id, :name, :permissions, :key_hash, :now, :expires_at, :has_mfa
     WHERE (SELECT count(*) FROM api_keys WHERE user_id = :user_id) < :max_keys AND ",
    owner_is_present!(),
    " ON CONFLICT (id) DO NOTHING"
);

/// The key that this request added.
const SELECT_NEW: &str =
    concat!("SELECT ", columns!(), " FROM api_keys WHERE id = :key_id AND secret_hash = :key_hash");

const SELECT_PRESENT_OWNER: &str = concat!("SELECT :user_id AS id WHERE ", owner_is_present!());

const SELECT_ALL: &str =
    concat!("SELECT ", columns!(), " FROM api_keys WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :limit");

const DELETE: &str = "DELETE FROM api_keys WHERE id = :key_id AND user_id = :user_id RETURNING id";

const EXPORT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM api_keys WHERE user_id = :user_id ORDER BY id LIMIT :limit * ",
    session_is_live!()
);

/// All at once: a user has fewer keys than a step has rows.
const ERASE: &str = "
    DELETE FROM api_keys
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step >= 25";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, SELECT_NEW, SELECT_PRESENT_OWNER, SELECT_ALL, DELETE, EXPORT, ERASE];

/// The keys of a user.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "api_keys",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM api_keys AS k WHERE k.user_id = users.id"],
    export: Some(Section { member: "api_keys", select: EXPORT, paging: Paging::FirstPage { limit: MAX_KEYS_OF_USER } }),
    walk: None,
};

/// Adds a key.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    new: &NewUserKey<'_>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<(KeyCreationOutcome<UserKeyRow>, Option<QueuedMail>), DbError> {
    let of_owner = |sql| {
        query(sql).bind("user_id", new.user_id).bind("session_id", new.session_id).bind("needs_proof", new.needs_proof)
    };
    let of_key = |statement: Statement| statement.bind("key_id", new.key.id()).bind("key_hash", &new.key.hash());
    let insert = of_key(of_owner(INSERT))
        .bind("name", new.name)
        .bind("permissions", names::text(new.permissions.names()))
        .bind("now", request.now)
        .bind("expires_at", new.expires_at)
        .bind("has_mfa", new.has_mfa)
        .bind("max_keys", MAX_KEYS_OF_USER);
    let event = Event::of(EventType::ApiKeyCreated, new.user_id).within(new.session_id).about(new.key.id().get());
    let owner = of_owner(SELECT_PRESENT_OWNER).bind("now", request.now);
    let mut statements = vec![insert, record_if_changed(request, event), of_key(query(SELECT_NEW)), owner];
    statements.extend(event_notice(notice, new.user_id, EventType::ApiKeyCreated, request));
    let results = store.batch_of(statements).await?;
    let [_, _, rows, owner, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let outcome = match (rows.first()?, owner.all::<IdRow>()?.is_empty()) {
        (Some(row), _) => KeyCreationOutcome::Created(row),
        (None, true) => KeyCreationOutcome::NoOwner,
        (None, false) => KeyCreationOutcome::TooMany,
    };
    Ok((outcome, queued(notice, &results)?))
}

/// Lists the keys of a user.
#[must_use]
pub fn list(user_id: UserId, page: PageRequest) -> Read<Page<UserKeyRow>> {
    let select = page.query(SELECT_ALL).bind("user_id", user_id);
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &UserKeyRow| row.id.get())))
}

/// Withdraws a key. `None` if the user has no such key; otherwise perhaps the notice.
///
/// # Errors
/// [`DbError`].
pub async fn withdraw(
    store: &Store,
    user_id: UserId,
    session_id: Option<SessionId>,
    id: ApiKeyId,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<Option<QueuedMail>>, DbError> {
    let delete = query(DELETE).bind("key_id", id).bind("user_id", user_id);
    let event = Event::of(EventType::ApiKeyWithdrawn, user_id).within(session_id).about(id.get());
    let recorded = recorded(request, EventType::ApiKeyWithdrawn);
    let mut statements = vec![delete, record_if_changed(request, event), recorded];
    statements.extend(event_notice(notice, user_id, EventType::ApiKeyWithdrawn, request));
    let results = store.batch_of(statements).await?;
    let [deleted, _, recorded, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    Ok(is_done(deleted, recorded)?.then_some(mail))
}
