//! One place to ask "may they?", for other services. Database round trips: 1 if something is named, after the
//! caller's.

use crate::domain::authz::{AllowedBy, Denial, Permission, Resource, decide};
use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, UniversityId};
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};

/// What is asked.
pub struct Check {
    /// What the caller wants to do.
    pub permission: Permission,
    /// In which university.
    pub university_id: Option<UniversityId>,
    /// In which department of it.
    pub department_id: Option<DepartmentId>,
    /// With which course.
    pub course_id: Option<CourseId>,
    /// With which enrolment.
    pub enrollment_id: Option<EnrollmentId>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// May they?
    pub allowed: bool,
    /// Which grant allowed it, or why it is not allowed.
    pub reason: String,
}

/// Decides for the caller. What does not exist, and what the caller may not know of, is answered alike.
///
/// # Errors
/// [`Error`].
pub async fn check(ctx: &Context<'_>, caller: &Caller, check: &Check) -> Result<Answer, Error> {
    let decision = match named(ctx, check).await? {
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

/// What the ids name together: what the narrowest of them names, if the others agree with it. Nothing, if they
/// do not, or it does not exist; the service itself, if there are none.
async fn named(ctx: &Context<'_>, check: &Check) -> Result<Option<Resource>, Error> {
    let target = None
        .or(check.enrollment_id.map(Target::Enrollment))
        .or(check.course_id.map(Target::Course))
        .or(check.department_id.map(Target::Department))
        .or(check.university_id.map(Target::University));
    let Some(target) = target else {
        return Ok(Some(Resource::default()));
    };
    let found = resources::find(ctx.store, target).await?;
    let agrees = |row: &ResourceRow| {
        check.university_id.is_none_or(|id| row.university_id == id)
            && check.department_id.is_none_or(|id| row.department_id == Some(id))
            && check.course_id.is_none_or(|id| row.course_id == Some(id))
    };
    Ok(found.filter(agrees).map(|row| row.resource()))
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
