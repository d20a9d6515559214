//! An audit event, and the request that it belongs to, before they are written.

use crate::domain::audit::{EventType, Reason};
use crate::domain::authz::Role;
use crate::domain::event_keys::EventStamp;
use crate::domain::ids::{SessionId, UniversityId, UserId};
use crate::domain::limits::throttle::HashKey;
use crate::domain::peer::Peer;
use crate::domain::request_id::RequestId;
use crate::domain::time::Timestamp;

/// The request that events belong to.
#[derive(Clone, Copy)]
pub struct RequestInfo<'a> {
    /// The time of its arrival.
    pub now: Timestamp,
    /// The address and user agent of the client.
    pub peer: &'a Peer,
    /// The id that the log and the response show too.
    pub request_id: &'a RequestId,
    /// The numbers drawn for the ids of its rows.
    pub stamp: EventStamp,
    /// The key of the hashes by which refusals are counted.
    pub key: &'a HashKey,
    /// The database is nearly full, so refusals are not recorded.
    pub omits_refusals: bool,
}

/// An audit event, without the columns that come from the request.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub(in super::super) kind: EventType,
    /// The reason of a refusal, the cause of the event, the role concerned, or the operator's command.
    pub(in super::super) reason: Option<&'static str>,
    /// The subject; absent if no account is concerned.
    pub(in super::super) user_id: Option<UserId>,
    pub(in super::super) session_id: Option<SessionId>,
    /// The user that caused the event, if not the subject.
    pub(in super::super) actor_id: Option<UserId>,
    pub(in super::super) university_id: Option<UniversityId>,
    /// The department or the course concerned.
    pub(in super::super) object_id: Option<i64>,
}

impl Event {
    /// An event about a user, or without a subject if the account does not exist.
    #[must_use]
    pub fn of(event_type: EventType, user_id: impl Into<Option<UserId>>) -> Self {
        Self {
            kind: event_type,
            reason: None,
            user_id: user_id.into(),
            session_id: None,
            actor_id: None,
            university_id: None,
            object_id: None,
        }
    }

    /// Sets the session, if there is one.
    #[must_use]
    pub const fn within(self, session_id: Option<SessionId>) -> Self {
        Self { session_id, ..self }
    }

    /// Sets the reason of a refusal, or the cause of the event.
    #[must_use]
    pub const fn because(self, reason: Reason) -> Self {
        Self { reason: Some(reason.as_str()), ..self }
    }

    /// Sets the name of the permission that the caller lacked.
    #[must_use]
    pub const fn for_want_of(self, permission: &'static str) -> Self {
        Self { reason: Some(permission), ..self }
    }

    /// Sets the session of the event.
    #[must_use]
    pub const fn in_session(self, session_id: SessionId) -> Self {
        Self { session_id: Some(session_id), ..self }
    }

    /// Sets the acting user, if not the subject.
    #[must_use]
    pub const fn by(self, actor_id: UserId) -> Self {
        Self { actor_id: Some(actor_id), ..self }
    }

    /// Sets the university concerned.
    #[must_use]
    pub const fn at(self, university_id: UniversityId) -> Self {
        Self { university_id: Some(university_id), ..self }
    }

    /// Sets the department or the course concerned.
    #[must_use]
    pub const fn about(self, object_id: i64) -> Self {
        Self { object_id: Some(object_id), ..self }
    }

    /// Sets the role concerned and its university.
    #[must_use]
    pub const fn concerning(self, role: Role, university_id: Option<UniversityId>) -> Self {
        Self { reason: Some(role.as_str()), university_id, ..self }
    }
}
