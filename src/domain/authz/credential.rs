//! The credential behind a request. Not every caller has a session: API keys and service accounts will have none.

use crate::domain::ids::SessionId;

/// The credential of an authenticated caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
}

impl Credential {
    /// The session, if the credential belongs to one.
    #[must_use]
    pub const fn session_id(self) -> Option<SessionId> {
        match self {
            Self::Session(id) => Some(id),
        }
    }
}
