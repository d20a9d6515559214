//! `/universities` and `/universities/{id}/departments`.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::{DepartmentId, UniversityId};
use crate::domain::settings::Settings;
use crate::domain::tenant::label::{Label, MAX_NAME};
use crate::http::kit::body::{FromFields, JsonBody, json, no_content};
use crate::http::kit::context::{Configured, SignedIn, Viewing};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::Reading;
use crate::service::tenant::universities;
use crate::service::tenant::universities::{NewUniversity, UniversityChange};
use crate::store::tenant::departments::DepartmentRow;
use crate::store::tenant::universities::UniversityRow;

impl FromFields for NewUniversity {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.label("name", MAX_NAME);
        let slug = fields.slug("slug");
        Ok(Self { name: name?, slug: slug? })
    }
}

impl FromFields for UniversityChange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.if_named("name", |fields, member| fields.label(member, MAX_NAME));
        let slug = fields.if_named("slug", Fields::slug);
        Ok(Self { name: name?, slug: slug? })
    }
}

/// The body of a new department.
pub(in crate::http) struct NewDepartment(Label);

impl FromFields for NewDepartment {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        fields.label("name", MAX_NAME).map(Self)
    }
}

#[derive(Serialize)]
struct UniversityBody<'a> {
    id: i64,
    name: &'a str,
    slug: &'a str,
    created_at: String,
}

impl<'a> From<&'a UniversityRow> for UniversityBody<'a> {
    fn from(row: &'a UniversityRow) -> Self {
        Self { id: row.id.get(), name: &row.name, slug: &row.slug, created_at: row.created_at.rfc3339() }
    }
}

#[derive(Serialize)]
struct DepartmentBody<'a> {
    id: i64,
    university_id: i64,
    name: &'a str,
    created_at: String,
}

impl<'a> From<&'a DepartmentRow> for DepartmentBody<'a> {
    fn from(row: &'a DepartmentRow) -> Self {
        let (id, university_id) = (row.id.get(), row.university_id.get());
        Self { id, university_id, name: &row.name, created_at: row.created_at.rfc3339() }
    }
}

pub(in crate::http) async fn create(
    configured: Configured,
    SignedIn(caller): SignedIn,
    body: JsonBody<NewUniversity>,
) -> Result<Response, Refusal> {
    let row = universities::create(&configured.service(), &caller, &body.0).await?;
    Ok(json(201, &UniversityBody::from(&row)))
}

pub(in crate::http) fn list((Viewing(viewer), Paging(page)): (Viewing, Paging)) -> Reading<Response> {
    universities::list(&viewer, page).map(|rows| page_of(&rows, |row| Ok(UniversityBody::from(row))))
}

pub(in crate::http) fn find(Id(id): Id<UniversityId>) -> Reading<Response> {
    universities::find(id).map(|row| json(200, &UniversityBody::from(&row)))
}

pub(in crate::http) async fn update(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UniversityId>,
    body: JsonBody<UniversityChange>,
) -> Result<Response, Refusal> {
    let row = universities::update(&configured.service(), &caller, id, &body.0).await?;
    Ok(json(200, &UniversityBody::from(&row)))
}

pub(in crate::http) async fn delete(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<UniversityId>,
) -> Result<Response, Refusal> {
    universities::delete(&configured.service(), &caller, id).await?;
    Ok(no_content())
}

pub(in crate::http) async fn create_department(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(university_id): Id<UniversityId>,
    body: JsonBody<NewDepartment>,
) -> Result<Response, Refusal> {
    let row = universities::create_department(&configured.service(), &caller, university_id, &body.0.0).await?;
    Ok(json(201, &DepartmentBody::from(&row)))
}

pub(in crate::http) fn departments(
    (Viewing(viewer), Id(id), Paging(page)): (Viewing, Id<UniversityId>, Paging),
) -> Reading<Response> {
    universities::departments(&viewer, id, page).map(|rows| page_of(&rows, |row| Ok(DepartmentBody::from(row))))
}

pub(in crate::http) async fn delete_department(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(university_id): Id<UniversityId>,
    Id(id): Id<DepartmentId>,
) -> Result<Response, Refusal> {
    universities::delete_department(&configured.service(), &caller, university_id, id).await?;
    Ok(no_content())
}
