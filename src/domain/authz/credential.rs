//! The credential behind a request, and the kinds of credentials that a route takes. Not every caller has a session.

use crate::domain::authz::Permission;
use crate::domain::authz::permission_set::PermissionSet;
use crate::domain::ids::{ApiKeyId, ServiceAccountId, SessionId};
use crate::domain::machine::scope::{Scope, ScopeSet};

/// The credential of an authenticated caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
    /// An API key of a user.
    ApiKey(UserKey),
    /// A service account, by one of its keys. A token that names the key is as good as the key.
    Service(ServiceIdentity),
}

/// An API key of a user. It has the rights of its owner, narrowed to some permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct UserKey {
    pub id: ApiKeyId,
    pub permissions: PermissionSet,
}

/// An active service account, and the key by which it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ServiceIdentity {
    pub id: ServiceAccountId,
    pub key_id: ApiKeyId,
    pub scopes: ScopeSet,
}

impl Credential {
    /// Whether the credential leaves its user this permission. A service account has no permissions of its own.
    #[must_use]
    pub fn leaves(self, permission: Permission) -> bool {
        match self {
            Self::Session(_) => true,
            Self::ApiKey(key) => key.permissions.contains(permission),
            Self::Service(_) => false,
        }
    }

    /// The permissions of an API key of a user.
    #[must_use]
    pub const fn permissions(self) -> Option<PermissionSet> {
        match self {
            Self::ApiKey(key) => Some(key.permissions),
            Self::Session(_) | Self::Service(_) => None,
        }
    }

    /// The session, if the credential belongs to one.
    #[must_use]
    pub const fn session_id(self) -> Option<SessionId> {
        match self {
            Self::Session(id) => Some(id),
            Self::ApiKey(_) | Self::Service(_) => None,
        }
    }
}

/// The credentials that a route takes: those of sessions, and others only where the route's line says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    takes_keys: bool,
    scope: Option<Scope>,
}

impl Accepted {
    /// Sessions only: the default of the table.
    pub const SESSIONS: Self = Self { takes_keys: false, scope: None };

    /// API keys of users, too.
    #[must_use]
    pub const fn and_keys(self) -> Self {
        Self { takes_keys: true, ..self }
    }

    /// Service accounts with this scope, too.
    #[must_use]
    pub const fn and_service(self, scope: Scope) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// Does the route take API keys of users?
    #[must_use]
    pub const fn takes_keys(self) -> bool {
        self.takes_keys
    }

    /// The scope with which the route takes a service account; `None` if it takes none.
    #[must_use]
    pub const fn scope(self) -> Option<Scope> {
        self.scope
    }

    /// Does the route take this credential?
    #[must_use]
    pub const fn takes(self, credential: Credential) -> bool {
        match credential {
            Credential::Session(_) => true,
            Credential::ApiKey(_) => self.takes_keys,
            Credential::Service(service) => match self.scope {
                Some(scope) => service.scopes.contains(scope),
                None => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_route_takes_only_the_credentials_of_its_line() {
        let key_id = ApiKeyId::new(7).unwrap();
        let session = Credential::Session(SessionId::new(7).unwrap());
        let key = Credential::ApiKey(UserKey { id: key_id, permissions: PermissionSet::default() });
        let service = |scope| {
            let scopes = [scope].into_iter().collect();
            Credential::Service(ServiceIdentity { id: ServiceAccountId::new(7).unwrap(), key_id, scopes })
        };
        let (read, check) = (service(Scope::UsersRead), service(Scope::AuthzCheck));
        let taken = |accepted: Accepted| [session, key, read, check].map(|credential| accepted.takes(credential));
        let sessions = Accepted::SESSIONS;
        assert_eq!(taken(sessions), [true, false, false, false]);
        assert_eq!(taken(sessions.and_keys()), [true, true, false, false]);
        assert_eq!(taken(sessions.and_service(Scope::UsersRead)), [true, false, true, false]);
        assert_eq!(taken(sessions.and_keys().and_service(Scope::AuthzCheck)), [true, true, false, true]);
    }
}
