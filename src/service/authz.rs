//! One place to ask "may they?", for other services. Database round trips: 1 if something is named by its id
//! alone, after the caller's.

use super::caller::Caller;
use super::{Context, Error};
use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, UniversityId};
use crate::domain::rbac::{AllowedBy, Permission, Refusal, Resource, decide};
use crate::store::resources::{self, Target};

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
    let resource = named(ctx, check).await?;
    let decision = match &resource {
        Some(resource) => decide(caller.user.id, &caller.grants, check.permission, resource),
        None => Err(Refusal::Invisible),
    };
    Ok(match decision {
        Ok(allowed) => Answer { allowed: true, reason: describe(allowed) },
        Err(Refusal::Forbidden) => Answer { allowed: false, reason: "no role of the user allows it".to_owned() },
        Err(Refusal::Invisible) => Answer { allowed: false, reason: "no such resource for the user".to_owned() },
    })
}

/// What the ids name together; nothing, if they contradict each other or it does not exist.
async fn named(ctx: &Context<'_>, check: &Check) -> Result<Option<Resource>, Error> {
    let target = match (check.enrollment_id, check.course_id) {
        (Some(enrollment), None) => Some(Target::Enrollment(enrollment)),
        (None, Some(course)) => Some(Target::Course(course)),
        (Some(_), Some(_)) => return Ok(None),
        (None, None) => None,
    };
    let Some(target) = target else {
        let department_without_university = check.university_id.is_none() && check.department_id.is_some();
        let resource = Resource { university_id: check.university_id, department_id: check.department_id, owner: None };
        return Ok((!department_without_university).then_some(resource));
    };
    let found = resources::find(ctx.store, target).await?.map(|row| row.resource());
    let agrees = |resource: &Resource| {
        check.university_id.is_none_or(|id| resource.university_id == Some(id))
            && check.department_id.is_none_or(|id| resource.department_id == Some(id))
    };
    Ok(found.filter(agrees))
}

fn describe(allowed: AllowedBy) -> String {
    match allowed {
        AllowedBy::Ownership => "owner".to_owned(),
        AllowedBy::Grant(grant) => {
            let university = grant.university_id.map(|id| format!(" in university {id}")).unwrap_or_default();
            let department = grant.department_id.map(|id| format!(", department {id}")).unwrap_or_default();
            format!("{} by grant {}{university}{department}", grant.role.as_str(), grant.id)
        }
    }
}
