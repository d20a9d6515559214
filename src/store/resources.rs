//! What a path names, as far as a decision about it needs to know.

use serde::Deserialize;

use super::{boolean, statement};
use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, UniversityId, UserId};
use crate::domain::rbac::Resource;
use crate::ports::Statement;

/// Something that a path, or a question, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A university.
    University(UniversityId),
    /// A course.
    Course(CourseId),
    /// An enrolment.
    Enrollment(EnrollmentId),
}

/// What is on file about it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ResourceRow {
    university_id: UniversityId,
    department_id: Option<DepartmentId>,
    owner_id: Option<UserId>,
    /// May everybody see it?
    #[serde(deserialize_with = "boolean")]
    pub is_public: bool,
}

impl ResourceRow {
    /// What a decision is about.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        Resource { university_id: Some(self.university_id), department_id: self.department_id, owner: self.owner_id }
    }

    /// The university it belongs to.
    #[must_use]
    pub const fn university_id(&self) -> UniversityId {
        self.university_id
    }
}

const SELECT_UNIVERSITY: &str = "
    SELECT id AS university_id, NULL AS department_id, NULL AS owner_id, 0 AS is_public
    FROM universities WHERE id = ?1";

const SELECT_COURSE: &str = "
    SELECT university_id, department_id, NULL AS owner_id, is_public FROM courses WHERE id = ?1";

const SELECT_ENROLLMENT: &str = "
    SELECT c.university_id, c.department_id, e.user_id AS owner_id, c.is_public
    FROM enrollments AS e JOIN courses AS c ON c.id = e.course_id
    WHERE e.id = ?1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_UNIVERSITY, SELECT_COURSE, SELECT_ENROLLMENT];

/// Asks for it.
pub(super) fn lookup(target: Target) -> Statement {
    match target {
        Target::University(id) => statement(SELECT_UNIVERSITY, [id.get().into()]),
        Target::Course(id) => statement(SELECT_COURSE, [id.get().into()]),
        Target::Enrollment(id) => statement(SELECT_ENROLLMENT, [id.get().into()]),
    }
}

/// What is on file about something, on its own.
///
/// # Errors
/// [`crate::ports::DbError`].
pub async fn find(store: &super::Store, target: Target) -> Result<Option<ResourceRow>, crate::ports::DbError> {
    let [rows] = store.batch([lookup(target)]).await?;
    rows.first()
}
