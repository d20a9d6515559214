//! The look-up of courses and enrolments that a request names, for the authorization decision.

use crate::domain::ids::{CourseId, EnrollmentId};
use crate::ports::{Statement, query};

/// The course or enrolment that a path, or a permission check, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum CampusTarget {
    Course(CourseId),
    Enrollment(EnrollmentId),
}

const SELECT_COURSE: &str = "
    SELECT university_id, department_id, id AS course_id, NULL AS owner_id, is_public AS is_published
    FROM courses WHERE id = :course_id";

/// `is_published` is NULL: publishing a course does not publish its participants.
const SELECT_ENROLLMENT: &str = "
    SELECT c.university_id, c.department_id, c.id AS course_id, e.user_id AS owner_id, NULL AS is_published
    FROM enrollments AS e JOIN courses AS c ON c.id = e.course_id
    WHERE e.id = :enrollment_id";

/// A course that was deleted is for the operation to miss.
macro_rules! course_is_as_read {
    () => {
        "NOT EXISTS (
             SELECT 1 FROM courses
             WHERE id = :course_id AND (university_id IS NOT :university_id OR department_id IS NOT :department_id
                                        OR is_public IS NOT :is_public)
         )"
    };
}
pub(in crate::store) use course_is_as_read;

/// An enrolment never changes, but its course may.
macro_rules! enrollment_is_as_read {
    () => {
        "NOT EXISTS (
             SELECT 1 FROM enrollments AS e JOIN courses AS c ON c.id = e.course_id
             WHERE e.id = :enrollment_id
               AND (c.university_id IS NOT :university_id OR c.department_id IS NOT :department_id)
         )"
    };
}
pub(in crate::store) use enrollment_is_as_read;

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_COURSE, SELECT_ENROLLMENT];

/// Selects a course or an enrolment, with the columns of [`crate::store::authz::resources::ResourceRow`].
pub(in crate::store) fn lookup(target: CampusTarget) -> Statement {
    match target {
        CampusTarget::Course(id) => query(SELECT_COURSE).bind("course_id", id),
        CampusTarget::Enrollment(id) => query(SELECT_ENROLLMENT).bind("enrollment_id", id),
    }
}
