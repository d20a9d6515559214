//! Service accounts, for administrators of the platform. Their keys have their own file.
//!
//! Each write asks again whether the actor is an active administrator of the platform.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{ServiceAccountId, UserId};
use crate::domain::machine::api_key::ApiKey;
use crate::domain::machine::scope::ScopeSet;
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::{self, RequestInfo, insert_event, is_done, recorded};
use crate::store::authz::grants::{actor_is_platform_admin, caller_is_platform_admin, select_actor};
use crate::store::authz::viewer::Viewer;
use crate::store::names;
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;
use crate::store::{IdRow, Store, boolean};

/// A row of `service_accounts`.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ServiceAccountRow {
    pub id: ServiceAccountId,
    pub client_id: String,
    pub name: String,
    scopes: String,
    /// The keys of a disabled account are refused.
    #[serde(deserialize_with = "boolean")]
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ServiceAccountRow {
    /// The scopes of the account.
    ///
    /// # Errors
    /// [`DbError`] for a malformed list.
    pub fn scopes(&self) -> Result<ScopeSet, DbError> {
        let names = names::parse(&self.scopes)?;
        Ok(ScopeSet::of_names(names.iter().map(String::as_str)))
    }
}

/// An account to be added, with its first key.
#[allow(missing_docs, reason = "the fields are the tables' columns")]
pub struct NewServiceAccount<'a> {
    pub id: ServiceAccountId,
    pub client_id: &'a str,
    pub name: &'a Label,
    pub scopes: ScopeSet,
    pub key: &'a ApiKey,
}

/// A change of an account. An absent field stays as it is.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ServiceAccountChange {
    pub name: Option<Label>,
    pub scopes: Option<ScopeSet>,
    pub is_active: Option<bool>,
}

/// The outcome of a write about one account.
pub enum ServiceOutcome<T> {
    /// The write is done.
    Done(T),
    /// There is no such account.
    Missing,
    /// The actor is no longer an active administrator.
    ActorNotAllowed,
}

macro_rules! columns {
    () => {
        "id, client_id, name, scopes, is_active, created_at, updated_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
     SELECT :account_id, :client_id, :name, :scopes, :now, :now WHERE ",
    actor_is_platform_admin!(),
    " ON CONFLICT DO NOTHING"
);

/// Only for the account that this request added.
const INSERT_FIRST_KEY: &str = "
    INSERT INTO api_keys (id, service_account_id, secret_hash, created_at)
    SELECT :key_id, id, :key_hash, :now FROM service_accounts WHERE id = :account_id AND client_id = :client_id
    ON CONFLICT (id) DO NOTHING";

/// Follows [`INSERT`] in its batch.
const RECORD_CREATION: &str = insert_event! {
    type: ":type", reason: "client_id", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", object_id: "id", from: "FROM service_accounts WHERE id = :account_id AND changes() > 0",
};

const SELECT_NEW: &str =
    concat!("SELECT ", columns!(), " FROM service_accounts WHERE id = :account_id AND client_id = :client_id");

const SELECT: &str =
    concat!("SELECT ", columns!(), " FROM service_accounts WHERE id = :account_id LIMIT ", caller_is_platform_admin!());

const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM service_accounts WHERE id > :after ORDER BY id LIMIT :limit * ",
    caller_is_platform_admin!()
);

/// Written before the change, because a change to the present values is none.
const RECORD_CHANGE: &str = insert_event! {
    type: ":type", reason: "client_id", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", object_id: "id",
    from: concat!(
        "FROM service_accounts
         WHERE id = :account_id AND (
             name <> coalesce(:name, name) OR scopes <> coalesce(:scopes, scopes)
             OR is_active <> coalesce(:is_active, is_active)
         ) AND ",
        actor_is_platform_admin!()
    ),
};

const UPDATE: &str = concat!(
    "UPDATE service_accounts
     SET name = coalesce(:name, name), scopes = coalesce(:scopes, scopes), is_active = coalesce(:is_active, is_active),
         updated_at = :now
     WHERE id = :account_id AND ",
    actor_is_platform_admin!(),
    " RETURNING ",
    columns!()
);

