//! Permission checks for other services. Database round trips after the caller's: 1 if the check names a resource or a
//! service account asks, otherwise none.

use crate::domain::authz::{AllowedBy, Denial, Permission, Resource, RoleGrant, decide};
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::ids::{DepartmentId, UniversityId, UserId};
use crate::domain::problem::{Code, Fault, FaultKind, Problem};
use crate::service::authz::caller::Principal;
use crate::service::{Context, Error};
use crate::store::account::users;
use crate::store::authz::resources;
use crate::store::authz::resources::{ResourceRow, Target};
#[cfg(feature = "campus")]
use crate::store::campus::resources::CampusTarget;
use crate::store::read::Read;

/// A permission check. The ids together name one resource.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Check {
    /// The permission that the caller needs.
    pub permission: Permission,
    /// The user to check. A user may name only themselves; a service account must name one.
    pub user_id: Option<UserId>,
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

/// The user that a check is about.
struct CheckedUser {
    id: UserId,
    grants: Vec<RoleGrant>,
}

/// Decides for the caller or, if a service account asks, for the user that the check names. A resource that does not exist
/// and one that the user may not see get the same answer.
///
/// # Errors
/// `FORBIDDEN` if a user names another one; `VALIDATION_ERROR` if a service account names none; [`Error`] otherwise.
pub async fn check(ctx: &Context<'_>, principal: &Principal, check: &Check) -> Result<Answer, Error> {
    let (user, resource) = match principal {
        Principal::User(caller) => {
            if check.user_id.is_some_and(|id| id != caller.user.id) {
                return Err(Code::Forbidden.into());
            }
            let user = CheckedUser { id: caller.user.id, grants: caller.grants.clone() };
            (Some(user), ctx.store.run(find(check)).await?)
        }
        Principal::Service(_) => {
            let id = check.user_id.ok_or_else(no_user)?;
            let (grants, resource) = ctx.store.run(users::active_grants(id).and(find(check))).await?;
            // The session of the user is unknown, so roles that need a second factor do not count.
            let required = &ctx.settings.factors.required_roles;
            let counted = |grants: Vec<RoleGrant>| grants.into_iter().filter(|grant| !required.contains(&grant.role));
            (grants.map(|grants| CheckedUser { id, grants: counted(grants).collect() }), resource)
        }
    };
    Ok(answer(principal, check.permission, user.as_ref(), resource.as_ref()))
}

fn no_user() -> Error {
    let fault = Fault::of("user_id", FaultKind::Missing, "field is required of a service account");
    Problem::validation(vec![fault]).into()
}

fn answer(
    principal: &Principal,
    permission: Permission,
    user: Option<&CheckedUser>,
    resource: Option<&Resource>,
) -> Answer {
    let refused = |reason: &str| Answer { allowed: false, reason: reason.to_owned() };
    let Some(user) = user else {
        return refused("no such active user");
    };
    let decision = match resource {
        Some(resource) => decide(user.id, &user.grants, permission, resource),
        None => Err(Denial::Invisible),
    };
    match decision {
        Ok(_) if principal.user().is_some_and(|caller| !caller.credential.leaves(permission)) => {
            refused("the key does not have the permission")
        }
        Ok(allowed) => Answer { allowed: true, reason: describe(allowed) },
        Err(Denial::Forbidden) => refused("no role of the user allows it"),
        Err(Denial::Unpublished) => refused("the course is not published"),
        Err(Denial::Invisible) => refused("no such resource for the user"),
    }
}

/// The resource that the ids name: the service itself if there are none. `None` if the resource does not exist or the
/// ids disagree.
fn find(check: &Check) -> Read<Option<Resource>> {
    let Some(target) = check.target() else {
        return Read::nothing().map(|()| Some(Resource::default()));
    };
    let check = *check;
    resources::find(target).map(move |row| row.filter(|row| check.agrees(row)).map(|row| row.resource()))
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
