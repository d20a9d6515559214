//! `/admin/service-accounts/{id}/keys`.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::{ApiKeyId, ServiceAccountId};
use crate::domain::settings::Settings;
use crate::domain::tenant::label::MAX_NAME;
use crate::http::kit::body::{FromFields, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Configured, SignedIn, Viewing};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::machine::fields::{WithKey, expires_at, shown};
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::SignInAge;
use crate::service::machine::service_keys;
use crate::service::machine::service_keys::CreateServiceKey;
use crate::store::machine::service_keys::ServiceKeyRow;

impl FromFields for CreateServiceKey {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.optional_label("name", MAX_NAME);
        let expires_at = expires_at(fields);
        Ok(Self { name: name?, expires_at: expires_at? })
    }
}

#[derive(Serialize)]
struct ServiceKeyBody<'a> {
    id: i64,
    name: Option<&'a str>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl<'a> From<&'a ServiceKeyRow> for ServiceKeyBody<'a> {
    fn from(row: &'a ServiceKeyRow) -> Self {
        Self {
            id: row.id.get(),
            name: row.name.as_deref(),
            created_at: row.created_at.rfc3339(),
            expires_at: shown(row.expires_at),
            last_used_at: shown(row.last_used_at),
        }
    }
}

pub(in crate::http) async fn create(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<ServiceAccountId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<CreateServiceKey>>,
) -> Result<Response, Refusal> {
    let proof = body.proof(&age);
    let (row, key) = service_keys::create(&configured.service(), &caller, id, &body.body, proof).await?;
    Ok(json(201, &WithKey::new(ServiceKeyBody::from(&row), &key)))
}

pub(in crate::http) fn list(
    (Viewing(viewer), Id(id), Paging(page)): (Viewing, Id<ServiceAccountId>, Paging),
) -> Reading<Response> {
    service_keys::list(&viewer, id, page).map(|rows| page_of(&rows, |row| Ok(ServiceKeyBody::from(row))))
}

pub(in crate::http) async fn withdraw(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<ServiceAccountId>,
    Id(key_id): Id<ApiKeyId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    service_keys::withdraw(&configured.service(), &caller, id, key_id, body.proof(&age)).await?;
    Ok(no_content())
}
