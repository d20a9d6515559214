//! Authorization: the decision, and the table of permissions behind it.
//!
//! A user holds grants: a role in a university, some narrowed to a department; `PLATFORM_ADMIN` everywhere. The service
//! asks for a permission on a resource: a university, perhaps a department in it, perhaps an owner. No other module
//! compares roles.
//!
//! A resource of a university in which the caller has no role is invisible to the caller ([`Denial::Invisible`]).
//! Otherwise ids would reveal which resources exist.

pub mod role;

pub use crate::domain::authz::role::{Reach, Role};
#[cfg(feature = "campus")]
use crate::domain::campus::policy::CampusPermission;
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};

/// A permission that a use case, or another service, asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Create, rename and delete universities.
    ManageUniversities,
    /// All of `/admin`.
    Administer,
    /// See a university and its departments.
    ViewUniversity,
    /// Create and delete departments.
    ManageDepartments,
    /// List the role grants of a university.
    ViewRoles,
    /// Grant this role to a user.
    GrantRole(Role),
    /// Remove this role from a user.
    RemoveRole(Role),
    /// A permission on courses and enrolments.
    #[cfg(feature = "campus")]
    Campus(CampusPermission),
}

use Role::{DepartmentAdmin, Instructor, PlatformAdmin, Student, Ta, UniversityAdmin};

pub(in crate::domain) const ANY_ROLE: &[Role] = &Role::ALL;
pub(in crate::domain) const ADMINS: &[Role] = &[DepartmentAdmin, UniversityAdmin, PlatformAdmin];
const UNIVERSITY_ADMINS: &[Role] = &[UniversityAdmin, PlatformAdmin];
const PLATFORM_ADMINS: &[Role] = &[PlatformAdmin];
#[cfg(feature = "campus")]
pub(in crate::domain) const STUDENTS: &[Role] = &[Student];
#[cfg(feature = "campus")]
pub(in crate::domain) const TEACHERS: &[Role] = &[Ta, Instructor, DepartmentAdmin, UniversityAdmin, PlatformAdmin];

/// Whether a user without any of the roles has the permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum WithoutRole {
    /// No.
    Denied,
    /// The owner of the resource has it.
    Owner,
    /// Any user has it if the resource is published.
    #[cfg(feature = "campus")]
    Published,
}

impl WithoutRole {
    fn allowed(self, user_id: UserId, resource: &Resource) -> Option<AllowedBy> {
        match self {
            Self::Denied => None,
            Self::Owner => (resource.owner == Some(user_id)).then_some(AllowedBy::Ownership),
            #[cfg(feature = "campus")]
            Self::Published => (resource.is_published == Some(true)).then_some(AllowedBy::Publication),
        }
    }
}

use WithoutRole::{Denied, Owner};

/// A line of the table of permissions.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct Line {
    /// The name under which other services ask for the permission.
    name: &'static str,
    roles: &'static [Role],
    without_role: WithoutRole,
    /// A role that is narrowed to one department covers the others, too.
    is_across_departments: bool,
    /// The roles do not cover a resource that is unpublished.
    needs_publication: bool,
}

impl Line {
    pub(in crate::domain) const fn new(name: &'static str, roles: &'static [Role], without_role: WithoutRole) -> Self {
        Self { name, roles, without_role, is_across_departments: false, needs_publication: false }
    }

    pub(in crate::domain) const fn across_departments(self) -> Self {
        Self { is_across_departments: true, ..self }
    }

    #[cfg(feature = "campus")]
    pub(in crate::domain) const fn when_published(self) -> Self {
        Self { needs_publication: true, ..self }
    }
}

impl Permission {
    /// The permissions that do not depend on cargo features, in the order of the table.
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

