//! The facts about an asserted identity that a decision needs.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::federation::assertion::Assertion;
use crate::domain::federation::decision::{AddressHolder, LinkedOwner};
use crate::domain::ids::{ProofId, UserId};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::federation::flows::select_code;
use crate::store::mail::taken::address_is_taken;
use crate::store::{IdRow, Store, boolean};

const SELECT_LINKED: &str = "
    SELECT i.user_id, i.suspended_at IS NOT NULL AS is_suspended, u.is_active
    FROM identities AS i JOIN users AS u ON u.id = i.user_id WHERE i.issuer = :issuer AND i.subject = :subject";

/// The user `u` has a role that administers something.
macro_rules! administers {
    () => {
        "EXISTS (
             SELECT 1 FROM user_university_roles AS g
             WHERE g.user_id = u.id AND g.role IN ('PLATFORM_ADMIN', 'UNIVERSITY_ADMIN', 'DEPARTMENT_ADMIN')
         )"
    };
}
pub(in crate::store) use administers;

const SELECT_HOLDER: &str = concat!(
    "SELECT u.id AS user_id, coalesce(u.is_active, 0) AS is_active, ",
    administers!(),
    " AS is_administrator
     FROM (SELECT 1) LEFT JOIN users AS u ON u.email = :email AND u.erasure_cursor IS NULL WHERE ",
    address_is_taken!(":email", "NULL")
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_LINKED, SELECT_HOLDER];

#[derive(Deserialize)]
struct LinkedRow {
    user_id: UserId,
    #[serde(deserialize_with = "boolean")]
    is_suspended: bool,
    #[serde(deserialize_with = "boolean")]
    is_active: bool,
}

#[derive(Deserialize)]
struct HolderRow {
    user_id: Option<UserId>,
    #[serde(deserialize_with = "boolean")]
    is_active: bool,
    #[serde(deserialize_with = "boolean")]
    is_administrator: bool,
}

/// The owner of the identity, and the holder of the address.
pub type Found = (Option<LinkedOwner>, Option<AddressHolder>);

fn select(assertion: &Assertion, request: RequestInfo<'_>) -> [Statement; 2] {
    let linked = query(SELECT_LINKED).bind("issuer", assertion.issuer.as_str());
    let email = assertion.email.as_ref().map_or("", Email::as_str);
    [
        linked.bind("subject", assertion.subject.as_str()),
        query(SELECT_HOLDER).bind("email", email).bind("now", request.now),
    ]
}

fn read(linked: &Rows, holder: &Rows) -> Result<Found, DbError> {
    let owner = |LinkedRow { user_id, is_suspended, is_active }| LinkedOwner { user_id, is_suspended, is_active };
    let of_address = |row: HolderRow| {
        let HolderRow { user_id, is_active, is_administrator } = row;
        AddressHolder { user_id, is_active, is_administrator }
    };
    Ok((linked.first()?.map(owner), holder.first()?.map(of_address)))
}

/// Reads the owner of the identity and the holder of the address.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, assertion: &Assertion, request: RequestInfo<'_>) -> Result<Found, DbError> {
    let [linked, holder] = store.batch(select(assertion, request)).await?;
    read(&linked, &holder)
}

/// The same after a mailed code; `None` if the code is no longer good.
///
/// # Errors
/// [`DbError`].
pub async fn find_with_code(
    store: &Store,
    assertion: &Assertion,
    proof_id: ProofId,
    request: RequestInfo<'_>,
) -> Result<Option<Found>, DbError> {
    let [linked, holder] = select(assertion, request);
    let [linked, holder, code] = store.batch([linked, holder, select_code(proof_id, request)]).await?;
    let found = read(&linked, &holder)?;
    Ok((!code.all::<IdRow>()?.is_empty()).then_some(found))
}
