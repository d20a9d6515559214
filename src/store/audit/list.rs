//! The list of audit events for administrators: newest first, of one user, of one type, or both.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{EventId, SessionId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::page::{Page, PageRequest};

/// Filter of the list of events. An absent field matches every event.
#[derive(Debug, Default)]
pub struct EventFilter {
    /// Only events about this user.
    pub user_id: Option<UserId>,
    /// Only events of this type.
    pub event_type: Option<EventType>,
}

/// An audit event with all its columns.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct AdminEventRow {
    pub id: EventId,
    pub created_at: Timestamp,
    #[serde(rename = "type")]
    pub event_type: String,
    /// The reason of a refusal, the cause of the event, or the role concerned.
    pub reason: Option<String>,
    /// The subject; absent if no account is concerned.
    pub user_id: Option<UserId>,
    pub session_id: Option<SessionId>,
    /// The user that caused the event, if not the subject.
    pub actor_id: Option<UserId>,
    pub university_id: Option<UniversityId>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// Empty after an erasure, like `ip` and `user_agent`.
    pub request_id: String,
}

/// Selects a page of events under these conditions.
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

/// Repeats the condition of the partial index, `type <> 'refreshed'`, so that the query uses it.
const SELECT_OF_USER_AND_TYPE: &str = select_events!("user_id = :user_id AND type = :type AND type <> 'refreshed'");

/// No index by type contains refreshes, and none is needed, because most events are refreshes.
const SELECT_REFRESHES_OF_USER: &str = select_events!("user_id = :user_id AND +type = 'refreshed'");

const SELECT_OF_TYPE: &str = select_events!("type = :type AND type <> 'refreshed'");

const SELECT_REFRESHES: &str = select_events!("+type = 'refreshed'");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[SELECT, SELECT_OF_USER, SELECT_OF_USER_AND_TYPE, SELECT_REFRESHES_OF_USER, SELECT_OF_TYPE, SELECT_REFRESHES];

/// Lists audit events, newest first.
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