    /// The table: the roles that have a permission, and whether a user without them has it. A department narrows a role
    /// to that department; a role without one covers the university.
    #[rustfmt::skip]
    const fn line(self) -> Line {
        match self {
            Self::ManageUniversities => Line::new("universities:manage", PLATFORM_ADMINS, Denied),
            Self::Administer         => Line::new("platform:administer", PLATFORM_ADMINS, Denied),
            Self::ViewUniversity     => Line::new("universities:view", ANY_ROLE, Denied).across_departments(),
            Self::ManageDepartments  => Line::new("departments:manage", UNIVERSITY_ADMINS, Denied),
            Self::ViewRoles          => Line::new("roles:view", ADMINS, Denied),
            Self::GrantRole(Student)          => Line::new("roles:grant:STUDENT", ADMINS, Denied),
            Self::GrantRole(Ta)               => Line::new("roles:grant:TA", ADMINS, Denied),
            Self::GrantRole(Instructor)       => Line::new("roles:grant:INSTRUCTOR", ADMINS, Denied),
            Self::GrantRole(DepartmentAdmin)  => Line::new("roles:grant:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, Denied),
            Self::GrantRole(UniversityAdmin)  => Line::new("roles:grant:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, Denied),
            Self::GrantRole(PlatformAdmin)    => Line::new("roles:grant:PLATFORM_ADMIN", PLATFORM_ADMINS, Denied),
            Self::RemoveRole(Student)         => Line::new("roles:remove:STUDENT", ADMINS, Owner),
            Self::RemoveRole(Ta)              => Line::new("roles:remove:TA", ADMINS, Owner),
            Self::RemoveRole(Instructor)      => Line::new("roles:remove:INSTRUCTOR", ADMINS, Owner),
            Self::RemoveRole(DepartmentAdmin) => Line::new("roles:remove:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, Owner),
            Self::RemoveRole(UniversityAdmin) => Line::new("roles:remove:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, Owner),
            Self::RemoveRole(PlatformAdmin)   => Line::new("roles:remove:PLATFORM_ADMIN", PLATFORM_ADMINS, Owner),
            #[cfg(feature = "campus")]
            Self::Campus(permission)          => permission.line(),
        }
    }

    /// Every permission, with the name under which other services ask for it.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        let all = Self::CORE.into_iter();
        #[cfg(feature = "campus")]
        let all = all.chain(CampusPermission::ALL);
        all.map(|permission| (permission.line().name, permission))
    }
}

/// A role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleGrant {
    /// The row's id.
    pub id: GrantId,
    /// The role.
    pub role: Role,
    /// `None` for `PLATFORM_ADMIN`, which covers all universities.
    pub university_id: Option<UniversityId>,
    /// Narrows the role to this department.
    pub department_id: Option<DepartmentId>,
}

/// The resource of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resource {
    /// The university that the resource belongs to; `None` for the service itself.
    pub university_id: Option<UniversityId>,
    /// The department that the resource belongs to.
    pub department_id: Option<DepartmentId>,
    /// The user who owns the resource.
    pub owner: Option<UserId>,
    /// Of a course: whether any user may see it, and students may enrol. `None` for other resources.
    pub is_published: Option<bool>,
}

impl Resource {
    /// A university itself.
    #[must_use]
    pub const fn university(id: UniversityId) -> Self {
        Self::within(id, None)
    }

    /// A resource of a department, or of a university as a whole.
    #[must_use]
    pub const fn within(university_id: UniversityId, department_id: Option<DepartmentId>) -> Self {
        Self { university_id: Some(university_id), department_id, owner: None, is_published: None }
    }
}

/// The reason why an operation is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedBy {
    /// A grant of the user.
    RoleGrant(RoleGrant),
    /// The user owns the resource.
    Ownership,
    /// The resource is published.
    Publication,
}

impl AllowedBy {
    /// The grant that allows the operation, if a grant does.
    #[must_use]
    pub const fn grant_id(&self) -> Option<GrantId> {
        match self {
            Self::RoleGrant(grant) => Some(grant.id),
            Self::Ownership | Self::Publication => None,
        }
    }
}

/// The reason why an operation is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The user may see that the resource exists, but lacks the permission.
    Forbidden,
    /// The user would have the permission if the course were published.
    Unpublished,
    /// The user may not learn whether the resource exists.
    Invisible,
}

/// Decides whether a user has a permission on a resource.
///
/// # Errors
/// [`Denial`] says whether the user may learn that the resource exists.
pub fn decide(
    user_id: UserId,
    grants: &[RoleGrant],
    permission: Permission,
    resource: &Resource,
) -> Result<AllowedBy, Denial> {
    let line = permission.line();
    if let Some(allowed) = line.without_role.allowed(user_id, resource) {
        return Ok(allowed);
    }
    // The least powerful role that allows the operation is named.
    let allowing = grants.iter().filter(|grant| line.roles.contains(&grant.role) && covers(grant, line, resource));
    match allowing.min_by_key(|grant| (grant.role, grant.id)) {
        Some(_) if line.needs_publication && resource.is_published == Some(false) => Err(Denial::Unpublished),
        Some(grant) => Ok(AllowedBy::RoleGrant(*grant)),
        None if is_visible(grants, resource) => Err(Denial::Forbidden),
        None => Err(Denial::Invisible),
    }
}

fn covers(grant: &RoleGrant, line: Line, resource: &Resource) -> bool {
    if grant.role == PlatformAdmin {
        return true;
    }
    let is_here = grant.university_id.is_some() && grant.university_id == resource.university_id;
    let is_in_department = grant.department_id.is_none() || grant.department_id == resource.department_id;
    is_here && (is_in_department || line.is_across_departments)
}

/// Whether a grant lets the user learn that the resource exists. Resources of no university are not secret.
fn is_visible(grants: &[RoleGrant], resource: &Resource) -> bool {
    let Some(university_id) = resource.university_id else {
        return true;
    };
    grants.iter().any(|grant| grant.role == PlatformAdmin || grant.university_id == Some(university_id))
}

/// The departments to which these grants narrow the permission.
#[must_use]
pub fn departments_with(
    grants: &[RoleGrant],
    permission: Permission,
    university_id: UniversityId,
) -> Vec<DepartmentId> {
    let roles = permission.line().roles;
    let here = grants.iter().filter(|grant| grant.university_id == Some(university_id) && roles.contains(&grant.role));
    here.filter_map(|grant| grant.department_id).collect()
}

#[cfg(test)]
mod tests;
