//! `/auth/sessions` and `/auth/logout-all`: from where somebody is signed in, and an end to it.

use axum::response::Response;
use serde::Serialize;

use super::body::{json, no_content};
use super::context::{Configured, SignedIn};
use super::path::Id;
use super::refusal::Refusal;
use crate::domain::ids::SessionId;
use crate::service::sessions;
use crate::store::sessions::SessionRow;

#[derive(Serialize)]
pub(super) struct SessionsBody<'a> {
    sessions: Vec<SessionBody<'a>>,
}

impl<'a> SessionsBody<'a> {
    /// `current` is the session that asks.
    pub(super) fn new(rows: &'a [SessionRow], current: SessionId) -> Self {
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
pub(super) struct EndedBody {
    pub(super) message: &'static str,
    pub(super) sessions_ended: usize,
}

pub(super) async fn list(configured: Configured, SignedIn(caller): SignedIn) -> Result<Response, Refusal> {
    let rows = sessions::list(&configured.service(), &caller).await?;
    Ok(json(200, &SessionsBody::new(&rows, caller.session_id)))
}

pub(super) async fn end(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Id(session_id): Id<SessionId>,
) -> Result<Response, Refusal> {
    sessions::end(&configured.service(), &caller, session_id).await?;
    Ok(no_content())
}

pub(super) async fn end_all(configured: Configured, SignedIn(caller): SignedIn) -> Result<Response, Refusal> {
    let sessions_ended = sessions::end_all(&configured.service(), &caller).await?;
    Ok(json(200, &EndedBody { message: "Logged out everywhere", sessions_ended }))
}
