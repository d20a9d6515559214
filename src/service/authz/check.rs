//! Permission checks for other services. Database round trips after the caller's: 1 if the check names a resource,
//! otherwise none.

use crate::domain::authz::{AllowedBy, Denial, Permission, Resource, decide};
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::ids::{DepartmentId, UniversityId};
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};
#[cfg(feature = "campus")]
use crate::store::campus::resources::CampusTarget;

/// A permission check. The ids together name one resource.
#[allow(missing_docs, reason = "the names say it")]
pub struct Check {
    /// The permission that the caller needs.
    pub permission: Permission,
    pub university_id: Option<UniversityId>,
    pub department_id: Option<DepartmentId>,
    #[cfg(feature = "campus")]
    pub course_id: Option<CourseId>,
    #[cfg(feature = "campus")]
    pub enrollment_id: Option<EnrollmentId>,
}

impl Check {
    /// The narrowest resource that an id names.
    fn target(&self) -> Option<Target> {
        let target = None;
        #[cfg(feature = "campus")]
        let target = {
            let course = self.course_id.map(CampusTarget::Course);
            target.or(self.enrollment_id.map(CampusTarget::Enrollment)).or(course).map(Target::Campus)
        };
        target.or(self.department_id.map(Target::Department)).or(self.university_id.map(Target::University))
    }

    /// Whether the resource belongs to the resources that the other ids name.
    fn agrees(&self, row: &ResourceRow) -> bool {
        #[cfg(feature = "campus")]
        if self.course_id.is_some_and(|id| row.course_id != Some(id)) {
            return false;
        }
        self.university_id.is_none_or(|id| row.university_id == id)
            && self.department_id.is_none_or(|id| row.department_id == Some(id))
    }
}

/// The answer to a permission check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the caller has the permission.
    pub allowed: bool,
    /// The grant that allows it, or the reason why it is not allowed.
    pub reason: String,
}

/// Decides for the caller. A resource that does not exist and one that the caller may not see get the same answer.
///
/// # Errors
/// [`Error`].
pub async fn check(ctx: &Context<'_>, caller: &Caller, check: &Check) -> Result<Answer, Error> {
    let decision = match find(ctx, check).await? {
        Some(resource) => decide(caller.user.id, &caller.grants, check.permission, &resource),
        None => Err(Denial::Invisible),
    };
    let refused = |reason: &str| Answer { allowed: false, reason: reason.to_owned() };
    Ok(match decision {
        Ok(allowed) => Answer { allowed: true, reason: describe(allowed) },
        Err(Denial::Forbidden) => refused("no role of the user allows it"),
        Err(Denial::Unpublished) => refused("the course is not published"),
        Err(Denial::Invisible) => refused("no such resource for the user"),
    })
}

/// The resource that the ids name: the service itself if there are none. `None` if the resource does not exist or the
/// ids disagree.
async fn find(ctx: &Context<'_>, check: &Check) -> Result<Option<Resource>, Error> {
    let Some(target) = check.target() else {
        return Ok(Some(Resource::default()));
    };
    let found = ctx.store.run(resources::find(target)).await?;
    Ok(found.filter(|row| check.agrees(row)).map(|row| row.resource()))
}

fn describe(allowed: AllowedBy) -> String {
    match allowed {
        AllowedBy::Ownership => "owner".to_owned(),
        AllowedBy::Publication => "published".to_owned(),
        AllowedBy::RoleGrant(grant) => {
            let university = grant.university_id.map(|id| format!(" in university {id}")).unwrap_or_default();
            let department = grant.department_id.map(|id| format!(", department {id}")).unwrap_or_default();
            format!("{} by grant {}{university}{department}", grant.role.as_str(), grant.id)
        }
    }
}
