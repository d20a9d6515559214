//! The values that an access token needs from the batch that it answers: the version of the key ring, and the roles of the user.

use serde::Deserialize;

use crate::domain::authz::RoleGrant;
use crate::domain::ids::UserId;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::authz::grants;
use crate::store::keys::ring_version;

const SELECT_VERSION: &str = concat!("SELECT ", ring_version!(), " AS ring_version");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_VERSION];

/// The inputs of an access token.
#[derive(Debug, Clone, Default)]
pub struct TokenInputs {
    /// The version of the key ring.
    pub ring_version: i64,
    /// The roles of the user, as many as were asked for.
    pub grants: Vec<RoleGrant>,
}

#[derive(Deserialize)]
struct VersionRow {
    ring_version: i64,
}

impl TokenInputs {
    /// Selects the inputs. The limit is 0 if tokens list no roles: `SQLite` then reads no row.
    pub(in crate::store) fn select(user_id: Option<UserId>, max_roles: i64) -> [Statement; 2] {
        [query(SELECT_VERSION), grants::first_of_user(user_id, max_roles)]
    }

    pub(in crate::store) fn read(version: &Rows, grants: &Rows) -> Result<Self, DbError> {
        let ring_version = version.first::<VersionRow>()?.map_or(0, |row| row.ring_version);
        Ok(Self { ring_version, grants: grants::decode(grants)? })
    }
}
