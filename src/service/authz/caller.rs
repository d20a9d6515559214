//! The caller of a request: a user with a session or a key, or a service account. It is made of a verified token or of a
//! presented key, once the database confirmed it.

use crate::domain::authz;
use crate::domain::authz::credential::{Credential, ServiceIdentity, UserKey};
use crate::domain::authz::{AllowedBy, Permission, Resource, Role, RoleGrant};
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::keys::ring::SignedBy;
use crate::domain::problem::{Code, Problem};
use crate::domain::session::methods::AuthMethods;
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::service::{Error, attribution};
use crate::store::account::users::{CallerRead, UserRow};
use crate::store::authz::viewer::{KeyProof, PresentedKey, Viewer};
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
    pub(in crate::service) fn of_key(
        key: &PresentedKey,
        read: KeyRead,
        required: &[Role],
        now: Timestamp,
    ) -> Result<Self, Error> {
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
        Ok(Self::User(Caller::new(user, credential, read.grants, row.has_mfa, required)))
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
    /// The roles of the user that count, read with every request.
    pub grants: Vec<RoleGrant>,
    /// The roles that would count in a session with more than one factor.
    pub withheld: Vec<RoleGrant>,
    /// The session has more than one factor, or the key was made in one that had.
    pub has_mfa: bool,
}

impl Caller {
    /// The caller behind a token, if the user is active and the session live.
    pub(in crate::service) fn of(subject: Subject, read: CallerRead, required: &[Role]) -> Result<Self, Error> {
        let row = read.caller.ok_or(Code::TokenInvalid)?;
        if !row.user.is_active {
            return Err(Code::InactiveUser.into());
        }
        if !row.session_is_live {
            return Err(Code::TokenRevoked.into());
        }
        let credential = Credential::Session(subject.session_id);
        let has_mfa = subject.methods.include(AuthMethods::MULTIPLE);
        Ok(Self::new(row.user, credential, read.grants, has_mfa, required))
    }

    /// `required` are the roles that count only with more than one factor.
    fn new(user: UserRow, credential: Credential, grants: Vec<RoleGrant>, has_mfa: bool, required: &[Role]) -> Self {
        let (grants, withheld) = grants.into_iter().partition(|grant| has_mfa || !required.contains(&grant.role));
        Self { user, credential, grants, withheld, has_mfa }
    }

    /// All roles of the user, in the order of their ids: those that do not count in this session, too.
    #[must_use]
    pub fn all_grants(&self) -> Vec<RoleGrant> {
        let mut all: Vec<RoleGrant> = self.grants.iter().chain(&self.withheld).copied().collect();
        all.sort_by_key(|grant| grant.id);
        all
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
        let refusal = match authz::decide(self.user.id, &self.grants, permission, resource) {
            Ok(allowed) => return Ok(allowed),
            // The owner may learn that a second factor is all that is missing.
            Err(_) if self.would_be_allowed(permission, resource) => return Err(Problem::needs_mfa().into()),
            Err(refusal) => refusal,
        };
        Err(match refusal {
            #[cfg(feature = "campus")]
            authz::Denial::Forbidden if permission == Permission::Campus(CampusPermission::ViewEnrollment) => {
                Problem::forbidden("Not your enrollment").into()
            }
            authz::Denial::Forbidden => Code::Forbidden.into(),
            authz::Denial::Unpublished => UNPUBLISHED.into(),
            authz::Denial::Invisible => Code::NotFound.into(),
        })
    }

    /// Would all roles together allow it?
    fn would_be_allowed(&self, permission: Permission, resource: &Resource) -> bool {
        !self.withheld.is_empty() && authz::decide(self.user.id, &self.all_grants(), permission, resource).is_ok()
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
    /// The methods of that sign-in.
    pub methods: AuthMethods,
    /// The key and the time of the token, which are judged again by the version of the ring that the database has.
    pub signed_by: SignedBy,
    pub issued_at: Timestamp,
}

impl Subject {
    /// The caller, for the statements that run before access is decided.
    #[must_use]
    pub fn viewer(&self, settings: &Settings) -> Viewer {
        let has_mfa = self.methods.include(AuthMethods::MULTIPLE);
        let withheld: &[Role] = if has_mfa { &[] } else { &settings.factors.required_roles };
        Viewer::of_user(self.user_id, withheld)
    }
}
