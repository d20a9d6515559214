//! `/universities/{id}/roles` and `/authz/check`.

use axum::response::Response;
use serde::Serialize;

use crate::domain::authz::{Permission, Role};
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::ids::{DepartmentId, GrantId, UniversityId, UserId};
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::http::kit::body::{FromFields, JsonBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Calling, Configured, SignedIn, Viewing};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::tenant::invitations::{InvitationBody, InvitedBody};
use crate::ports::DbError;
use crate::service;
use crate::service::authz::admission::Reading;
use crate::service::authz::check;
use crate::service::authz::check::Check;
use crate::service::authz::roles;
use crate::service::authz::roles::{GrantRole, Granted};
use crate::service::authz::step_up::{SignInAge, sign_in_age};
use crate::service::tenant::invitations;
use crate::store::authz::granting::Grantee;
use crate::store::authz::grants::GrantRow;
use crate::store::tenant::invitations::{InvitationRow, Offered};

impl FromFields for GrantRole {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let grantee = read_grantee(fields);
        let role = fields.choice("role", &Role::ALL.map(|role| (role.as_str(), role)));
        let department_id = fields.optional_id("department_id", DepartmentId::new);
        let (role, department_id) = (role?, department_id?);
        if role.reach().needs_department() && department_id.is_none() {
            return fields.refuse_missing("department_id");
        }
        if department_id.is_some() && !role.reach().takes_department() {
            return fields.refuse_value("department_id", "this role is not narrowed to a department");
        }
        Ok(Self { grantee: grantee?, role, department_id })
    }
}

/// Reads the grantee: either an id or an e-mail address.
fn read_grantee(fields: &mut Fields) -> Result<Grantee, Invalid> {
    let id = fields.optional_id("user_id", UserId::new);
    let email = fields.if_named("email", Fields::email);
    match (id?, email?) {
        (Some(id), None) => Ok(Grantee::Id(id)),
        (None, Some(email)) => Ok(Grantee::Email(email)),
        (None, None) => fields.refuse_missing("user_id"),
        (Some(_), Some(_)) => fields.refuse_value("email", "either user_id or email, not both"),
    }
}

/// The body of an acceptance.
pub(in crate::http) struct Acceptance(Secret);

impl FromFields for Acceptance {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.string("token").map(|token| Self(Secret::new(token)))
    }
}

impl FromFields for Check {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let permissions: Vec<(&str, Permission)> = Permission::all().collect();
        let permission = fields.choice("permission", &permissions);
        let user_id = fields.optional_id("user_id", UserId::new);
        let university_id = fields.optional_id("university_id", UniversityId::new);
        let department_id = fields.optional_id("department_id", DepartmentId::new);
        #[cfg(feature = "campus")]
        let course_id = fields.optional_id("course_id", CourseId::new);
        #[cfg(feature = "campus")]
        let enrollment_id = fields.optional_id("enrollment_id", EnrollmentId::new);
        Ok(Self {
            permission: permission?,
            user_id: user_id?,
            university_id: university_id?,
            department_id: department_id?,
            #[cfg(feature = "campus")]
            course_id: course_id?,
            #[cfg(feature = "campus")]
            enrollment_id: enrollment_id?,
        })
    }
}

#[derive(Serialize)]
struct GrantBody<'a> {
    id: i64,
    user_id: i64,
    email: &'a str,
    full_name: Option<&'a str>,
    role: &'static str,
    university_id: Option<i64>,
    department_id: Option<i64>,
    created_at: String,
}

impl<'a> GrantBody<'a> {
    fn new(row: &'a GrantRow) -> Result<Self, DbError> {
        let grant = row.grant()?;
        Ok(Self {
            id: row.id.get(),
            user_id: row.user_id.get(),
            email: &row.email,
            full_name: row.full_name.as_deref(),
            role: grant.role.as_str(),
            university_id: grant.university_id.map(UniversityId::get),
            department_id: grant.department_id.map(DepartmentId::get),
            created_at: row.created_at.rfc3339(),
        })
    }
}

#[derive(Serialize)]
struct AnswerBody {
    allowed: bool,
    reason: String,
}

pub(in crate::http) fn list(
    (Viewing(viewer), Id(university_id), Paging(page)): (Viewing, Id<UniversityId>, Paging),
) -> Reading<Response> {
    roles::list(&viewer, university_id, page).map(|rows| page_of(&rows, GrantBody::new))
}

fn granted(row: &GrantRow) -> Result<Response, Refusal> {
    let body = GrantBody::new(row).map_err(service::Error::from)?;
    Ok(json(201, &body))
}

/// The response to a grant that waits for the owner of the address.
fn invited(row: &InvitationRow, token: Option<&Secret>) -> Response {
    json(202, &InvitedBody { invitation: InvitationBody::new(row, token) })
}

/// The plan of the grant.
pub(in crate::http) fn step_up((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<SignInAge> {
    sign_in_age(&configured.service(), subject, None)
}

pub(in crate::http) async fn grant(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(university_id): Id<UniversityId>,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<GrantRole>>,
) -> Result<Response, Refusal> {
    match roles::grant(&configured.service(), &caller, university_id, &body.body, body.proof(&age)).await? {
        Granted::Role(row) => granted(&row),
        Granted::Invitation { row, token } => Ok(invited(&row, token.as_ref())),
    }
}

/// The plan of the acceptance.
pub(in crate::http) fn offered((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<Vec<Offered>> {
    invitations::offered(&configured.service(), subject)
}

pub(in crate::http) async fn accept(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(offered): Fetched<Vec<Offered>>,
    JsonBody(Acceptance(token)): JsonBody<Acceptance>,
) -> Result<Response, Refusal> {
    let row = invitations::accept(&configured.service(), &caller, &offered, &token).await?;
    granted(&row)
}

/// The plan of the removal.
pub(in crate::http) fn find(
    (configured, Bearer(subject), Id(university_id), Id(id)): (Configured, Bearer, Id<UniversityId>, Id<GrantId>),
) -> Reading<(GrantRow, SignInAge)> {
    roles::find(&configured.service(), subject, university_id, id)
}

pub(in crate::http) async fn remove(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched((grant, age)): Fetched<(GrantRow, SignInAge)>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    roles::remove(&configured.service(), &caller, &grant, body.proof(&age)).await?;
    Ok(no_content())
}

pub(in crate::http) async fn check(
    configured: Configured,
    Calling(principal): Calling,
    body: JsonBody<Check>,
) -> Result<Response, Refusal> {
    let answer = check::check(&configured.service(), &principal, &body.0).await?;
    Ok(json(200, &AnswerBody { allowed: answer.allowed, reason: answer.reason }))
}
