//! The caller behind a presented key: the key itself, its owner and the owner's roles, or its service account.
//!
//! The row is found by the id in the key, and the service compares the hashes. The other statements compare them in SQL,
//! because they run before.

use serde::Deserialize;

use crate::domain::authz::RoleGrant;
use crate::domain::authz::permission_set::PermissionSet;
use crate::domain::ids::ServiceAccountId;
use crate::domain::machine::api_key::{KeyHash, USE_INTERVAL_MS};
use crate::domain::machine::scope::ScopeSet;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, query};
use crate::store::account::users::{UserRow, user_columns};
use crate::store::audit::RequestInfo;
use crate::store::authz::grants;
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};
use crate::store::authz::viewer::{PresentedKey, Viewer, caller_id};
use crate::store::keys::ring_version;
use crate::store::names;
use crate::store::read::Read;
use crate::store::{boolean, optional_boolean};

const SELECT_KEY: &str = concat!(
    "SELECT k.secret_hash, k.permissions, k.has_mfa, k.created_at, k.expires_at, k.service_account_id, a.client_id, a.scopes,
            a.is_active AS service_is_active, ",
    ring_version!(),
    " AS ring_version
    FROM api_keys AS k LEFT JOIN service_accounts AS a ON a.id = k.service_account_id
    WHERE k.id = :key_id"
);

const SELECT_OWNER: &str =
    concat!("SELECT ", user_columns!(), " FROM users WHERE erasure_cursor IS NULL AND id = ", caller_id!());

/// At most once a minute, so that a key in constant use does not cost a write per request.
const NOTE_USE: &str = "
    UPDATE api_keys SET last_used_at = :now
    WHERE id = :key_id AND (secret_hash = :key_hash OR :is_proven = 1) AND coalesce(last_used_at, 0) <= :cutoff
      AND coalesce(expires_at, :now + 1) > :now";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_KEY, SELECT_OWNER, NOTE_USE];

/// A key, with the service account if it is one's.
#[derive(Debug, Deserialize)]
pub struct KeyRow {
    secret_hash: KeyHash,
    permissions: Option<String>,
    /// The key was made in a session with more than one factor.
    #[serde(deserialize_with = "boolean")]
    pub has_mfa: bool,
    /// The time at which the key was made.
    pub created_at: Timestamp,
    /// The end of the key, if it has one.
    pub expires_at: Option<Timestamp>,
    service_account_id: Option<ServiceAccountId>,
    /// The name of the service account, unless the key is a user's.
    pub client_id: Option<String>,
    scopes: Option<String>,
    #[serde(deserialize_with = "optional_boolean")]
    service_is_active: Option<bool>,
    /// The version of the key ring.
    pub ring_version: i64,
}

/// The service account of a key.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ServiceOfKey {
    pub id: ServiceAccountId,
    pub scopes: ScopeSet,
    pub is_active: bool,
}

impl KeyRow {
    /// Is the presented key this one, of the client that it claims, and is it still valid? A verified token needs no secret.
    #[must_use]
    pub fn verifies(&self, presented: &PresentedKey, now: Timestamp) -> bool {
        let is_proven = presented.hash().is_none_or(|hash| self.secret_hash.equals(hash));
        let claimed = presented.claimed_client.as_deref();
        let is_claimed = claimed.is_none_or(|client_id| self.client_id.as_deref() == Some(client_id));
        is_proven && is_claimed && self.expires_at.is_none_or(|end| now < end)
    }

    /// The permissions of a user's key.
    ///
    /// # Errors
    /// [`DbError`] for a malformed list.
    pub fn permissions(&self) -> Result<PermissionSet, DbError> {
        let names = names::parse(self.permissions.as_deref().unwrap_or("[]"))?;
        Ok(PermissionSet::of_names(names.iter().map(String::as_str)))
    }

    /// The service account, unless the key is a user's.
    ///
    /// # Errors
    /// [`DbError`] for a malformed list.
    pub fn service(&self) -> Result<Option<ServiceOfKey>, DbError> {
        let Some(id) = self.service_account_id else {
            return Ok(None);
        };
        let names = names::parse(self.scopes.as_deref().unwrap_or("[]"))?;
        let scopes = ScopeSet::of_names(names.iter().map(String::as_str));
        Ok(Some(ServiceOfKey { id, scopes, is_active: self.service_is_active == Some(true) }))
    }
}

/// The data for authorizing a request with a key.
pub struct KeyRead {
    /// `None` if there is no such key, or it was withdrawn.
    pub key: Option<KeyRow>,
    /// The owner of a user's key, if the secret is right.
    pub owner: Option<UserRow>,
    /// The roles that the owner holds.
    pub grants: Vec<RoleGrant>,
    /// The resource in the path, if it exists.
    pub resource: Option<ResourceRow>,
}

/// Reads the key, its owner and the owner's roles, without noting a use of the key.
#[must_use]
pub fn find(key: &PresentedKey) -> Read<KeyRead> {
    let viewer = Viewer::of_key(key, &[]);
    let select = Read::of(query(SELECT_KEY).bind("key_id", key.id), Rows::first);
    let read = select.and(Read::of(viewer.bind_id(query(SELECT_OWNER)), Rows::first)).and(grants::of_viewer(&viewer));
    read.map(|((key, owner), grants)| KeyRead { key, owner, grants, resource: None })
}

/// Reads the key, its owner, the owner's roles and the resource in the path, and notes the use of the key. While the
/// database is nearly full, the use is not noted: the request must not fail for it.
#[must_use]
pub fn caller(key: &PresentedKey, target: Option<Target>, request: RequestInfo<'_>) -> Read<KeyRead> {
    let read = find(key).and(note_use(key, request)).map(|(read, ())| read);
    match target {
        None => read,
        Some(target) => read.and(resources::find(target)).map(|(read, resource)| KeyRead { resource, ..read }),
    }
}

fn note_use(key: &PresentedKey, request: RequestInfo<'_>) -> Read<()> {
    if request.omits_refusals {
        return Read::nothing();
    }
    let cutoff = Timestamp::from_millis(request.now.millis() - USE_INTERVAL_MS);
    let update = query(NOTE_USE).bind("key_id", key.id).bind("key_hash", key.hash());
    let update = update.bind("is_proven", key.hash().is_none());
    Read::of(update.bind("now", request.now).bind("cutoff", cutoff), |_| Ok(()))
}
