//! `/universities/{id}/invitations`. `http/authz/roles.rs` accepts one, since the response is a role.

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::{DepartmentId, InvitationId, UniversityId};
use crate::domain::secret::Secret;
use crate::http::kit::body::no_content;
use crate::http::kit::context::{Configured, SignedIn, Viewing};
use crate::http::kit::operation::Fetched;
use crate::http::kit::page::page_of;
use crate::http::kit::path::Id;
use crate::http::kit::query::Paging;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::Reading;
use crate::service::tenant::invitations;
use crate::store::tenant::invitations::InvitationRow;

#[derive(Serialize)]
pub(in crate::http) struct InvitationBody<'a> {
    id: i64,
    email: &'a str,
    role: &'a str,
    department_id: Option<i64>,
    invited_by: i64,
    created_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> InvitationBody<'a> {
    pub(in crate::http) fn new(row: &'a InvitationRow, token: Option<&'a Secret>) -> Self {
        Self {
            id: row.id.get(),
            email: &row.email,
            role: &row.role,
            department_id: row.department_id.map(DepartmentId::get),
            invited_by: row.invited_by.get(),
            created_at: row.created_at.rfc3339(),
            expires_at: row.expires_at.rfc3339(),
            token: token.map(Secret::expose),
        }
    }
}

#[derive(Serialize)]
pub(in crate::http) struct InvitedBody<'a> {
    pub(in crate::http) invitation: InvitationBody<'a>,
}

pub(in crate::http) fn list(
    (configured, Viewing(viewer), Id(university_id), Paging(page)): (Configured, Viewing, Id<UniversityId>, Paging),
) -> Reading<Response> {
    let invitations = invitations::list(&configured.service(), &viewer, university_id, page);
    invitations.map(|rows| page_of(&rows, |row| Ok(InvitationBody::new(row, None))))
}

/// The plan of the withdrawal.
pub(in crate::http) fn find(
    (configured, Id(university_id), Id(id)): (Configured, Id<UniversityId>, Id<InvitationId>),
) -> Reading<InvitationRow> {
    invitations::find(&configured.service(), university_id, id)
}

pub(in crate::http) async fn withdraw(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Fetched(row): Fetched<InvitationRow>,
) -> Result<Response, Refusal> {
    invitations::withdraw(&configured.service(), &caller, &row).await?;
    Ok(no_content())
}
