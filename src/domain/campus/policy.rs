//! The rows of the permission table about courses and enrolments.

use crate::domain::authz::role::Role;
use crate::domain::authz::role::Role::{DepartmentAdmin, Instructor, PlatformAdmin, Student, Ta, UniversityAdmin};
use crate::domain::authz::row::RoleExemption::{OrOwner, OrPublished, RolesOnly};
use crate::domain::authz::row::{ADMINS, ALL_ROLES, Row};

/// A permission on courses and enrolments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampusPermission {
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

const STUDENTS: &[Role] = &[Student];
const TEACHERS: &[Role] = &[Ta, Instructor, DepartmentAdmin, UniversityAdmin, PlatformAdmin];

use CampusPermission::{EndEnrollment, Enroll, ManageCourses, ViewCourse, ViewEnrollment, ViewEnrollments};

impl CampusPermission {
    /// Every permission on courses and enrolments, in the order of the table.
    pub const ALL: [Self; 6] = [ManageCourses, ViewCourse, Enroll, ViewEnrollments, ViewEnrollment, EndEnrollment];

    /// The permission's row of the table.
    #[rustfmt::skip]
    pub(in crate::domain) const fn row(self) -> Row {
        match self {
            ManageCourses   => Row::new("courses:manage", ADMINS, RolesOnly),
            ViewCourse      => Row::new("courses:view", ALL_ROLES, OrPublished).across_departments(),
            Enroll          => Row::new("enrollments:create", STUDENTS, RolesOnly).when_published(),
            ViewEnrollments => Row::new("enrollments:list", TEACHERS, RolesOnly),
            ViewEnrollment  => Row::new("enrollments:view", TEACHERS, OrOwner),
            EndEnrollment   => Row::new("enrollments:end", ADMINS, OrOwner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::authz::{AllowedBy, Denial, Permission, Resource, RoleGrant, decide};
    use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn user(id: i64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn university(id: i64) -> Resource {
        Resource::university(UniversityId::new(id).unwrap())
    }

    /// A grant in university 1.
    fn grant(role: Role, department: Option<i64>) -> RoleGrant {
        let university_id = UniversityId::new(1);
        let department_id = department.and_then(DepartmentId::new);
        RoleGrant { id: GrantId::new(1).unwrap(), role, university_id, department_id }
    }

    fn decide_for(
        grants: &[RoleGrant],
        permission: CampusPermission,
        resource: &Resource,
    ) -> Result<AllowedBy, Denial> {
        decide(user(7), grants, Permission::Campus(permission), resource)
    }

    #[test]
    fn a_department_narrows_every_role_but_for_seeing_courses() {
        let place = |department| Resource { department_id: DepartmentId::new(department), ..university(1) };
        for (role, permission) in
            [(Role::DepartmentAdmin, ManageCourses), (Role::Instructor, ViewEnrollments), (Role::Student, Enroll)]
        {
            assert!(decide_for(&[grant(role, Some(4))], permission, &place(4)).is_ok(), "{role:?}");
            for resource in [place(5), university(1)] {
                let refused = decide_for(&[grant(role, Some(4))], permission, &resource);
                assert_eq!(refused, Err(Denial::Forbidden), "{role:?}");
            }
        }
        assert!(decide_for(&[grant(Role::Instructor, None)], ViewEnrollments, &place(5)).is_ok(), "university-wide");
        assert!(decide_for(&[grant(Role::Student, Some(4))], ViewCourse, &place(5)).is_ok(), "seeing is not narrowed");
    }

    #[test]
    fn any_user_may_see_a_published_course() {
        let elsewhere = university(2);
        let hidden = Resource { is_published: Some(false), ..elsewhere };
        let published = Resource { is_published: Some(true), ..elsewhere };
        assert_eq!(decide_for(&[], ViewCourse, &published), Ok(AllowedBy::Publication));
        for resource in [elsewhere, hidden] {
            assert_eq!(decide_for(&[], ViewCourse, &resource), Err(Denial::Invisible));
        }
        let others = Permission::all().filter(|(_, permission)| *permission != Permission::Campus(ViewCourse));
        for (name, permission) in others {
            assert_eq!(decide(user(7), &[], permission, &published), Err(Denial::Invisible), "{name}");
        }
    }

    #[test]
    fn students_enrol_in_published_courses() {
        let course = |is_published| Resource { is_published, ..university(1) };
        let enrol = |role, is_published| decide_for(&[grant(role, None)], Enroll, &course(is_published));
        assert!(enrol(Role::Student, Some(true)).is_ok());
        assert!(enrol(Role::Student, None).is_ok(), "in a university as such they may");
        assert_eq!(enrol(Role::Student, Some(false)), Err(Denial::Unpublished));
        assert_eq!(enrol(Role::Ta, Some(false)), Err(Denial::Forbidden), "a caller without the role is not told");
    }

    #[test]
    fn the_owner_of_an_enrolment_needs_no_role() {
        let mine = Resource { owner: Some(user(7)), ..university(1) };
        for permission in [ViewEnrollment, EndEnrollment] {
            assert_eq!(decide_for(&[], permission, &mine), Ok(AllowedBy::Ownership));
        }
        assert_eq!(decide_for(&[], ViewEnrollments, &mine), Err(Denial::Invisible));
    }
}
