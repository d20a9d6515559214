//! Who may do what: THE decision, and THE table behind it.
//!
//! A user holds grants: a role in a university, some narrowed to a department; `PLATFORM_ADMIN` everywhere. A
//! permission is asked for on a resource: a university, perhaps a department in it, perhaps an owner. Nobody
//! else compares roles.
//!
//! What belongs to a university in which the caller has no role does not exist for them
//! ([`Denial::Invisible`]): otherwise ids would tell what others have.

pub mod credential;
pub mod role;

pub use crate::domain::authz::role::{Reach, Role};
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};

/// What can be asked for.
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
    /// See who has which role.
    ViewRoles,
    /// Give somebody this role.
    GrantRole(Role),
    /// Take it from somebody, or lay it down.
    RemoveRole(Role),
    /// Create, change and delete courses.
    ManageCourses,
    /// See a course.
    ViewCourse,
    /// Enrol oneself in a published course.
    Enroll,
    /// See who is enrolled in a course.
    ViewEnrollments,
    /// See one enrolment.
    ViewEnrollment,
    /// End one enrolment.
    EndEnrollment,
}

use Role::{DepartmentAdmin, Instructor, PlatformAdmin, Student, Ta, UniversityAdmin};

const EVERYBODY: &[Role] = &Role::ALL;
const ADMINS: &[Role] = &[DepartmentAdmin, UniversityAdmin, PlatformAdmin];
const UNIVERSITY_ADMINS: &[Role] = &[UniversityAdmin, PlatformAdmin];
const PLATFORM_ADMINS: &[Role] = &[PlatformAdmin];
const STUDENTS: &[Role] = &[Student];
const TEACHERS: &[Role] = &[Ta, Instructor, DepartmentAdmin, UniversityAdmin, PlatformAdmin];

/// Who has a permission whatever their roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Besides {
    /// Nobody.
    Nobody,
    /// Whose it is.
    Owner,
    /// Everybody, if it is published.
    Audience,
}

impl Besides {
    fn allowed(self, user_id: UserId, resource: &Resource) -> Option<AllowedBy> {
        match self {
            Owner if resource.owner == Some(user_id) => Some(AllowedBy::Ownership),
            Audience if resource.is_published == Some(true) => Some(AllowedBy::Publication),
            Nobody | Owner | Audience => None,
        }
    }
}

use Besides::{Audience, Nobody, Owner};

/// A line of the table: the name under which other services ask, the roles, and who besides.
type Line = (&'static str, &'static [Role], Besides);

impl Permission {
    /// Every permission.
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

    /// THE table: which roles have a permission, and who besides. A role's department narrows it to that department;
    /// a role without one covers the university.
    #[rustfmt::skip]
    const fn line(self) -> Line {
        match self {
            Self::ManageUniversities      => ("universities:manage", PLATFORM_ADMINS, Nobody),
            Self::Administer              => ("platform:administer", PLATFORM_ADMINS, Nobody),
            Self::ViewUniversity          => ("universities:view", EVERYBODY, Nobody),
            Self::ManageDepartments       => ("departments:manage", UNIVERSITY_ADMINS, Nobody),
            Self::ViewRoles               => ("roles:view", ADMINS, Nobody),
            Self::GrantRole(Student)          => ("roles:grant:STUDENT", ADMINS, Nobody),
            Self::GrantRole(Ta)               => ("roles:grant:TA", ADMINS, Nobody),
            Self::GrantRole(Instructor)       => ("roles:grant:INSTRUCTOR", ADMINS, Nobody),
            Self::GrantRole(DepartmentAdmin)  => ("roles:grant:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, Nobody),
            Self::GrantRole(UniversityAdmin)  => ("roles:grant:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, Nobody),
            Self::GrantRole(PlatformAdmin)    => ("roles:grant:PLATFORM_ADMIN", PLATFORM_ADMINS, Nobody),
            Self::RemoveRole(Student)         => ("roles:remove:STUDENT", ADMINS, Owner),
            Self::RemoveRole(Ta)              => ("roles:remove:TA", ADMINS, Owner),
            Self::RemoveRole(Instructor)      => ("roles:remove:INSTRUCTOR", ADMINS, Owner),
            Self::RemoveRole(DepartmentAdmin) => ("roles:remove:DEPARTMENT_ADMIN", UNIVERSITY_ADMINS, Owner),
            Self::RemoveRole(UniversityAdmin) => ("roles:remove:UNIVERSITY_ADMIN", UNIVERSITY_ADMINS, Owner),
            Self::RemoveRole(PlatformAdmin)   => ("roles:remove:PLATFORM_ADMIN", PLATFORM_ADMINS, Owner),
            Self::ManageCourses           => ("courses:manage", ADMINS, Nobody),
            Self::ViewCourse              => ("courses:view", EVERYBODY, Audience),
            Self::Enroll                  => ("enrollments:create", STUDENTS, Nobody),
            Self::ViewEnrollments         => ("enrollments:list", TEACHERS, Nobody),
            Self::ViewEnrollment          => ("enrollments:view", TEACHERS, Owner),
            Self::EndEnrollment           => ("enrollments:end", ADMINS, Owner),
        }
    }

    /// Every permission, with the name under which other services ask for it.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().map(|permission| (permission.line().0, permission))
    }
}

/// A role that somebody was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleGrant {
    /// Identifies it.
    pub id: GrantId,
    /// Which role.
    pub role: Role,
    /// Where; nowhere in particular for `PLATFORM_ADMIN`.
    pub university_id: Option<UniversityId>,
    /// Narrowed to this department.
    pub department_id: Option<DepartmentId>,
}

