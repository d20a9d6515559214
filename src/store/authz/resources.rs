//! The look-up of the resource that a request names: the columns on which the authorization decision depends.

use serde::Deserialize;

use crate::domain::authz::Resource;
use crate::domain::ids::{CourseId, DepartmentId, UniversityId, UserId};
use crate::ports::{Rows, Statement, query};
#[cfg(feature = "campus")]
use crate::store::campus::{self, resources::CampusTarget};
use crate::store::optional_boolean;
use crate::store::read::Read;

/// The resource that a path, or a permission check, names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Target {
    University(UniversityId),
    Department(DepartmentId),
    /// A course or an enrolment.
    #[cfg(feature = "campus")]
    Campus(CampusTarget),
}

/// The columns of a resource that matter to authorization.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ResourceRow {
    /// The university that the resource is or belongs to.
    pub university_id: UniversityId,
    /// The department that the resource is or belongs to.
    pub department_id: Option<DepartmentId>,
    /// The course that the resource is or belongs to.
    pub course_id: Option<CourseId>,
    owner_id: Option<UserId>,
    #[serde(deserialize_with = "optional_boolean")]
    is_published: Option<bool>,
}

impl ResourceRow {
    /// Binds the columns by which it was read.
    #[cfg(feature = "campus")]
    pub(in crate::store) fn bind(&self, statement: Statement) -> Statement {
        statement.bind("university_id", self.university_id).bind("department_id", self.department_id)
    }

    /// The resource as the authorization decision sees it.
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
    FROM universities WHERE id = :university_id";

const SELECT_DEPARTMENT: &str = "
    SELECT university_id, id AS department_id, NULL AS course_id, NULL AS owner_id, NULL AS is_published
    FROM departments WHERE id = :department_id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_UNIVERSITY, SELECT_DEPARTMENT];

fn lookup(target: Target) -> Statement {
    match target {
        Target::University(id) => query(SELECT_UNIVERSITY).bind("university_id", id),
        Target::Department(id) => query(SELECT_DEPARTMENT).bind("department_id", id),
        #[cfg(feature = "campus")]
        Target::Campus(target) => campus::resources::lookup(target),
    }
}

/// Finds a resource by its id.
#[must_use]
pub fn find(target: Target) -> Read<Option<ResourceRow>> {
    Read::of(lookup(target), Rows::first)
}
