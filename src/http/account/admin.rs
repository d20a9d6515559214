//! `/admin`: users, sessions and audit events, for administrators of the platform.

use axum::response::Response;
use serde::Serialize;

use crate::domain::authz::RoleGrant;
use crate::domain::ids::{DepartmentId, SessionId, UniversityId, UserId};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::http::kit::body::{FromFields, JsonBody, MessageBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn, Viewing};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::{page_of, page_of_events};
use crate::http::kit::path::Id;
use crate::http::kit::query::{EventQuery, UserQuery};
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::session::{EndedBody, SessionsBody};
use crate::service::account::admin;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::{SignInAge, sign_in_age};
use crate::store::account::admin::{FactorCounts, UserChange};
use crate::store::account::users::UserRow;
use crate::store::audit::archive::ArchiveSummary;
use crate::store::audit::list::AdminEventRow;

impl FromFields for UserChange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let is_active = fields.if_named("is_active", Fields::boolean);
        let full_name = fields.if_named("full_name", Fields::full_name);
        let proves_address = match fields.if_named("email_verified", Fields::boolean) {
            Ok(Some(false)) => fields.refuse_value("email_verified", "only true: a proof cannot be taken back"),
            proves => proves.map(|proves| proves.is_some()),
        };
        Ok(Self { is_active: is_active?, full_name: full_name?, proves_address: proves_address? })
    }
}

#[derive(Serialize)]
struct AdminUserBody<'a> {
    id: i64,
    email: &'a str,
    email_verified: bool,
    full_name: Option<&'a str>,
    is_active: bool,
    created_at: String,
}

impl<'a> From<&'a UserRow> for AdminUserBody<'a> {
    fn from(user: &'a UserRow) -> Self {
        Self {
            id: user.id.get(),
            email: &user.email,
            email_verified: user.email_verified_at.is_some(),
            full_name: user.full_name.as_deref(),
            is_active: user.is_active,
            created_at: user.created_at.rfc3339(),
        }
    }
}

#[derive(Serialize)]
struct UserDetailBody<'a> {
    #[serde(flatten)]
    user: AdminUserBody<'a>,
    mail_refused_at: Option<String>,
    factors: FactorsBody,
    roles: Vec<UserRoleBody>,
}

#[derive(Serialize)]
struct FactorsBody {
    totp: bool,
    recovery_codes: bool,
    passkeys: u32,
    identities: u32,
}

#[derive(Serialize)]
struct UserRoleBody {
    id: i64,
    university_id: Option<i64>,
    department_id: Option<i64>,
    role: &'static str,
}

impl From<&RoleGrant> for UserRoleBody {
    fn from(grant: &RoleGrant) -> Self {
        Self {
            id: grant.id.get(),
            university_id: grant.university_id.map(UniversityId::get),
            department_id: grant.department_id.map(DepartmentId::get),
            role: grant.role.as_str(),
        }
    }
}

#[derive(Serialize)]
struct AdminEventBody<'a> {
    id: i64,
    created_at: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    reason: Option<&'a str>,
    count: i64,
    first_at: String,
    last_at: String,
    user_id: Option<i64>,
    session_id: Option<i64>,
    actor_id: Option<i64>,
    university_id: Option<i64>,
    object_id: Option<i64>,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: &'a str,
    ray: Option<&'a str>,
}

impl<'a> From<&'a AdminEventRow> for AdminEventBody<'a> {
    fn from(row: &'a AdminEventRow) -> Self {
        Self {
            id: row.id.get(),
            created_at: row.created_at.rfc3339(),
            event_type: &row.event_type,
            reason: row.reason.as_deref(),
            count: row.count,
            first_at: row.created_at.rfc3339(),
            last_at: row.last_at.rfc3339(),
            user_id: row.user_id.map(UserId::get),
            session_id: row.session_id.map(SessionId::get),
            actor_id: row.actor_id.map(UserId::get),
            university_id: row.university_id.map(UniversityId::get),
            object_id: row.object_id,
            ip: row.ip.as_deref(),
            user_agent: row.user_agent.as_deref(),
            request_id: &row.request_id,
            ray: row.ray.as_deref(),
        }
    }
}

/// The objects of the archive, as JSON; null for an archive that has no events any more.
fn archive_body(archive: Option<ArchiveSummary>) -> String {
    let known = archive.and_then(|archive| archive.events_until.map(|until| (archive, until.rfc3339())));
    known.map_or_else(
        || "null".to_owned(),
        |(ArchiveSummary { first_object, last_object, .. }, until)| {
            format!("{{\"first_object\":{first_object},\"last_object\":{last_object},\"events_until\":\"{until}\"}}")
        },
    )
}

pub(in crate::http) fn users((Viewing(viewer), query): (Viewing, UserQuery)) -> Reading<Response> {
    let UserQuery(filter, page) = query;
    admin::users(&viewer, &filter, page).map(|rows| page_of(&rows, |row| Ok(AdminUserBody::from(row))))
}

pub(in crate::http) fn user((Viewing(viewer), Id(id)): (Viewing, Id<UserId>)) -> Reading<Response> {
    admin::user(&viewer, id).map(|detail| {
        let roles = detail.grants.iter().map(UserRoleBody::from).collect();
        let mail_refused_at = detail.user.mail_refused_at.map(Timestamp::rfc3339);
        let FactorCounts { has_totp: totp, has_recovery_codes: recovery_codes, passkeys, identities } = detail.factors;
        let factors = FactorsBody { totp, recovery_codes, passkeys, identities };
        json(200, &UserDetailBody { user: (&detail.user).into(), mail_refused_at, factors, roles })
    })
}

/// The plan of the operations that may be irreversible.
pub(in crate::http) fn step_up(
    (configured, Bearer(subject), Id(id)): (Configured, Bearer, Id<UserId>),
) -> Reading<SignInAge> {
    sign_in_age(&configured.service(), subject, Some(id))
}

pub(in crate::http) async fn change(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UserId>,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<UserChange>>,
) -> Result<Response, Refusal> {
    let user = admin::change(&configured.service(), &caller, id, &body.body, body.proof(&age)).await?;
    Ok(json(200, &AdminUserBody::from(&user)))
}

pub(in crate::http) async fn end_sessions(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UserId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    let sessions_ended = admin::end_sessions(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(json(200, &EndedBody { message: "Logged out everywhere", sessions_ended }))
}

pub(in crate::http) async fn unlock(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UserId>,
) -> Result<Response, Refusal> {
    admin::unlock(&configured.service(), &caller, id).await?;
    Ok(json(200, &MessageBody { message: "Sign-in unlocked" }))
}

pub(in crate::http) async fn delete(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UserId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    admin::erase(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(no_content())
}

pub(in crate::http) fn sessions(
    (configured, Bearer(subject), Id(id)): (Configured, Bearer, Id<UserId>),
) -> Reading<Response> {
    let sessions = admin::sessions(&configured.service(), subject, id);
    sessions.map(move |rows| json(200, &SessionsBody::new(&rows, subject.session_id)))
}

pub(in crate::http) fn events((Viewing(viewer), query): (Viewing, EventQuery)) -> Reading<Response> {
    let EventQuery(filter, page) = query;
    admin::events(&viewer, &filter, page)
        .map(|(page, archive)| page_of_events(&page, AdminEventBody::from, archive_body(archive)))
}
