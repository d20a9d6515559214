//! What a path names, as far as a decision about it needs to know.

use serde::Deserialize;

use crate::domain::authz::Resource;
use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, UniversityId, UserId};
use crate::ports::{DbError, Statement};
use crate::store::{Store, optional_boolean, statement};

/// Something that a path, or a question, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A university.
    University(UniversityId),
    /// A department.
    Department(DepartmentId),
    /// A course.
    Course(CourseId),
    /// An enrolment.
    Enrollment(EnrollmentId),
}

/// What is on file about it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ResourceRow {
    /// The university it belongs to.
    pub university_id: UniversityId,
    /// The department it belongs to.
    pub department_id: Option<DepartmentId>,
    /// The course it is or belongs to.
    pub course_id: Option<CourseId>,
    owner_id: Option<UserId>,
    #[serde(deserialize_with = "optional_boolean")]
    is_published: Option<bool>,
}

impl ResourceRow {
    /// What a decision is about.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        Resource {
            university_id: Some(self.university_id),
            department_id: self.department_id,
            owner: self.owner_id,
            is_published: self.is_published,
        }
    }
}

const SELECT_UNIVERSITY: &str = "
    SELECT id AS university_id, NULL AS department_id, NULL AS course_id, NULL AS owner_id, NULL AS is_published
    FROM universities WHERE id = ?1";

const SELECT_DEPARTMENT: &str = "
    SELECT university_id, id AS department_id, NULL AS course_id, NULL AS owner_id, NULL AS is_published
    FROM departments WHERE id = ?1";

const SELECT_COURSE: &str = "
    SELECT university_id, department_id, id AS course_id, NULL AS owner_id, is_public AS is_published
    FROM courses WHERE id = ?1";

/// That its course is published does not publish who takes it.
const SELECT_ENROLLMENT: &str = "
    SELECT c.university_id, c.department_id, c.id AS course_id, e.user_id AS owner_id, NULL AS is_published
    FROM enrollments AS e JOIN courses AS c ON c.id = e.course_id
    WHERE e.id = ?1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_UNIVERSITY, SELECT_DEPARTMENT, SELECT_COURSE, SELECT_ENROLLMENT];

/// Asks for it.
pub(in crate::store) fn lookup(target: Target) -> Statement {
    match target {
        Target::University(id) => statement(SELECT_UNIVERSITY, [id.get().into()]),
        Target::Department(id) => statement(SELECT_DEPARTMENT, [id.get().into()]),
        Target::Course(id) => statement(SELECT_COURSE, [id.get().into()]),
        Target::Enrollment(id) => statement(SELECT_ENROLLMENT, [id.get().into()]),
    }
}

/// What is on file about something, on its own.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, target: Target) -> Result<Option<ResourceRow>, DbError> {
    let [rows] = store.batch([lookup(target)]).await?;
    rows.first()
}
