//! The list of audit events for administrators: newest first, of one user, of one type, or both.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{EventId, SessionId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{Statement, query};
use crate::store::audit::archive::{self, ArchiveSummary};
use crate::store::authz::grants::caller_administers_or_has;
use crate::store::authz::viewer::Viewer;
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;

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
    /// The reason of a refusal, the cause of the event, the role concerned, or the operator's command.
    pub reason: Option<String>,
    /// Refusals of a kind are one event; of other events, 1 or the number of sessions that ended.
    pub count: i64,
    /// The time of the latest refusal; `created_at` is that of the first.
    pub last_at: Timestamp,
    /// The subject; absent if no account is concerned.
    pub user_id: Option<UserId>,
    pub session_id: Option<SessionId>,
    /// The user that caused the event, if not the subject.
    pub actor_id: Option<UserId>,
    pub university_id: Option<UniversityId>,
    /// The department or the course concerned.
    pub object_id: Option<i64>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// Empty after an erasure, like `ip` and `user_agent`.
    pub request_id: String,
    /// The edge's id of the request. Absent after an erasure.
    pub ray: Option<String>,
}

macro_rules! columns {
    () => {
        "id, created_at, type, reason, coalesce(count, 1) AS count, coalesce(last_at, created_at) AS last_at, user_id,
         session_id, actor_id, university_id, object_id, ip, user_agent, request_id, ray"
    };
}

/// Selects a page of events under this condition.
macro_rules! select_events {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit_events WHERE ",
            $condition,
            " AND id < :before ORDER BY id DESC LIMIT :limit * ",
            caller_administers_or_has!("audit:read")
        )
    };
}

/// The next `:examined` events under this condition.
macro_rules! next_events {
    ($condition:literal) => {
        concat!(
            "(SELECT ",
            columns!(),
            " FROM audit_events WHERE ",
            $condition,
            " AND id < :before ORDER BY id DESC LIMIT :examined * ",
            caller_administers_or_has!("audit:read"),
            ")"
        )
    };
}

/// The statements of [`PageRequest::examined`], for the events of a type.
macro_rules! select_among_next {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM ",
            next_events!($condition),
            " WHERE type = :type ORDER BY id DESC LIMIT :limit"
        )
    };
}
macro_rules! select_last {
    ($condition:literal) => {
        concat!(
            "SELECT id FROM audit_events WHERE ",
            $condition,
            " AND id < :before ORDER BY id DESC LIMIT ",
            caller_administers_or_has!("audit:read"),
            " * (NOT EXISTS (SELECT 1 FROM ",
            next_events!($condition),
            " WHERE type = :type LIMIT 1 OFFSET :limit - 1)) OFFSET :examined - 1"
        )
    };
}

const SELECT: &str = select_events!("TRUE");
const SELECT_OF_USER: &str = select_events!("user_id = :user_id");

/// Repeats the condition of the partial index, so that the query uses it. Other types are so frequent that a page by
/// type examines few events.
const SELECT_OF_RARE_TYPE: &str = select_events!(
    "type = :type AND type NOT IN ('registered', 'registration_refused', 'signed_in', 'sign_in_refused', 'refreshed', \
     'refresh_refused', 'signed_out', 'session_ended', 'password_change_refused', 'deletion_refused')"
);

const SELECT_OF_TYPE: &str = select_among_next!("TRUE");
const SELECT_LAST: &str = select_last!("TRUE");
const SELECT_OF_USER_AND_TYPE: &str = select_among_next!("user_id = :user_id");
const SELECT_LAST_OF_USER: &str = select_last!("user_id = :user_id");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    SELECT,
    SELECT_OF_USER,
    SELECT_OF_RARE_TYPE,
    SELECT_OF_TYPE,
    SELECT_LAST,
    SELECT_OF_USER_AND_TYPE,
    SELECT_LAST_OF_USER,
];

/// A page of events, and the archive of older ones, if there is one.
pub type EventPage = (Page<AdminEventRow>, Option<ArchiveSummary>);

/// Lists audit events, newest first. A page by type may have fewer items than the limit, or none, although another page
/// follows: it ends where it has examined its maximum of events. Nothing is listed unless the caller administers the
/// platform, or is a service account with the scope `audit:read`.
#[must_use]
pub fn events(filter: &EventFilter, viewer: &Viewer, page: PageRequest) -> Read<EventPage> {
    page_of_events(filter, viewer, page).and(archive::summary(viewer))
}

