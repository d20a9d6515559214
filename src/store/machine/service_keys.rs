//! The keys of service accounts, for administrators of the platform.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{ApiKeyId, ServiceAccountId, UserId};
use crate::domain::machine::api_key::{ApiKey, MAX_KEYS_OF_SERVICE};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::{self, RequestInfo, insert_event, is_done, recorded};
use crate::store::authz::grants::{actor_is_platform_admin, caller_is_platform_admin, select_actor};
use crate::store::authz::viewer::Viewer;
use crate::store::machine::service_accounts::{ServiceOutcome, outcome};
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;
use crate::store::{IdRow, Store};

/// A key of a service account, without its hash.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ServiceKeyRow {
    pub id: ApiKeyId,
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// The latest use, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A key to be made.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct NewServiceKey<'a> {
    pub key: &'a ApiKey,
    pub account_id: ServiceAccountId,
    pub name: Option<&'a Label>,
    pub expires_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, name, created_at, expires_at, last_used_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO api_keys (id, service_account_id, name, secret_hash, created_at, expires_at)
     SELECT :key_id, id, :name, :key_hash, :now, :expires_at FROM service_accounts
     WHERE id = :account_id
       AND (SELECT count(*) FROM api_keys WHERE service_account_id = :account_id) < :max_keys AND ",
    actor_is_platform_admin!(),
    " ON CONFLICT (id) DO NOTHING"
);

/// Follows [`INSERT`] in its batch.
const RECORD_CREATION: &str = insert_event! {
    type: ":type", reason: "client_id", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", object_id: ":key_id",
    from: "FROM service_accounts WHERE id = :account_id AND changes() > 0",
};

/// The key that this request added.
const SELECT_NEW: &str =
    concat!("SELECT ", columns!(), " FROM api_keys WHERE id = :key_id AND secret_hash = :key_hash");

const SELECT_ACCOUNT: &str = "SELECT id FROM service_accounts WHERE id = :account_id";

/// The same for a list, which is read before access is decided.
const SELECT_ACCOUNT_OF_LIST: &str =
    concat!("SELECT id FROM service_accounts WHERE id = :account_id LIMIT ", caller_is_platform_admin!());

const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM api_keys WHERE service_account_id = :account_id AND id > :after ORDER BY id LIMIT :limit * ",
    caller_is_platform_admin!()
);

/// Written before the deletion.
const RECORD_WITHDRAWAL: &str = insert_event! {
    type: ":type", reason: "a.client_id", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "NULL", object_id: "k.id",
    from: concat!(
        "FROM api_keys AS k JOIN service_accounts AS a ON a.id = k.service_account_id
         WHERE k.id = :key_id AND a.id = :account_id AND ",
        actor_is_platform_admin!()
    ),
};

const DELETE: &str = concat!(
    "DELETE FROM api_keys WHERE id = :key_id AND service_account_id = :account_id AND ",
    actor_is_platform_admin!(),
    " RETURNING id"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    RECORD_CREATION,
    SELECT_NEW,
    SELECT_ACCOUNT,
    SELECT_ACCOUNT_OF_LIST,
    SELECT_ALL,
    RECORD_WITHDRAWAL,
    DELETE,
];

/// Adds a key. `Done(None)` if the account has the maximum of keys.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    new: &NewServiceKey<'_>,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<ServiceOutcome<Option<ServiceKeyRow>>, DbError> {
    let of_key = |statement: Statement| statement.bind("key_id", new.key.id());
    let insert = of_key(query(INSERT))
        .bind("account_id", new.account_id)
        .bind("name", new.name)
        .bind("key_hash", &new.key.hash())
        .bind("now", request.now)
        .bind("expires_at", new.expires_at)
        .bind("max_keys", MAX_KEYS_OF_SERVICE)
        .bind("actor_id", actor);
    let record = of_key(audit::insert(RECORD_CREATION, request, EventType::ServiceAccountKeyCreated));
    let record = record.bind("account_id", new.account_id).bind("actor_id", actor);
    let select = of_key(query(SELECT_NEW)).bind("key_hash", &new.key.hash());
    let account = query(SELECT_ACCOUNT).bind("account_id", new.account_id);
    let [actors, _, _, rows, accounts] = store.batch([select_actor(actor), insert, record, select, account]).await?;
    let created: Option<ServiceKeyRow> = rows.first()?;
    let is_allowed = !actors.all::<IdRow>()?.is_empty();
    let is_full = is_allowed && !accounts.all::<IdRow>()?.is_empty();
    outcome(&actors, (created.is_some() || is_full).then_some(created))
}

/// Lists the keys of an account, for an administrator of the platform. `None` if there is no such account.
#[must_use]
pub fn list(account_id: ServiceAccountId, viewer: &Viewer, page: PageRequest) -> Read<Option<Page<ServiceKeyRow>>> {
    let select = viewer.bind(page.query(SELECT_ALL).bind("account_id", account_id));
    let keys = Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &ServiceKeyRow| row.id.get())));
    let account = viewer.bind(query(SELECT_ACCOUNT_OF_LIST).bind("account_id", account_id));
    keys.and(Read::of(account, Rows::first::<IdRow>)).map(|(keys, account)| account.map(|_| keys))
}

/// Withdraws a key.
///
/// # Errors
/// [`DbError`].
pub async fn withdraw(
    store: &Store,
    account_id: ServiceAccountId,
    id: ApiKeyId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<ServiceOutcome<()>, DbError> {
    let of_key =
        |statement: Statement| statement.bind("key_id", id).bind("account_id", account_id).bind("actor_id", actor);
    let record = of_key(audit::insert(RECORD_WITHDRAWAL, request, EventType::ServiceAccountKeyWithdrawn));
    let recorded = recorded(request, EventType::ServiceAccountKeyWithdrawn);
    let statements = [select_actor(actor), record, of_key(query(DELETE)), recorded];
    let [actors, _, deleted, recorded] = store.batch(statements).await?;
    outcome(&actors, is_done(&deleted, &recorded)?.then_some(()))
}
