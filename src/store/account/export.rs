//! All that is stored about a user, page by page: for the user's own export.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{CourseId, EnrollmentId, EventId, SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::audit::{Event, RequestInfo, record};
use crate::store::{Store, statement};

/// Sessions in an export: many more than can be live, since the clean-up removes the others.
const MAX_SESSIONS: i64 = 1000;
/// Enrolments in an export: many more than anybody has.
const MAX_ENROLLMENTS: i64 = 10_000;
/// Events on one page of an export.
pub const PAGE: usize = 1000;

/// A session, live or over.
#[derive(Debug, Clone, Deserialize)]
pub struct StoredSessionRow {
    /// Identifies it.
    pub id: SessionId,
    /// When it was signed in to.
    pub created_at: Timestamp,
    /// When it was signed in to or refreshed last.
    pub last_used_at: Timestamp,
    /// Its absolute end.
    pub expires_at: Timestamp,
    /// When it was ended before that.
    pub ended_at: Option<Timestamp>,
    /// By what.
    pub end_reason: Option<String>,
    /// From where it was used last.
    pub ip: Option<String>,
    /// With what it was used last.
    pub user_agent: Option<String>,
}

/// What a user takes.
#[derive(Debug, Clone, Deserialize)]
pub struct OwnEnrollmentRow {
    /// Identifies it.
    pub id: EnrollmentId,
    /// In what.
    pub course_id: CourseId,
    /// Since when.
    pub created_at: Timestamp,
}

/// An audit event, as it is kept.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRow {
    /// Identifies it; grows with time.
    pub id: EventId,
    /// When it happened.
    pub created_at: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Why it was refused, or how it came about.
    pub reason: Option<String>,
    /// Which session, if it is about one.
    pub session_id: Option<SessionId>,
    /// From where.
    pub ip: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: String,
}

/// One page of an export: the sessions, and events older than the last page's.
pub struct ExportPage {
    /// On the first page: the live sessions, then those that are over and still on file.
    pub sessions: Vec<StoredSessionRow>,
    /// On the first page: what they take.
    pub enrollments: Vec<OwnEnrollmentRow>,
    /// At most [`PAGE`] events and one more, newest first.
    pub events: Vec<EventRow>,
}

const SELECT_SESSIONS: &str = "
    SELECT id, created_at, last_used_at, expires_at, ended_at, end_reason, ip, user_agent
    FROM sessions WHERE user_id = ?1 ORDER BY ended_at, created_at LIMIT ?2";

const SELECT_ENROLLMENTS: &str = "
    SELECT id, course_id, created_at FROM enrollments WHERE user_id = ?1 ORDER BY course_id LIMIT ?2";

/// From where an administrator acted is the administrator's.
const SELECT_EVENTS: &str = "
    SELECT id, created_at, type, reason, session_id, request_id,
           CASE WHEN coalesce(actor_id, user_id) = user_id THEN ip END AS ip,
           CASE WHEN coalesce(actor_id, user_id) = user_id THEN user_agent END AS user_agent
    FROM audit_events WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_SESSIONS, SELECT_ENROLLMENTS, SELECT_EVENTS];

/// Reads one page. The first one, without `before`, notes that it was asked for.
///
/// # Errors
/// [`DbError`].
pub async fn page(
    store: &Store,
    user_id: UserId,
    before: Option<EventId>,
    request: RequestInfo<'_>,
) -> Result<ExportPage, DbError> {
    let id = user_id.get();
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let from = before.unwrap_or(EventId::END).get();
    let events = statement(SELECT_EVENTS, [id.into(), from.into(), limit.into()]);
    if before.is_some() {
        let [events] = store.batch([events]).await?;
        return Ok(ExportPage { sessions: Vec::new(), enrollments: Vec::new(), events: events.all()? });
    }
    let sessions = statement(SELECT_SESSIONS, [id.into(), MAX_SESSIONS.into()]);
    let enrollments = statement(SELECT_ENROLLMENTS, [id.into(), MAX_ENROLLMENTS.into()]);
    let noted = record(request, Event::of(EventType::Exported, user_id));
    let [sessions, enrollments, events, _] = store.batch([sessions, enrollments, events, noted]).await?;
    Ok(ExportPage { sessions: sessions.all()?, enrollments: enrollments.all()?, events: events.all()? })
}
