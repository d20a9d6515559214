//! `/auth/sessions` and `/auth/logout-all`: listing and ending a user's sessions.

pub(crate) mod auth;
pub(in crate::http) mod delivery;

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::SessionId;
use crate::http::kit::body::{json, no_content};
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::path::Id;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::Reading;
use crate::service::session;
use crate::store::session::SessionRow;

#[derive(Serialize)]
pub(in crate::http) struct SessionsBody<'a> {
    sessions: Vec<SessionBody<'a>>,
}

impl<'a> SessionsBody<'a> {
    /// `current` is the session of the caller's access token.
    pub(in crate::http) fn new(rows: &'a [SessionRow], current: SessionId) -> Self {
        Self { sessions: rows.iter().map(|row| SessionBody::new(row, current)).collect() }
    }
}

#[derive(Serialize)]
struct SessionBody<'a> {
    id: i64,
    created_at: String,
    last_used_at: String,
    expires_at: String,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    current: bool,
}

impl<'a> SessionBody<'a> {
    fn new(row: &'a SessionRow, current: SessionId) -> Self {
        Self {
            id: row.id.get(),
            created_at: row.created_at.rfc3339(),
            last_used_at: row.last_used_at.rfc3339(),
            expires_at: row.expires_at.rfc3339(),
            ip: row.ip.as_deref(),
            user_agent: row.user_agent.as_deref(),
            current: row.id == current,
        }
    }
}

#[derive(Serialize)]
pub(in crate::http) struct EndedBody {
    pub(in crate::http) message: &'static str,
    pub(in crate::http) sessions_ended: usize,
}

pub(in crate::http) fn list((configured, Bearer(subject)): (Configured, Bearer)) -> Reading<Response> {
    let sessions = session::list(&configured.service(), subject);
    sessions.map(move |rows| json(200, &SessionsBody::new(&rows, subject.session_id)))
}

pub(in crate::http) async fn end(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(session_id): Id<SessionId>,
) -> Result<Response, Refusal> {
    session::end(&configured.service(), &caller, session_id).await?;
    Ok(no_content())
}

pub(in crate::http) async fn end_all(configured: Configured, SignedIn(caller): SignedIn) -> Result<Response, Refusal> {
    let sessions_ended = session::end_all(&configured.service(), &caller).await?;
    Ok(json(200, &EndedBody { message: "Logged out everywhere", sessions_ended }))
}
