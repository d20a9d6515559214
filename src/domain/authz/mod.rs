//! Role-based access control: THE decision, and THE table of permissions behind it.
//!
//! A user holds grants: a role in a university, optionally narrowed to a department. `PLATFORM_ADMIN` covers all. A
//! permission is checked on a resource: a university, optionally a department in it, optionally an owner. No other
//! module compares roles.
//!
//! Resources of a university in which the caller has no role are hidden ([`Denial::Invisible`]). Otherwise a caller
//! could enumerate ids to learn which resources other universities have.

pub mod credential;
pub mod permission_set;
pub mod role;
pub(in crate::domain) mod row;
pub mod step_up;

pub use crate::domain::authz::role::{Reach, Role};
use crate::domain::authz::row::{ADMINS, ALL_ROLES, PLATFORM_ADMINS, RoleExemption, Row, UNIVERSITY_ADMINS};
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};

/// A permission, checked on a [`Resource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Create, rename and delete universities.
    ManageUniversities,
    /// Use every operation below `/admin`.
    Administer,
    /// See a university and its departments.
    ViewUniversity,
    /// Create and delete departments.
    ManageDepartments,
    /// List the role grants of a university or department.
    ViewRoles,
    /// Grant this role to a user.
    GrantRole(Role),
    /// Revoke this role from a user, or give up one's own.
    RemoveRole(Role),
    /// A permission on courses and enrolments.
    #[cfg(feature = "campus")]
    Campus(CampusPermission),
}

use Role::{DepartmentAdmin, Instructor, PlatformAdmin, Student, Ta, UniversityAdmin};
use RoleExemption::{OrOwner, RolesOnly};

impl Permission {
    /// The permissions of every build, with each role that can be granted or revoked.
    const CORE: [Self; 17] = [
        Self::ManageUniversities,
        Self::Administer,
        Self::ViewUniversity,
        Self::ManageDepartments,
        Self::ViewRoles,
        Self::GrantRole(Student),
        Self::GrantRole(Ta),
        Self::GrantRole(Instructor),
        Self::GrantRole(DepartmentAdmin),
        Self::GrantRole(UniversityAdmin),
        Self::GrantRole(PlatformAdmin),
        Self::RemoveRole(Student),
        Self::RemoveRole(Ta),
        Self::RemoveRole(Instructor),
        Self::RemoveRole(DepartmentAdmin),
        Self::RemoveRole(UniversityAdmin),
        Self::RemoveRole(PlatformAdmin),
    ];

    /// THE table: the roles that have each permission. A role with a department is narrowed to that department; a role
    /// without one covers the university.
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Self::ManageUniversities      => Row::new("universities:manage", PLATFORM_ADMINS, RolesOnly),
            Self::Administer              => Row::new("platform:administer", PLATFORM_ADMINS, RolesOnly),
            Self::ViewUniversity          => Row::new("universities:view", ALL_ROLES, RolesOnly).across_departments(),
            Self::ManageDepartments       => Row::new("departments:manage", UNIVERSITY_ADMINS, RolesOnly),
            Self::ViewRoles               => Row::new("roles:view", ADMINS, RolesOnly),
            Self::GrantRole(Student)          => Row::new("roles:grant:STUDENT", ADMINS, RolesOnly),
            Self::GrantRole(Ta)               => Row::new("roles:grant:TA", ADMINS, RolesOnly),
            Self::GrantRole(Instructor)       => Row::new("roles:grant:INSTRUCTOR", ADMINS, RolesOnly),
            Self::GrantRole(DepartmentAdmin)  => Row::new("roles:grant:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, RolesOnly),
            Self::GrantRole(UniversityAdmin)  => Row::new("roles:grant:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, RolesOnly),
            Self::GrantRole(PlatformAdmin)    => Row::new("roles:grant:PLATFORM_ADMIN", PLATFORM_ADMINS, RolesOnly),
            Self::RemoveRole(Student)         => Row::new("roles:remove:STUDENT", ADMINS, OrOwner),
            Self::RemoveRole(Ta)              => Row::new("roles:remove:TA", ADMINS, OrOwner),
            Self::RemoveRole(Instructor)      => Row::new("roles:remove:INSTRUCTOR", ADMINS, OrOwner),
            Self::RemoveRole(DepartmentAdmin) => Row::new("roles:remove:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, OrOwner),
            Self::RemoveRole(UniversityAdmin) => Row::new("roles:remove:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, OrOwner),
            Self::RemoveRole(PlatformAdmin)   => Row::new("roles:remove:PLATFORM_ADMIN", PLATFORM_ADMINS, OrOwner),
            #[cfg(feature = "campus")]
            Self::Campus(permission)          => permission.row(),
        }
    }

    /// The roles that have the permission, each where it is granted.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        self.row().roles
    }

    /// The name that other services use to ask for it, which audit events show.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Every permission, with the name that other services use to ask for it.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let all = Self::CORE.into_iter();
        #[cfg(feature = "campus")]
        let all = all.chain(CampusPermission::ALL.map(Self::Campus));
        all.map(|permission| (permission.row().name, permission))
    }
}

