//! `/users/me/identities`: the identities of the caller at other providers.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::IdentityId;
use crate::http::kit::body::{OptionalJsonBody, json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::operation::Fetched;
use crate::http::kit::path::Id;
use crate::http::kit::refusal::Refusal;
use crate::http::kit::step_up::WithPassword;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up::SignInAge;
use crate::service::federation::identities;
use crate::store::federation::identities::IdentityRow;

#[derive(Serialize)]
struct IdentityBody<'a> {
    id: i64,
    provider: &'a str,
    issuer: &'a str,
    subject: &'a str,
    email: Option<&'a str>,
    created_at: String,
    suspended: bool,
}

impl<'a> From<&'a IdentityRow> for IdentityBody<'a> {
    fn from(row: &'a IdentityRow) -> Self {
        Self {
            id: row.id.get(),
            provider: &row.provider,
            issuer: &row.issuer,
            subject: &row.subject,
            email: row.email.as_deref(),
            created_at: row.created_at.rfc3339(),
            suspended: row.is_suspended,
        }
    }
}

#[derive(Serialize)]
struct IdentitiesBody<'a> {
    identities: Vec<IdentityBody<'a>>,
}

/// The response with one identity.
pub(super) fn identity(row: &IdentityRow) -> Response {
    json(200, &IdentityBody::from(row))
}

pub(in crate::http) fn list((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<Response> {
    let rows = identities::list(&configured.service(), subject);
    rows.map(|rows| json(200, &IdentitiesBody { identities: rows.iter().map(IdentityBody::from).collect() }))
}

pub(in crate::http) async fn unlink(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(age): Fetched<SignInAge>,
    Id(id): Id<IdentityId>,
    OptionalJsonBody(body): OptionalJsonBody<WithPassword<()>>,
) -> Result<Response, Refusal> {
    identities::unlink(&configured.service(), &caller, id, body.proof(&age)).await?;
    Ok(no_content())
}
