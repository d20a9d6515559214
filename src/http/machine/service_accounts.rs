//! `/admin/service-accounts`.

use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::domain::ids::ServiceAccountId;
use crate::domain::machine::scope::{Scope, ScopeSet};
use crate::domain::settings::Settings;
use crate::domain::tenant::label::MAX_NAME;
use crate::http::kit::body::{FromFields, JsonBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn, Viewing};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::machine::fields::WithKey;
use crate::ports::DbError;
use crate::service;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::{SignInAge, sign_in_age};
use crate::service::machine::service_accounts;
use crate::service::machine::service_accounts::CreateServiceAccount;
use crate::store::machine::service_accounts::{ServiceAccountChange, ServiceAccountRow};

fn scopes(fields: &mut Fields, name: &'static str) -> Result<ScopeSet, Invalid> {
    let scopes = fields.choices(name, &Scope::ALL.map(|scope| (scope.as_str(), scope)), 0)?;
    Ok(scopes.into_iter().collect())
}

impl FromFields for CreateServiceAccount {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.label("name", MAX_NAME);
        let scopes = scopes(fields, "scopes");
        Ok(Self { name: name?, scopes: scopes? })
    }
}

impl FromFields for ServiceAccountChange {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.if_named("name", |fields, name| fields.label(name, MAX_NAME));
        let scopes = fields.if_named("scopes", scopes);
        let is_active = fields.if_named("is_active", Fields::boolean);
        Ok(Self { name: name?, scopes: scopes?, is_active: is_active? })
    }
}

#[derive(Serialize)]
struct ServiceAccountBody<'a> {
    id: i64,
    client_id: &'a str,
    name: &'a str,
    scopes: Vec<&'static str>,
    is_active: bool,
    created_at: String,
}

impl<'a> ServiceAccountBody<'a> {
    fn new(row: &'a ServiceAccountRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id.get(),
            client_id: &row.client_id,
            name: &row.name,
            scopes: row.scopes()?.names().collect(),
            is_active: row.is_active,
            created_at: row.created_at.rfc3339(),
        })
    }

    fn response(row: &'a ServiceAccountRow) -> Result<Response, Refusal> {
        let body = Self::new(row).map_err(service::Error::from)?;
        Ok(json(200, &body))
    }
}

/// The plan of the changes, of accounts and of their keys.
pub(in crate::http) fn step_up((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<SignInAge> {
    sign_in_age(&configured.service(), subject, None)
}

pub(in crate::http) async fn create(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<CreateServiceAccount>>,
) -> Result<Response, Refusal> {
    let (row, key) = service_accounts::create(&configured.service(), &caller, &body.body, body.proof(&age)).await?;
    let body = ServiceAccountBody::new(&row).map_err(service::Error::from)?;
    Ok(json(201, &WithKey::new(body, &key)))
}

pub(in crate::http) fn list((Viewing(viewer), Paging(page)): (Viewing, Paging)) -> Reading<Response> {
    service_accounts::list(&viewer, page).map(|rows| page_of(&rows, ServiceAccountBody::new))
}

pub(in crate::http) fn find((Viewing(viewer), Id(id)): (Viewing, Id<ServiceAccountId>)) -> Reading<Response> {
    service_accounts::find(&viewer, id).map(|row| ServiceAccountBody::response(&row).into_response())
}

pub(in crate::http) async fn update(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<ServiceAccountId>,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<ServiceAccountChange>>,
) -> Result<Response, Refusal> {
    let row = service_accounts::update(&configured.service(), &caller, id, &body.body, body.proof(&age)).await?;
    ServiceAccountBody::response(&row)
}

pub(in crate::http) async fn delete(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<ServiceAccountId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    service_accounts::delete(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(no_content())
}