/// Written before the deletion. The keys go with the account.
const RECORD_DELETION: &str = insert_event! {
    type: ":type", reason: "client_id", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", object_id: "id",
    from: concat!("FROM service_accounts WHERE id = :account_id AND ", actor_is_platform_admin!()),
};

const DELETE: &str =
    concat!("DELETE FROM service_accounts WHERE id = :account_id AND ", actor_is_platform_admin!(), " RETURNING id");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    INSERT_FIRST_KEY,
    RECORD_CREATION,
    SELECT_NEW,
    SELECT,
    SELECT_ALL,
    RECORD_CHANGE,
    UPDATE,
    RECORD_DELETION,
    DELETE,
];

/// Adds an account and its first key. `None` if the actor is no longer an active administrator.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    new: &NewServiceAccount<'_>,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<Option<ServiceAccountRow>, DbError> {
    let named = |sql| query(sql).bind("account_id", new.id).bind("client_id", new.client_id);
    let insert = named(INSERT)
        .bind("name", new.name)
        .bind("scopes", names::text(new.scopes.names()))
        .bind("now", request.now)
        .bind("actor_id", actor);
    let record = audit::insert(RECORD_CREATION, request, EventType::ServiceAccountCreated);
    let record = record.bind("account_id", new.id).bind("actor_id", actor);
    let key = named(INSERT_FIRST_KEY).bind("key_id", new.key.id()).bind("key_hash", &new.key.hash());
    let [_, _, _, rows] = store.batch([insert, record, key.bind("now", request.now), named(SELECT_NEW)]).await?;
    rows.first()
}

/// Finds an account, for an administrator of the platform.
#[must_use]
pub fn find(id: ServiceAccountId, viewer: &Viewer) -> Read<Option<ServiceAccountRow>> {
    Read::of(viewer.bind(query(SELECT).bind("account_id", id)), Rows::first)
}

/// Lists the accounts, for an administrator of the platform.
#[must_use]
pub fn list(viewer: &Viewer, page: PageRequest) -> Read<Page<ServiceAccountRow>> {
    let select = viewer.bind(page.query(SELECT_ALL));
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &ServiceAccountRow| row.id.get())))
}

/// Changes an account.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    store: &Store,
    id: ServiceAccountId,
    change: &ServiceAccountChange,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<ServiceOutcome<ServiceAccountRow>, DbError> {
    let scopes = change.scopes.map(|scopes| names::text(scopes.names()));
    let changed = |statement: Statement| {
        let statement = statement.bind("account_id", id).bind("actor_id", actor).bind("name", change.name.as_ref());
        statement.bind("scopes", scopes.clone()).bind("is_active", change.is_active)
    };
    let record = changed(audit::insert(RECORD_CHANGE, request, EventType::ServiceAccountChanged));
    let update = changed(query(UPDATE)).bind("now", request.now);
    let [actors, _, rows] = store.batch([select_actor(actor), record, update]).await?;
    outcome(&actors, rows.first()?)
}

/// Deletes an account and its keys.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    store: &Store,
    id: ServiceAccountId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<ServiceOutcome<()>, DbError> {
    let of_account = |statement: Statement| statement.bind("account_id", id).bind("actor_id", actor);
    let record = of_account(audit::insert(RECORD_DELETION, request, EventType::ServiceAccountDeleted));
    let recorded = recorded(request, EventType::ServiceAccountDeleted);
    let statements = [select_actor(actor), record, of_account(query(DELETE)), recorded];
    let [actors, _, deleted, recorded] = store.batch(statements).await?;
    outcome(&actors, is_done(&deleted, &recorded)?.then_some(()))
}

/// Reads the outcome from the rows of [`select_actor`], and from the result of the write.
pub(super) fn outcome<T>(actors: &Rows, done: Option<T>) -> Result<ServiceOutcome<T>, DbError> {
    Ok(match (done, actors.all::<IdRow>()?.is_empty()) {
        (Some(done), _) => ServiceOutcome::Done(done),
        (None, true) => ServiceOutcome::ActorNotAllowed,
        (None, false) => ServiceOutcome::Missing,
    })
}
