//! The caller of a request: a user with a session or a key, or a service account. It is made of a verified token or of a
//! presented key, once the database confirmed it.

use crate::domain::authz;
use crate::domain::authz::credential::{Credential, ServiceIdentity, UserKey};
use crate::domain::authz::{AllowedBy, Permission, Resource, RoleGrant};
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::keys::ring::SignedBy;
use crate::domain::problem::{Code, Problem};
use crate::domain::time::Timestamp;
use crate::service::{Error, attribution};
use crate::store::account::users::{CallerRead, UserRow};
use crate::store::authz::viewer::{KeyProof, PresentedKey};
use crate::store::machine::presented::{KeyRead, ServiceOfKey};

/// The refusal of a student's enrolment in an unpublished course.
pub(in crate::service) const UNPUBLISHED: Problem = Problem::forbidden("Course is not published");

/// The authenticated principal of a request.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A user, by a session or a key.
    User(Caller),
    /// A service account, which is no user and has no roles. Its scopes are its rights.
    Service(ServiceIdentity),
}

impl Principal {
    /// The principal behind a presented key, if the key is valid and its owner active.
    pub(in crate::service) fn of_key(key: &PresentedKey, read: KeyRead, now: Timestamp) -> Result<Self, Error> {
        let row = read.key.filter(|row| row.verifies(key, now)).ok_or(Code::TokenInvalid)?;
        if let Some(ServiceOfKey { id, scopes, is_active }) = row.service()? {
            // A token has at most the scopes for which it was issued.
            let scopes = match key.proof() {
                KeyProof::Secret(_) => scopes,
                KeyProof::Token(claims, _) => scopes.and(claims.scopes),
            };
            let service = ServiceIdentity { id, key_id: key.id(), scopes };
            return if is_active { Ok(Self::Service(service)) } else { Err(Code::InactiveUser.into()) };
        }
        let user = read.owner.ok_or(Code::TokenInvalid)?;
        attribution::note_user(user.id);
        if !user.is_active {
            return Err(Code::InactiveUser.into());
        }
        let credential = Credential::ApiKey(UserKey { id: key.id(), permissions: row.permissions()? });
        Ok(Self::User(Caller { user, credential, grants: read.grants }))
    }

    /// The credential behind the request.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        match self {
            Self::User(caller) => caller.credential,
            Self::Service(service) => Credential::Service(*service),
        }
    }

    /// The user, unless the principal is a service account.
    #[must_use]
    pub const fn user(&self) -> Option<&Caller> {
        match self {
            Self::User(caller) => Some(caller),
            Self::Service(_) => None,
        }
    }
}

/// The authenticated user behind a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user, read for this request.
    pub user: UserRow,
    /// The session or the key behind the request.
    pub credential: Credential,
    /// The roles of the user, read with every request.
    pub grants: Vec<RoleGrant>,
}

impl Caller {
    /// The caller behind a token, if the user is active and the session live.
    pub(in crate::service) fn of(subject: Subject, read: CallerRead) -> Result<Self, Error> {
        let row = read.caller.ok_or(Code::TokenInvalid)?;
        if !row.user.is_active {
            return Err(Code::InactiveUser.into());
        }
        if !row.session_is_live {
            return Err(Code::TokenRevoked.into());
        }
        Ok(Self { user: row.user, credential: Credential::Session(subject.session_id), grants: read.grants })
    }

    /// Checks that the caller has a permission on a resource, and that a key leaves it to its owner.
    ///
    /// # Errors
    /// `FORBIDDEN`; `NOT_FOUND` for a resource that the caller may not see.
    pub fn may(&self, permission: Permission, resource: &Resource) -> Result<AllowedBy, Error> {
        let allowed = self.owner_may(permission, resource)?;
        self.demand_of_key(permission)?;
        Ok(allowed)
    }

    /// Checks that a key leaves its owner a permission, for lists that anyone may ask for.
    ///
    /// # Errors
    /// `FORBIDDEN`.
    pub fn demand_of_key(&self, permission: Permission) -> Result<(), Error> {
        if self.credential.leaves(permission) { Ok(()) } else { Err(Code::Forbidden.into()) }
    }

    /// Does the user administer the platform? A key narrows which operations it is good for, not which rows a list has.
    #[must_use]
    pub fn administers_platform(&self) -> bool {
        self.owner_may(Permission::Administer, &Resource::default()).is_ok()
    }

    fn owner_may(&self, permission: Permission, resource: &Resource) -> Result<AllowedBy, Error> {
        authz::decide(self.user.id, &self.grants, permission, resource).map_err(|refusal| match refusal {
            #[cfg(feature = "campus")]
            authz::Denial::Forbidden if permission == Permission::Campus(CampusPermission::ViewEnrollment) => {
                Error::Refused(Problem::forbidden("Not your enrollment"))
            }
            authz::Denial::Forbidden => Code::Forbidden.into(),
            authz::Denial::Unpublished => Error::Refused(UNPUBLISHED),
            authz::Denial::Invisible => Code::NotFound.into(),
        })
    }
}

/// The user and the session that a verified access token names. The token does not say whether they still exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Subject {
    pub user_id: UserId,
    pub session_id: SessionId,
    /// The sign-in of the session, if the token has it.
    pub auth_time: Option<Timestamp>,
    /// The key and the time of the token, which are judged again by the version of the ring that the database has.
    pub signed_by: SignedBy,
    pub issued_at: Timestamp,
}