/// What a permission is asked for on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resource {
    /// The university it belongs to; none for what belongs to the service itself.
    pub university_id: Option<UniversityId>,
    /// The department it belongs to.
    pub department_id: Option<DepartmentId>,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// Of one course: may everybody see it, and students enrol?
    pub is_published: Option<bool>,
}

impl Resource {
    /// A university itself.
    #[must_use]
    pub const fn university(id: UniversityId) -> Self {
        Self::within(id, None)
    }

    /// Something of a department, or of a university as a whole.
    #[must_use]
    pub const fn within(university_id: UniversityId, department_id: Option<DepartmentId>) -> Self {
        Self { university_id: Some(university_id), department_id, owner: None, is_published: None }
    }
}

/// What allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedBy {
    /// This grant.
    RoleGrant(RoleGrant),
    /// It is theirs.
    Ownership,
    /// It is published.
    Publication,
}

impl AllowedBy {
    /// The grant, if it was one.
    #[must_use]
    pub const fn grant_id(&self) -> Option<GrantId> {
        match self {
            Self::RoleGrant(grant) => Some(grant.id),
            Self::Ownership | Self::Publication => None,
        }
    }
}

/// Why it is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// They may know that it exists, but not do this.
    Forbidden,
    /// They might, if the course were published.
    Unpublished,
    /// For them it does not exist.
    Invisible,
}

/// May this user do this with that?
///
/// # Errors
/// [`Denial`] says whether they may know that it exists.
pub fn decide(
    user_id: UserId,
    grants: &[RoleGrant],
    permission: Permission,
    resource: &Resource,
) -> Result<AllowedBy, Denial> {
    let (_, roles, besides) = permission.line();
    if let Some(allowed) = besides.allowed(user_id, resource) {
        return Ok(allowed);
    }
    // The narrowest role that allows it is the one to name.
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

/// Does a grant let them know that it exists? What belongs to no university is no secret.
fn is_visible(grants: &[RoleGrant], resource: &Resource) -> bool {
    let Some(university_id) = resource.university_id else {
        return true;
    };
    grants.iter().any(|grant| grant.role == PlatformAdmin || grant.university_id == Some(university_id))
}

/// The departments in which these grants allow something that they do not allow in the whole university.
#[must_use]
pub fn departments_with(
    grants: &[RoleGrant],
    permission: Permission,
    university_id: UniversityId,
) -> Vec<DepartmentId> {
    let (_, roles, _) = permission.line();
    let here = grants.iter().filter(|grant| grant.university_id == Some(university_id) && roles.contains(&grant.role));
    here.filter_map(|grant| grant.department_id).collect()
}

#[cfg(test)]
mod tests;