/// A role granted to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleGrant {
    /// The id by which the grant can be revoked.
    pub id: GrantId,
    /// The role that was granted.
    pub role: Role,
    /// The university; `None` only for `PLATFORM_ADMIN`.
    pub university_id: Option<UniversityId>,
    /// The department to which the role is narrowed; `None` covers the whole university.
    pub department_id: Option<DepartmentId>,
}

/// The resource on which a permission is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resource {
    /// The university it belongs to; `None` for resources of the service itself.
    pub university_id: Option<UniversityId>,
    /// The department it belongs to, if it belongs to one.
    pub department_id: Option<DepartmentId>,
    /// The user that needs no role for it, such as the student of an enrolment.
    pub owner: Option<UserId>,
    /// For one course: may any user see it, and may students enrol? `None` for other resources.
    pub is_published: Option<bool>,
}

impl Resource {
    /// The university as a whole.
    #[must_use]
    pub const fn university(id: UniversityId) -> Self {
        Self::within(id, None)
    }

    /// A resource of a department, or of the university as a whole.
    #[must_use]
    pub const fn within(university_id: UniversityId, department_id: Option<DepartmentId>) -> Self {
        Self { university_id: Some(university_id), department_id, owner: None, is_published: None }
    }
}

/// The reason why a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedBy {
    /// A grant of the caller covers the resource.
    RoleGrant(RoleGrant),
    /// The caller owns the resource.
    Ownership,
    /// The course is published, so any user may see it.
    Publication,
}

impl AllowedBy {
    /// The id of the allowing grant, if a grant was the reason.
    #[must_use]
    pub const fn grant_id(&self) -> Option<GrantId> {
        match self {
            Self::RoleGrant(grant) => Some(grant.id),
            Self::Ownership | Self::Publication => None,
        }
    }
}

/// The reason why a request is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The caller may know that the resource exists, but lacks the permission.
    Forbidden,
    /// The caller has the permission, but the course is not published.
    Unpublished,
    /// The response must not reveal that the resource exists.
    Invisible,
}

/// Decides whether a user with these grants has a permission on a resource.
///
/// # Errors
/// [`Denial`] says whether the response may reveal that the resource exists.
pub fn decide(
    user_id: UserId,
    grants: &[RoleGrant],
    permission: Permission,
    resource: &Resource,
) -> Result<AllowedBy, Denial> {
    let row = permission.row();
    if let Some(allowed) = exempted(row.exemption, user_id, resource) {
        return Ok(allowed);
    }
    // Of several allowing grants, the least powerful one is reported.
    let allowing = grants.iter().filter(|grant| row.roles.contains(&grant.role) && covers(grant, row, resource));
    match allowing.min_by_key(|grant| (grant.role, grant.id)) {
        Some(_) if row.needs_publication && resource.is_published == Some(false) => Err(Denial::Unpublished),
        Some(grant) => Ok(AllowedBy::RoleGrant(*grant)),
        None if is_visible(grants, resource) => Err(Denial::Forbidden),
        None => Err(Denial::Invisible),
    }
}

fn exempted(exemption: RoleExemption, user_id: UserId, resource: &Resource) -> Option<AllowedBy> {
    match exemption {
        RolesOnly => None,
        OrOwner => (resource.owner == Some(user_id)).then_some(AllowedBy::Ownership),
        #[cfg(feature = "campus")]
        RoleExemption::OrPublished => (resource.is_published == Some(true)).then_some(AllowedBy::Publication),
    }
}

fn covers(grant: &RoleGrant, row: Row, resource: &Resource) -> bool {
    if grant.role == PlatformAdmin {
        return true;
    }
    let is_here = grant.university_id.is_some() && grant.university_id == resource.university_id;
    let is_in_department = grant.department_id.is_none() || grant.department_id == resource.department_id;
    is_here && (is_in_department || row.is_across_departments)
}

/// Does a grant reveal that the resource exists? Resources outside universities are not secret.
fn is_visible(grants: &[RoleGrant], resource: &Resource) -> bool {
    let Some(university_id) = resource.university_id else {
        return true;
    };
    grants.iter().any(|grant| grant.role == PlatformAdmin || grant.university_id == Some(university_id))
}

/// Whether a grant gives the permission in a department of the university.
#[must_use]
pub fn is_narrowed(grants: &[RoleGrant], permission: Permission, university_id: UniversityId) -> bool {
    let mut here = grants.iter().filter(|grant| grant.university_id == Some(university_id));
    here.any(|grant| grant.department_id.is_some() && permission.roles().contains(&grant.role))
}

#[cfg(test)]
mod tests;
