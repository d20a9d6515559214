//! Who may do what: THE decision, and THE table behind it.
//!
//! A user holds grants: a role in a university, some narrowed to a department; `PLATFORM_ADMIN` everywhere. A
//! permission is asked for on a resource: a university, perhaps a department in it, perhaps an owner. Nobody
//! else compares roles.
//!
//! What belongs to a university in which the caller has no role does not exist for them
//! ([`Refusal::Invisible`]): otherwise ids would tell what others have.

use super::ids::{DepartmentId, GrantId, UniversityId, UserId};

/// What somebody is in a university, or everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Takes courses.
    Student,
    /// Helps to teach them.
    Ta,
    /// Teaches them.
    Instructor,
    /// Runs a department.
    DepartmentAdmin,
    /// Runs a university.
    UniversityAdmin,
    /// Runs the service.
    PlatformAdmin,
}

impl Role {
    /// Every role, from the least to the most powerful.
    pub const ALL: [Self; 6] =
        [Self::Student, Self::Ta, Self::Instructor, Self::DepartmentAdmin, Self::UniversityAdmin, Self::PlatformAdmin];

    /// The name, as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Student => "STUDENT",
            Self::Ta => "TA",
            Self::Instructor => "INSTRUCTOR",
            Self::DepartmentAdmin => "DEPARTMENT_ADMIN",
            Self::UniversityAdmin => "UNIVERSITY_ADMIN",
            Self::PlatformAdmin => "PLATFORM_ADMIN",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

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
    /// Grant and remove this role.
    Grant(Role),
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

/// THE table: which roles have a permission, and who besides. A role's department narrows it to that department; a
/// role without one covers the university.
const TABLE: &[(&str, Permission, &[Role], Besides)] = &[
    ("universities:manage", Permission::ManageUniversities, PLATFORM_ADMINS, Nobody),
    ("platform:administer", Permission::Administer, PLATFORM_ADMINS, Nobody),
    ("universities:view", Permission::ViewUniversity, EVERYBODY, Nobody),
    ("departments:manage", Permission::ManageDepartments, UNIVERSITY_ADMINS, Nobody),
    ("roles:view", Permission::ViewRoles, ADMINS, Nobody),
    ("roles:grant:STUDENT", Permission::Grant(Student), ADMINS, Nobody),
    ("roles:grant:TA", Permission::Grant(Ta), ADMINS, Nobody),
    ("roles:grant:INSTRUCTOR", Permission::Grant(Instructor), ADMINS, Nobody),
    ("roles:grant:DEPARTMENT_ADMIN", Permission::Grant(DepartmentAdmin), UNIVERSITY_ADMINS, Nobody),
    ("roles:grant:UNIVERSITY_ADMIN", Permission::Grant(UniversityAdmin), UNIVERSITY_ADMINS, Nobody),
    ("roles:grant:PLATFORM_ADMIN", Permission::Grant(PlatformAdmin), PLATFORM_ADMINS, Nobody),
    ("courses:manage", Permission::ManageCourses, ADMINS, Nobody),
    ("courses:view", Permission::ViewCourse, EVERYBODY, Audience),
    ("enrollments:create", Permission::Enroll, &[Student], Nobody),
    ("enrollments:list", Permission::ViewEnrollments, TEACHERS, Nobody),
    ("enrollments:view", Permission::ViewEnrollment, TEACHERS, Owner),
    ("enrollments:end", Permission::EndEnrollment, ADMINS, Owner),
];

impl Permission {
    /// Every permission, with the name under which other services ask for it.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        TABLE.iter().map(|(name, permission, ..)| (*name, *permission))
    }

    fn row(self) -> (&'static [Role], Besides) {
        let row = TABLE.iter().find(|(_, permission, ..)| *permission == self);
        // Every permission has a row, which a test holds; one without would be nobody's.
        row.map_or((&[], Nobody), |(_, _, roles, besides)| (*roles, *besides))
    }
}

/// A role that somebody was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
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
    Grant(Grant),
    /// It is theirs.
    Ownership,
    /// It is published.
    Publication,
}

/// Why it is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
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
/// [`Refusal`] says whether they may know that it exists.
pub fn decide(
    user_id: UserId,
    grants: &[Grant],
    permission: Permission,
    resource: &Resource,
) -> Result<AllowedBy, Refusal> {
    let (roles, besides) = permission.row();
    if let Some(allowed) = besides.allowed(user_id, resource) {
        return Ok(allowed);
    }
    // The narrowest role that allows it is the one to name.
    let allowing = grants.iter().filter(|grant| roles.contains(&grant.role) && covers(grant, permission, resource));
    match allowing.min_by_key(|grant| (grant.role, grant.id)) {
        Some(_) if permission == Permission::Enroll && resource.is_published == Some(false) => {
            Err(Refusal::Unpublished)
        }
        Some(grant) => Ok(AllowedBy::Grant(*grant)),
        None if is_visible(grants, resource) => Err(Refusal::Forbidden),
        None => Err(Refusal::Invisible),
    }
}

fn covers(grant: &Grant, permission: Permission, resource: &Resource) -> bool {
    if grant.role == PlatformAdmin {
        return true;
    }
    let is_here = grant.university_id.is_some() && grant.university_id == resource.university_id;
    let is_seen_from_any_department = matches!(permission, Permission::ViewUniversity | Permission::ViewCourse);
    let is_in_department = grant.department_id.is_none() || grant.department_id == resource.department_id;
    is_here && (is_in_department || is_seen_from_any_department)
}

/// Does a grant let them know that it exists? What belongs to no university is no secret.
fn is_visible(grants: &[Grant], resource: &Resource) -> bool {
    let Some(university_id) = resource.university_id else {
        return true;
    };
    grants.iter().any(|grant| grant.role == PlatformAdmin || grant.university_id == Some(university_id))
}

/// The departments in which these grants allow something that they do not allow in the whole university.
#[must_use]
pub fn departments_with(grants: &[Grant], permission: Permission, university_id: UniversityId) -> Vec<DepartmentId> {
    let (roles, _) = permission.row();
    let here = grants.iter().filter(|grant| grant.university_id == Some(university_id) && roles.contains(&grant.role));
    here.filter_map(|grant| grant.department_id).collect()
}

#[cfg(test)]
#[path = "rbac_tests.rs"]
mod tests;
