//! Role-based access control: THE decision, and THE table of permissions behind it.
//!
//! A user holds grants: a role in a university, optionally narrowed to a department. `PLATFORM_ADMIN` covers all. A
//! permission is checked on a resource: a university, optionally a department in it, optionally an owner. No other
//! module compares roles.
//!
//! Resources of a university in which the caller has no role are hidden ([`Denial::Invisible`]). Otherwise a caller
//! could enumerate ids to learn which resources other universities have.

pub mod credential;
pub mod role;

pub use crate::domain::authz::role::{Reach, Role};
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
    /// Create, change and delete courses.
    ManageCourses,
    /// See one course and its data.
    ViewCourse,
    /// Enrol oneself in a published course.
    Enroll,
    /// List the enrolments of a course.
    ViewEnrollments,
    /// See a single enrolment, one's own or another user's.
    ViewEnrollment,
    /// End a single enrolment, one's own or another user's.
    EndEnrollment,
}

use Role::{DepartmentAdmin, Instructor, PlatformAdmin, Student, Ta, UniversityAdmin};

const ALL_ROLES: &[Role] = &Role::ALL;
const ADMINS: &[Role] = &[DepartmentAdmin, UniversityAdmin, PlatformAdmin];
const UNIVERSITY_ADMINS: &[Role] = &[UniversityAdmin, PlatformAdmin];
const PLATFORM_ADMINS: &[Role] = &[PlatformAdmin];
const STUDENTS: &[Role] = &[Student];
const TEACHERS: &[Role] = &[Ta, Instructor, DepartmentAdmin, UniversityAdmin, PlatformAdmin];

/// Whether a permission can also be had without a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoleExemption {
    RolesOnly,
    /// The owner of the resource needs no role.
    OrOwner,
    /// No user needs a role if the resource is published.
    OrPublished,
}

impl RoleExemption {
    fn allowed(self, user_id: UserId, resource: &Resource) -> Option<AllowedBy> {
        match self {
            OrOwner if resource.owner == Some(user_id) => Some(AllowedBy::Ownership),
            OrPublished if resource.is_published == Some(true) => Some(AllowedBy::Publication),
            RolesOnly | OrOwner | OrPublished => None,
        }
    }
}

use RoleExemption::{OrOwner, OrPublished, RolesOnly};

/// A row of the table: the permission's name for other services, the roles that have it, and the exemption from roles.
type Row = (&'static str, &'static [Role], RoleExemption);

impl Permission {
    /// Every permission, with each role that can be granted or revoked.
    pub const ALL: [Self; 23] = [
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
        Self::ManageCourses,
        Self::ViewCourse,
        Self::Enroll,
        Self::ViewEnrollments,
        Self::ViewEnrollment,
        Self::EndEnrollment,
    ];

    /// THE table: the roles that have each permission. A role with a department is narrowed to that department; a role
    /// without one covers the university.
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Self::ManageUniversities      => ("universities:manage", PLATFORM_ADMINS, RolesOnly),
            Self::Administer              => ("platform:administer", PLATFORM_ADMINS, RolesOnly),
            Self::ViewUniversity          => ("universities:view", ALL_ROLES, RolesOnly),
            Self::ManageDepartments       => ("departments:manage", UNIVERSITY_ADMINS, RolesOnly),
            Self::ViewRoles               => ("roles:view", ADMINS, RolesOnly),
            Self::GrantRole(Student)          => ("roles:grant:STUDENT", ADMINS, RolesOnly),
            Self::GrantRole(Ta)               => ("roles:grant:TA", ADMINS, RolesOnly),
            Self::GrantRole(Instructor)       => ("roles:grant:INSTRUCTOR", ADMINS, RolesOnly),
            Self::GrantRole(DepartmentAdmin)  => ("roles:grant:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, RolesOnly),
            Self::GrantRole(UniversityAdmin)  => ("roles:grant:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, RolesOnly),
            Self::GrantRole(PlatformAdmin)    => ("roles:grant:PLATFORM_ADMIN", PLATFORM_ADMINS, RolesOnly),
            Self::RemoveRole(Student)         => ("roles:remove:STUDENT", ADMINS, OrOwner),
            Self::RemoveRole(Ta)              => ("roles:remove:TA", ADMINS, OrOwner),
            Self::RemoveRole(Instructor)      => ("roles:remove:INSTRUCTOR", ADMINS, OrOwner),
            Self::RemoveRole(DepartmentAdmin) => ("roles:remove:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, OrOwner),
            Self::RemoveRole(UniversityAdmin) => ("roles:remove:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, OrOwner),
            Self::RemoveRole(PlatformAdmin)   => ("roles:remove:PLATFORM_ADMIN", PLATFORM_ADMINS, OrOwner),
            Self::ManageCourses           => ("courses:manage", ADMINS, RolesOnly),
            Self::ViewCourse              => ("courses:view", ALL_ROLES, OrPublished),
            Self::Enroll                  => ("enrollments:create", STUDENTS, RolesOnly),
            Self::ViewEnrollments         => ("enrollments:list", TEACHERS, RolesOnly),
            Self::ViewEnrollment          => ("enrollments:view", TEACHERS, OrOwner),
            Self::EndEnrollment           => ("enrollments:end", ADMINS, OrOwner),
        }
    }

    /// Every permission, with the name that other services use to ask for it.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().map(|permission| (permission.row().0, permission))
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
    let (_, roles, exemption) = permission.row();
    if let Some(allowed) = exemption.allowed(user_id, resource) {
        return Ok(allowed);
    }
    // Of several allowing grants, the least powerful one is reported.
    let allowing = grants.iter().filter(|grant| roles.contains(&grant.role) && covers(grant, permission, resource));
    match allowing.min_by_key(|grant| (grant.role, grant.id)) {
        Some(_) if permission == Permission::Enroll && resource.is_published == Some(false) => Err(Denial::Unpublished),
        Some(grant) => Ok(AllowedBy::RoleGrant(*grant)),
        None if is_visible(grants, resource) => Err(Denial::Forbidden),
        None => Err(Denial::Invisible),
    }
}

fn covers(grant: &RoleGrant, permission: Permission, resource: &Resource) -> bool {
    if grant.role == PlatformAdmin {
        return true;
    }
    let is_here = grant.university_id.is_some() && grant.university_id == resource.university_id;
    let is_seen_from_any_department = matches!(permission, Permission::ViewUniversity | Permission::ViewCourse);
    let is_in_department = grant.department_id.is_none() || grant.department_id == resource.department_id;
    is_here && (is_in_department || is_seen_from_any_department)
}

/// Does a grant reveal that the resource exists? Resources outside universities are not secret.
fn is_visible(grants: &[RoleGrant], resource: &Resource) -> bool {
    let Some(university_id) = resource.university_id else {
        return true;
    };
    grants.iter().any(|grant| grant.role == PlatformAdmin || grant.university_id == Some(university_id))
}

/// The departments of a university to which the grants with a permission are narrowed. University-wide grants add none.
#[must_use]
pub fn departments_with(
    grants: &[RoleGrant],
    permission: Permission,
    university_id: UniversityId,
) -> Vec<DepartmentId> {
    let (_, roles, _) = permission.row();
    let here = grants.iter().filter(|grant| grant.university_id == Some(university_id) && roles.contains(&grant.role));
    here.filter_map(|grant| grant.department_id).collect()
}

#[cfg(test)]
mod tests;