fn page_of_events(filter: &EventFilter, viewer: &Viewer, page: PageRequest) -> Read<Page<AdminEventRow>> {
    let query = |sql| viewer.bind(query(sql)).bind("before", page.after.unwrap_or(EventId::END.get()));
    match (filter.user_id, filter.event_type) {
        (None, None) => indexed(query(SELECT), page),
        (Some(user_id), None) => indexed(query(SELECT_OF_USER).bind("user_id", user_id), page),
        (None, Some(rare)) if !is_frequent(rare) => indexed(query(SELECT_OF_RARE_TYPE).bind("type", rare), page),
        (None, Some(event_type)) => examined([query(SELECT_OF_TYPE), query(SELECT_LAST)], event_type, page),
        (Some(user_id), Some(event_type)) => {
            let statements =
                [SELECT_OF_USER_AND_TYPE, SELECT_LAST_OF_USER].map(|sql| query(sql).bind("user_id", user_id));
            examined(statements, event_type, page)
        }
    }
}

/// A page from an index that contains nothing else.
fn indexed(select: Statement, page: PageRequest) -> Read<Page<AdminEventRow>> {
    Read::of(select.bind("limit", page.rows()), move |rows| Ok(Page::new(rows.all()?, page, id)))
}

/// A page of the events of one type among the next events.
fn examined(statements: [Statement; 2], event_type: EventType, page: PageRequest) -> Read<Page<AdminEventRow>> {
    page.examined(statements.map(|statement| statement.bind("type", event_type)), id)
}

const fn id(row: &AdminEventRow) -> i64 {
    row.id.get()
}

/// Types that the partial index by type leaves out, because each event of them would write one row more.
const fn is_frequent(event_type: EventType) -> bool {
    match event_type {
        EventType::Registered
        | EventType::RegistrationRefused
        | EventType::SignedIn
        | EventType::SignInRefused
        | EventType::Refreshed
        | EventType::RefreshRefused
        | EventType::SignedOut
        | EventType::SessionEnded
        | EventType::PasswordChangeRefused
        | EventType::DeletionRefused => true,
        EventType::Imported
        | EventType::ReuseDetected
        | EventType::SessionsEnded
        | EventType::ProfileChanged
        | EventType::PasswordChanged
        | EventType::PasswordReset
        | EventType::PasswordResetHandedOver
        | EventType::EmailVerified
        | EventType::EmailChanged
        | EventType::EmailChangeUndone
        | EventType::NotMe
        | EventType::Exported
        | EventType::Deleted
        | EventType::RoleGranted
        | EventType::RoleRemoved
        | EventType::InvitationCreated
        | EventType::InvitationWithdrawn
        | EventType::Disabled
        | EventType::Enabled
        | EventType::Unlocked
        | EventType::StepUpRefused
        | EventType::UniversityCreated
        | EventType::UniversityChanged
        | EventType::UniversityDeleted
        | EventType::DepartmentCreated
        | EventType::DepartmentDeleted
        | EventType::CourseCreated
        | EventType::CourseChanged
        | EventType::CourseDeleted
        | EventType::EnrollmentEnded
        | EventType::FactorAdded
        | EventType::FactorRemoved
        | EventType::FactorRenamed
        | EventType::RecoveryCodesReplaced
        | EventType::FactorsConfirmed
        | EventType::FactorsReset
        | EventType::IdentityLinked
        | EventType::IdentityUnlinked
        | EventType::SecondFactorRefused
        | EventType::ApiKeyCreated
        | EventType::ApiKeyWithdrawn
        | EventType::ServiceAccountCreated
        | EventType::ServiceAccountChanged
        | EventType::ServiceAccountDeleted
        | EventType::ServiceAccountKeyCreated
        | EventType::ServiceAccountKeyWithdrawn
        | EventType::ServiceNetworkUsed
        | EventType::BreakerCommanded
        | EventType::AccessRefused
        | EventType::SigningAlgorithmChanged
        | EventType::SigningKeyRotated
        | EventType::SigningKeyRevoked
        | EventType::SigningKeyReplaced => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// The list by a rare type would find nothing if the query left the type out.
    #[test]
    fn the_query_for_rare_types_leaves_out_the_frequent_ones() {
        for &event_type in EventType::ALL {
            let is_left_out = SELECT_OF_RARE_TYPE.contains(&format!("'{}'", event_type.as_str()));
            assert_eq!(is_left_out, is_frequent(event_type), "{event_type:?}");
        }
    }
}
