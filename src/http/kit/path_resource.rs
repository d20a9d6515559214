//! The resource that the path of a route names, on which its access rule demands a permission.

use crate::domain::ids::UniversityId;
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::problem::Code;
use crate::store::authz::resources::Target;
#[cfg(feature = "campus")]
use crate::store::campus::resources::CampusTarget;

/// The type of the resource that the `{id}` of a path refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the names of the resources")]
pub enum PathResource {
    /// No resource: the permission applies to the service itself.
    Platform,
    University,
    #[cfg(feature = "campus")]
    Course,
    #[cfg(feature = "campus")]
    Enrollment,
}

impl PathResource {
    /// The resource to read, if the rule needs one. Malformed text gets the same `NOT_FOUND` as an unknown id.
    pub(in crate::http) fn target(self, id: Option<&str>) -> Result<Option<Target>, Code> {
        let id = id.unwrap_or_default();
        let target = match self {
            Self::Platform => return Ok(None),
            Self::University => UniversityId::parse(id).map(Target::University),
            #[cfg(feature = "campus")]
            Self::Course => CourseId::parse(id).map(|id| Target::Campus(CampusTarget::Course(id))),
            #[cfg(feature = "campus")]
            Self::Enrollment => EnrollmentId::parse(id).map(|id| Target::Campus(CampusTarget::Enrollment(id))),
        };
        target.map(Some).ok_or(Code::NotFound)
    }
}
