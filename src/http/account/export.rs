//! `/users/me/export`: all that is stored about a user, for the user (GDPR, article 15).

use axum::response::Response;
use serde::Serialize;

use crate::domain::ids::SessionId;
use crate::domain::time::Timestamp;
use crate::http::account::users::UserBody;
use crate::http::kit::body::json;
use crate::http::kit::context::{Configured, SignedIn};
use crate::http::kit::query::EventCursor;
use crate::http::kit::refusal::Refusal;
use crate::service::account::export;
use crate::store::account::export::{EventRow, OwnEnrollmentRow, StoredSessionRow};

#[derive(Serialize)]
struct ExportBody<'a> {
    user: UserBody<'a>,
    sessions: Vec<StoredSessionBody<'a>>,
    enrollments: Vec<OwnEnrollmentBody>,
    audit_events: Vec<EventBody<'a>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct StoredSessionBody<'a> {
    id: i64,
    created_at: String,
    last_used_at: String,
    expires_at: String,
    ended_at: Option<String>,
    end_reason: Option<&'a str>,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
}

impl<'a> From<&'a StoredSessionRow> for StoredSessionBody<'a> {
    fn from(row: &'a StoredSessionRow) -> Self {
        Self {
            id: row.id.get(),
            created_at: row.created_at.rfc3339(),
            last_used_at: row.last_used_at.rfc3339(),
            expires_at: row.expires_at.rfc3339(),
            ended_at: row.ended_at.map(Timestamp::rfc3339),
            end_reason: row.end_reason.as_deref(),
            ip: row.ip.as_deref(),
            user_agent: row.user_agent.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct OwnEnrollmentBody {
    id: i64,
    course_id: i64,
    created_at: String,
}

impl From<&OwnEnrollmentRow> for OwnEnrollmentBody {
    fn from(row: &OwnEnrollmentRow) -> Self {
        Self { id: row.id.get(), course_id: row.course_id.get(), created_at: row.created_at.rfc3339() }
    }
}

#[derive(Serialize)]
struct EventBody<'a> {
    id: i64,
    created_at: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    reason: Option<&'a str>,
    session_id: Option<i64>,
    ip: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: &'a str,
}

impl<'a> From<&'a EventRow> for EventBody<'a> {
    fn from(row: &'a EventRow) -> Self {
        Self {
            id: row.id.get(),
            created_at: row.created_at.rfc3339(),
            event_type: &row.event_type,
            reason: row.reason.as_deref(),
            session_id: row.session_id.map(SessionId::get),
            ip: row.ip.as_deref(),
            user_agent: row.user_agent.as_deref(),
            request_id: &row.request_id,
        }
    }
}

pub(in crate::http) async fn export(
    configured: Configured,
    SignedIn(caller): SignedIn,
    EventCursor(before): EventCursor,
) -> Result<Response, Refusal> {
    let page = export::export(&configured.service(), &caller, before).await?;
    let body = ExportBody {
        user: UserBody::new(&caller.user, &caller.grants),
        sessions: page.sessions.iter().map(StoredSessionBody::from).collect(),
        enrollments: page.enrollments.iter().map(OwnEnrollmentBody::from).collect(),
        audit_events: page.events.iter().map(EventBody::from).collect(),
        next_cursor: page.next.map(|id| id.to_string()),
    };
    Ok(json(200, &body))
}
