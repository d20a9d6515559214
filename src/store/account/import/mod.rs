//! Import of users from other systems: the accounts that the lines meet, and the batch that writes them.
//!
//! The statements take all lines of a batch as one JSON list, so their number does not depend on the number of lines. Each
//! guard stands in a statement: another request may take an address or the importer's right between the read and the batch.

pub mod facts;
pub mod renaming;
pub mod replacing;
pub mod writing;

use crate::domain::authz::credential::ServiceIdentity;
use crate::domain::ids::UserId;
use crate::ports::Statement;
use crate::store::owned::{Paging, Section};
use crate::store::session::liveness::session_is_live;

/// The importer of a request.
#[derive(Debug, Clone, Copy)]
pub enum Importer {
    /// A service account, by one of its keys.
    Service(ServiceIdentity),
    /// An administrator of the platform.
    User(UserId),
}

impl Importer {
    /// The text of `users.imported_by`. Any change of this format would import every user twice.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Service(service) => format!("service/{}", service.id.get()),
            Self::User(id) => format!("user/{id}"),
        }
    }

    const fn actor(self) -> Option<UserId> {
        match self {
            Self::Service(_) => None,
            Self::User(id) => Some(id),
        }
    }

    const fn service(self) -> Option<ServiceIdentity> {
        match self {
            Self::Service(service) => Some(service),
            Self::User(_) => None,
        }
    }

    /// Binds the parameters of [`importer_may`].
    fn bind(self, statement: Statement) -> Statement {
        self.bind_key(statement.bind("actor_id", self.actor()))
    }

    /// The same for the event of a change, which has bound the actor.
    fn bind_key(self, statement: Statement) -> Statement {
        statement.bind("importer_key_id", self.service().map(|service| service.key_id))
    }
}

/// The importer still has the right: it administers the platform, or its key belongs to an active service account with the
/// scope.
macro_rules! importer_may {
    ($scope:literal) => {
        concat!(
            "(",
            $crate::store::authz::grants::actor_is_platform_admin!(),
            " OR EXISTS (
                 SELECT 1 FROM api_keys AS k JOIN service_accounts AS a ON a.id = k.service_account_id
                 WHERE k.id = :importer_key_id AND a.is_active = 1 AND instr(a.scopes, '\"",
            $scope,
            "\"') > 0
             ))"
        )
    };
}
/// The university of the role `$item` exists, and its department if it has one.
macro_rules! place_exists {
    ($item:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM universities WHERE id = ",
            $item,
            ".value ->> 'university_id') AND (",
            $item,
            ".value ->> 'department_id' IS NULL OR EXISTS (
                 SELECT 1 FROM departments
                 WHERE id = ",
            $item,
            ".value ->> 'department_id' AND university_id = ",
            $item,
            ".value ->> 'university_id'
             )))"
        )
    };
}

/// The importer may write the line `d`, its external id is free, and the places of its roles exist.
macro_rules! line_holds {
    () => {
        concat!(
            $crate::store::account::import::importer_may!("users:import"),
            " AND (d.value ->> 'roles' = '[]' OR ",
            $crate::store::account::import::importer_may!("roles:grant"),
            ") AND NOT EXISTS (
                 SELECT 1 FROM users AS x WHERE x.imported_by = :importer AND x.external_id = d.value ->> 'external_id'
             ) AND NOT EXISTS (
                 SELECT 1 FROM json_each(d.value -> 'roles') AS r WHERE NOT ",
            $crate::store::account::import::place_exists!("r"),
            ")"
        )
    };
}

/// The address of the account `u` was never proven, and nothing says that the account is its owner's: no administrator gave it
/// a role or disabled it, and no import made it.
macro_rules! is_replaceable {
    () => {
        "u.email_verified_at IS NULL AND u.imported_by IS NULL AND u.is_active = 1 AND u.erasure_cursor IS NULL
         AND NOT EXISTS (SELECT 1 FROM user_university_roles AS g WHERE g.user_id = u.id)"
    };
}

/// The users that the lines have made.
macro_rules! made {
    () => {
        "json_each(:lines) AS d CROSS JOIN users AS u ON u.email = d.value ->> 'email' WHERE u.import_id = d.value ->> 'id'"
    };
}
use {importer_may, is_replaceable, line_holds, made, place_exists};

const EXPORT: &str = concat!(
    "SELECT external_id FROM users WHERE id = :user_id AND imported_by IS NOT NULL LIMIT :limit * ",
    session_is_live!()
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[EXPORT];

/// The columns of `users` that an import alone sets.
pub(super) const EXPORTED: Section =
    Section { member: "imports", select: EXPORT, paging: Paging::FirstPage { limit: 1 } };

#[cfg(test)]
mod tests {
    use super::*;

    use crate::domain::ids::{ApiKeyId, ServiceAccountId};
    use crate::domain::machine::scope::ScopeSet;

    #[test]
    fn importer_format_unchanged() {
        let [id, key_id] = [7, 8];
        let service = ServiceIdentity {
            id: ServiceAccountId::new(id).unwrap(),
            key_id: ApiKeyId::new(key_id).unwrap(),
            scopes: ScopeSet::default(),
        };
        assert_eq!(Importer::Service(service).text(), "service/7");
        assert_eq!(Importer::User(UserId::new(7).unwrap()).text(), "user/7");
    }
}
