//! `/users/me/api-keys`.

use axum::response::Response;
use serde::Serialize;

use crate::domain::authz::Permission;
use crate::domain::ids::ApiKeyId;
use crate::domain::settings::Settings;
use crate::domain::tenant::label::MAX_NAME;
use crate::http::kit::body::{FromFields, JsonBody, OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::fields::{Fields, Invalid};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::http::machine::fields::{WithKey, expires_at, shown};
use crate::ports::DbError;
use crate::service;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::{SignInAge, sign_in_age};
use crate::service::machine::user_keys;
use crate::service::machine::user_keys::CreateKey;
use crate::store::machine::user_keys::UserKeyRow;

impl FromFields for CreateKey {
    fn read(fields: &mut Fields, _: &Settings) -> Result<Self, Invalid> {
        let name = fields.label("name", MAX_NAME);
        let permissions: Vec<(&str, Permission)> = Permission::all().collect();
        let permissions = fields.choices("permissions", &permissions, 1);
        let expires_at = expires_at(fields);
        Ok(Self { name: name?, permissions: permissions?.into_iter().collect(), expires_at: expires_at? })
    }
}

#[derive(Serialize)]
struct KeyBody<'a> {
    id: i64,
    name: &'a str,
    permissions: Vec<&'static str>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl<'a> KeyBody<'a> {
    fn new(row: &'a UserKeyRow) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id.get(),
            name: &row.name,
            permissions: row.permissions()?.names().collect(),
            created_at: row.created_at.rfc3339(),
            expires_at: shown(row.expires_at),
            last_used_at: shown(row.last_used_at),
        })
    }
}

/// The plan of the changes.
pub(in crate::http) fn step_up((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<SignInAge> {
    sign_in_age(&configured.service(), subject, None)
}

pub(in crate::http) async fn create(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    JsonBody(body): JsonBody<WithPassword<CreateKey>>,
) -> Result<Response, Refusal> {
    let (row, key) = user_keys::create(&configured.service(), &caller, &body.body, body.proof(&age)).await?;
    let body = KeyBody::new(&row).map_err(service::Error::from)?;
    Ok(json(201, &WithKey::new(body, &key)))
}

pub(in crate::http) fn list((Bearer(subject), Paging(page)): (Bearer, Paging)) -> Reading<Response> {
    user_keys::list(subject, page).map(|rows| page_of(&rows, KeyBody::new))
}

pub(in crate::http) async fn withdraw(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(id): Id<ApiKeyId>,
    Fetched(age): Fetched<SignInAge>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    user_keys::withdraw(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(no_content())
}
