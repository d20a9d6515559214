//! Sessions: each login opens one, a family of refresh tokens of which each replaces its predecessor.
//!
//! ```text
//!              refresh                    refresh with the previous token, within the retry interval
//!   current ────────────▶ previous ────────────────────────────────────────────▶ the same current token
//!      │                     │
//!      │ past exp            │ refresh, after the interval (or with none): theft
//!      ▼                     ▼
//!   expired             the whole session ends (RFC 9700 §4.14.2)
//!                            ▲
//!   older ───────────────────┘ any refresh: theft
//! ```
//!
//! A session is one row, which records the current token and the id of the previous one. Every token is signed and names
//! its session, so any other token of the session is older. Two places decide and must agree. In one statement, the
//! guards of the SQL decide which of several concurrent refreshes wins; then [`outcome`] derives the result from the
//! row. Both use the same [`Rotation`], computed here once, so neither has its own rule about time.

pub mod authority;
pub mod device_token;
mod elsewhere;
pub mod methods;
pub mod role_claims;
pub mod shown;
pub mod token;
pub mod unresolved;
pub(in crate::domain) mod wire;

use crate::domain::ids::TokenId;
use crate::domain::session::methods::AuthMethods;
use crate::domain::time::Timestamp;

/// The configured lifetimes of tokens and sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Lifetime of an access token, in seconds.
    pub access_seconds: i64,
    /// Lifetime of a refresh token, in seconds.
    pub refresh_seconds: i64,
    /// Absolute lifetime of a session from its login, in seconds; refreshes do not extend it.
    pub session_seconds: i64,
    /// Seconds after a rotation during which reuse of the old token is a retry; 0 means never.
    pub reuse_interval_seconds: i64,
}

impl Lifetimes {
    /// The absolute end of a session that starts now.
    #[must_use]
    pub const fn session_end(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.session_seconds)
    }

    /// The expiry of a refresh token issued now, never after its session's end.
    #[must_use]
    pub fn refresh_end(&self, now: Timestamp, session_end: Timestamp) -> Timestamp {
        now.plus_seconds(self.refresh_seconds).min(session_end)
    }

    /// The expiry of an access token issued now, never after its session's end.
    #[must_use]
    pub fn access_end(&self, now: Timestamp, session_end: Timestamp) -> Timestamp {
        now.plus_seconds(self.access_seconds).min(session_end)
    }

    /// The numbers that the guards of a refresh at this time need. The retry interval is `min_interval_seconds` at least.
    #[must_use]
    pub fn rotation(&self, now: Timestamp, min_interval_seconds: i64) -> Rotation {
        let interval = self.reuse_interval_seconds.max(min_interval_seconds);
        let theft_cutoff = if interval == 0 {
            // Strict mode: any reuse is theft, even if the clock of the machine that rotated the token runs
            // ahead of this one.
            Timestamp::LATEST
        } else {
            Timestamp::from_millis(now.plus_seconds(-interval).millis() - 1)
        };
        Rotation { now, theft_cutoff, refresh_expires_at: now.plus_seconds(self.refresh_seconds) }
    }
}

/// The times that decide a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The time of the request.
    pub now: Timestamp,
    /// Reuse of a token rotated at or before this time counts as theft.
    pub theft_cutoff: Timestamp,
    /// The expiry of the successor, unless its session ends earlier.
    pub refresh_expires_at: Timestamp,
}

/// A refresh token as the session's row records it: enough to sign the same token again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedToken {
    /// The token's `jti` claim.
    pub id: TokenId,
    /// The token's `iat` claim, which is also the moment at which its predecessor was exchanged.
    pub issued_at: Timestamp,
    /// The token's `exp` claim.
    pub expires_at: Timestamp,
}

/// The rows after the statement of a refresh has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationState {
    /// False if the account is disabled.
    pub user_is_active: bool,
    /// The session that the presented token names; `None` once it has ended.
    pub session: Option<SessionState>,
}

impl RotationState {
    /// Can this refresh token be exchanged now?
    #[must_use]
    pub fn is_current(&self, presented: &TokenId, now: Timestamp) -> bool {
        let is_live = |session: &SessionState| session.expires_at > now && session.current.expires_at > now;
        let session = self.session.as_ref().filter(|session| is_live(session));
        self.user_is_active && session.is_some_and(|session| session.current.id == *presented)
    }
}

/// A session after the statement of a refresh has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// The sign-in that opened it. A refresh is none.
    pub signed_in_at: Timestamp,
    /// The method of that sign-in.
    pub methods: AuthMethods,
    /// The session's absolute end.
    pub expires_at: Timestamp,
    /// The only token that can be exchanged.
    pub current: RecordedToken,
    /// The token that was exchanged for the current one; `None` until the first refresh.
    pub previous_id: Option<TokenId>,
}

/// The outcome of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// This request won the race: the current token is the successor that it proposed.
    Rotated(SessionState),
    /// The current token replaced the presented one within the retry interval, and is returned again.
    Retried(SessionState),
    /// The account is disabled.
    Inactive,
    /// The presented token was replaced before the retry interval, or its successor was exchanged too. Theft is assumed
    /// and the session must end, unless this exchange is an [`unresolved`] one.
    Reused {
        /// The state that answers an unresolved exchange; `None` if no retry is possible.
        retry: Option<SessionState>,
    },
    /// The session has ended.
    Revoked,
}

/// Derives the outcome from the rows after the statement has run. `proposed` is the successor's id drawn by this
/// request, so only the winner finds its own id.
///
/// A token that is neither the current nor the previous one is older than both, because the service has signed it for
/// this session.
#[must_use]
pub fn outcome(state: RotationState, presented: &TokenId, proposed: &TokenId, rotation: &Rotation) -> RefreshOutcome {
    let refused = if state.user_is_active { RefreshOutcome::Revoked } else { RefreshOutcome::Inactive };
    let Some(session) = state.session.filter(|session| session.expires_at > rotation.now) else {
        return refused;
    };
    if session.current.id == *proposed {
        return RefreshOutcome::Rotated(session);
    }
    if session.current.id == *presented {
        return refused;
    }
    if session.previous_id.as_ref() != Some(presented) {
        return RefreshOutcome::Reused { retry: None };
    }
    let can_retry = state.user_is_active && session.current.expires_at > rotation.now;
    if session.current.issued_at <= rotation.theft_cutoff {
        return RefreshOutcome::Reused { retry: can_retry.then_some(session) };
    }
    if can_retry { RefreshOutcome::Retried(session) } else { refused }
}

#[cfg(test)]
mod tests;
