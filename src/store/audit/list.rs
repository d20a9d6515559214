//! Audit events, as administrators read them: newest first, of one user, of one type, or both.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{EventId, SessionId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::page::{Page, PageRequest};

/// Which events.
#[derive(Debug, Default)]
pub struct EventFilter {
    /// Only those of this user.
    pub user_id: Option<UserId>,
    /// Only those of this type.
    pub event_type: Option<EventType>,
}

/// An audit event, as administrators see it.
#[derive(Debug, Clone, Deserialize)]
pub struct AdminEventRow {
    /// Identifies it.
    pub id: EventId,
    /// When it happened.
    pub created_at: Timestamp,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Why it was refused, how it came about, or which role it is about.
    pub reason: Option<String>,
    /// To whom.
    pub user_id: Option<UserId>,
    /// Which session.
    pub session_id: Option<SessionId>,
    /// Who did it, if not the user.
    pub actor_id: Option<UserId>,
    /// In which university.
    pub university_id: Option<UniversityId>,
    /// From where.
    pub ip: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: String,
}

/// A page of events under these conditions.
macro_rules! select_events {
    ($conditions:literal) => {
        concat!(
            "SELECT id, created_at, type, reason, user_id, session_id, actor_id, university_id, ip, user_agent, request_id
             FROM audit_events WHERE ",
            $conditions,
            " AND id < :before ORDER BY id DESC LIMIT :limit"
        )
    };
}

const SELECT: &str = select_events!("TRUE");

const SELECT_OF_USER: &str = select_events!("user_id = :user_id");

/// The condition on 'refreshed' is that of the index.
const SELECT_OF_USER_AND_TYPE: &str = select_events!("user_id = :user_id AND type = :type AND type <> 'refreshed'");

/// Refreshes are in no index by type, and need none: most events are.
const SELECT_REFRESHES_OF_USER: &str = select_events!("user_id = :user_id AND +type = 'refreshed'");

const SELECT_OF_TYPE: &str = select_events!("type = :type AND type <> 'refreshed'");

const SELECT_REFRESHES: &str = select_events!("+type = 'refreshed'");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[SELECT, SELECT_OF_USER, SELECT_OF_USER_AND_TYPE, SELECT_REFRESHES_OF_USER, SELECT_OF_TYPE, SELECT_REFRESHES];

/// Events, newest first.
///
/// # Errors
/// [`DbError`].
pub async fn events(store: &Store, filter: &EventFilter, page: PageRequest) -> Result<Page<AdminEventRow>, DbError> {
    let select = match (filter.user_id, filter.event_type) {
        (Some(user_id), None) => query(SELECT_OF_USER).bind("user_id", user_id),
        (Some(user_id), Some(EventType::Refreshed)) => query(SELECT_REFRESHES_OF_USER).bind("user_id", user_id),
        (Some(user_id), Some(event_type)) => {
            query(SELECT_OF_USER_AND_TYPE).bind("user_id", user_id).bind("type", event_type)
        }
        (None, None) => query(SELECT),
        (None, Some(EventType::Refreshed)) => query(SELECT_REFRESHES),
        (None, Some(event_type)) => query(SELECT_OF_TYPE).bind("type", event_type),
    };
    let select = select.bind("before", page.after.unwrap_or(EventId::END.get())).bind("limit", page.rows());
    let [rows] = store.batch([select]).await?;
    Ok(Page::new(rows.all()?, page, |row: &AdminEventRow| row.id.get()))
}
