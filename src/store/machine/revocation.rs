//! Withdrawal of a key by a client that has its text.

use crate::domain::audit::{EventType, Reason};
use crate::domain::machine::api_key::ApiKey;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, RequestInfo, insert_event, is_done, recorded};

macro_rules! is_the_key {
    () => {
        "k.id = :key_id AND k.secret_hash = :key_hash"
    };
}

/// Written before the deletion.
const RECORD_OF_USER: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: "k.user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    object_id: "k.id", from: concat!("FROM api_keys AS k WHERE k.user_id IS NOT NULL AND ", is_the_key!()),
};

const RECORD_OF_SERVICE: &str = insert_event! {
    type: ":type", reason: "a.client_id", user_id: "NULL", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    object_id: "k.id",
    from: concat!(
        "FROM api_keys AS k JOIN service_accounts AS a ON a.id = k.service_account_id WHERE ",
        is_the_key!()
    ),
};

const DELETE: &str = "DELETE FROM api_keys WHERE id = :key_id AND secret_hash = :key_hash RETURNING id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD_OF_USER, RECORD_OF_SERVICE, DELETE];

/// Withdraws a key. Returns false if there is no such key, or it was withdrawn before.
///
/// # Errors
/// [`DbError`].
pub async fn withdraw(store: &Store, key: &ApiKey, request: RequestInfo<'_>) -> Result<bool, DbError> {
    let of_key = |statement: Statement| statement.bind("key_id", key.id()).bind("key_hash", &key.hash());
    let of_user = of_key(audit::insert(RECORD_OF_USER, request, EventType::ApiKeyWithdrawn));
    let of_user = of_user.bind("reason", Reason::Service);
    let of_service = of_key(audit::insert(RECORD_OF_SERVICE, request, EventType::ServiceAccountKeyWithdrawn));
    let marks = [EventType::ApiKeyWithdrawn, EventType::ServiceAccountKeyWithdrawn].map(|kind| recorded(request, kind));
    let [user_mark, service_mark] = marks;
    let [_, _, deleted, user, service] =
        store.batch([of_user, of_service, of_key(query(DELETE)), user_mark, service_mark]).await?;
    Ok(is_done(&deleted, &user)? || is_done(&deleted, &service)?)
}
