//! `/courses`, `/enrollments` and `/universities/{id}/courses`.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, UniversityId};
use crate::domain::settings::Settings;
use crate::domain::tenant::label::{MAX_CODE, MAX_NAME};
use crate::http::kit::body::{FromFields, JsonBody, json, no_content};
use crate::http::kit::context::{Configured, Found, SignedIn, Viewing};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::Reading;
use crate::service::campus::courses;
use crate::service::campus::courses::CreateCourse;
use crate::store::campus::courses::{CourseChange, CourseRow};
use crate::store::campus::enrollments::{EnrollmentRow, ParticipantRow};

impl FromFields for CreateCourse {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let title = fields.label("title", MAX_NAME);
        let code = fields.label("code", MAX_CODE);
        let department_id = fields.optional_id("department_id", DepartmentId::new);
        let is_public = fields.boolean("is_public");
        Ok(Self { title: title?, code: code?, department_id: department_id?, is_public: is_public? })
    }
}

impl FromFields for CourseChange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let title = fields.if_named("title", |fields, member| fields.label(member, MAX_NAME));
        let code = fields.if_named("code", |fields, member| fields.label(member, MAX_CODE));
        let is_public = fields.if_named("is_public", Fields::boolean);
        let department =
            fields.if_named("department_id", |fields, member| fields.optional_id(member, DepartmentId::new));
        Ok(Self { title: title?, code: code?, is_public: is_public?, department_id: department? })
    }
}

#[derive(Serialize)]
struct CourseBody<'a> {
    id: i64,
    university_id: i64,
    department_id: Option<i64>,
    title: &'a str,
    code: &'a str,
    is_public: bool,
    created_at: String,
    enrolled: bool,
}

impl<'a> From<&'a CourseRow> for CourseBody<'a> {
    fn from(row: &'a CourseRow) -> Self {
        Self {
            id: row.id.get(),
            university_id: row.university_id.get(),
            department_id: row.department_id.map(DepartmentId::get),
            title: &row.title,
            code: &row.code,
            is_public: row.is_public,
            created_at: row.created_at.rfc3339(),
            enrolled: row.enrolled,
        }
    }
}

#[derive(Serialize)]
struct EnrollmentBody {
    id: i64,
    course_id: i64,
    user_id: i64,
    created_at: String,
}

impl From<&EnrollmentRow> for EnrollmentBody {
    fn from(row: &EnrollmentRow) -> Self {
        let (id, course_id, user_id) = (row.id.get(), row.course_id.get(), row.user_id.get());
        Self { id, course_id, user_id, created_at: row.created_at.rfc3339() }
    }
}

#[derive(Serialize)]
struct ParticipantBody<'a> {
    #[serde(flatten)]
    enrollment: EnrollmentBody,
    email: &'a str,
    full_name: Option<&'a str>,
}

impl<'a> From<&'a ParticipantRow> for ParticipantBody<'a> {
    fn from(row: &'a ParticipantRow) -> Self {
        Self { enrollment: (&row.enrollment).into(), email: &row.email, full_name: row.full_name.as_deref() }
    }
}

pub(in crate::http) async fn create(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(university_id): Id<UniversityId>,
    body: JsonBody<CreateCourse>,
) -> Result<Response, Refusal> {
    let row = courses::create(&configured.service(), &caller, university_id, &body.0).await?;
    Ok(json(201, &CourseBody::from(&row)))
}

pub(in crate::http) fn of_university(
    (Viewing(viewer), Id(university_id), Paging(page)): (Viewing, Id<UniversityId>, Paging),
) -> Reading<Response> {
    let courses = courses::of_university(&viewer, university_id, page);
    courses.map(|rows| page_of(&rows, |row| Ok(CourseBody::from(row))))
}

pub(in crate::http) fn list((viewing, Paging(page)): (Option<Viewing>, Paging)) -> Reading<Response> {
    let viewer = viewing.map(|Viewing(viewer)| viewer);
    courses::list(viewer.as_ref(), page).map(|rows| page_of(&rows, |row| Ok(CourseBody::from(row))))
}

pub(in crate::http) fn find((viewing, Id(id)): (Option<Viewing>, Id<CourseId>)) -> Reading<Response> {
    let viewer = viewing.map(|Viewing(viewer)| viewer);
    courses::find(viewer.as_ref(), id).map(|row| json(200, &CourseBody::from(&row)))
}

pub(in crate::http) async fn update(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<CourseId>,
    Found(course): Found,
    body: JsonBody<CourseChange>,
) -> Result<Response, Refusal> {
    let row = courses::update(&configured.service(), &caller, id, course, &body.0).await?;
    Ok(json(200, &CourseBody::from(&row)))
}

pub(in crate::http) async fn delete(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<CourseId>,
    Found(course): Found,
) -> Result<Response, Refusal> {
    courses::delete(&configured.service(), &caller, id, course).await?;
    Ok(no_content())
}

pub(in crate::http) async fn enroll(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<CourseId>,
) -> Result<Response, Refusal> {
    let row = courses::enroll(&configured.service(), caller.user.id, id).await?;
    Ok(json(201, &EnrollmentBody::from(&row)))
}

pub(in crate::http) fn participants(
    (Viewing(viewer), Id(id), Paging(page)): (Viewing, Id<CourseId>, Paging),
) -> Reading<Response> {
    courses::participants(&viewer, id, page).map(|rows| page_of(&rows, |row| Ok(ParticipantBody::from(row))))
}

pub(in crate::http) fn enrollment(Id(id): Id<EnrollmentId>) -> Reading<Response> {
    courses::enrollment(id).map(|row| json(200, &EnrollmentBody::from(&row)))
}

pub(in crate::http) async fn end_enrollment(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<EnrollmentId>,
) -> Result<Response, Refusal> {
    courses::end_enrollment(&configured.service(), &caller, id).await?;
    Ok(no_content())
}
