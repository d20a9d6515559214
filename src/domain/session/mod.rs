//! Sessions: each login opens one, a family of refresh tokens of which each replaces its predecessor.
//!
//! ```text
//!            refresh                       refresh, within the retry interval
//!   live ───────────────▶ rotated ───────────────────────────────────────────▶ the same successor
//!    │                       │
//!    │ past exp              │ refresh, after the interval (or with none): theft
//!    ▼                       ▼
//!  expired               the whole session ends (RFC 9700 §4.14.2)
//! ```
//!
//! Two places decide and must agree. In one atomic batch, the guards of the SQL decide which of several concurrent
//! refreshes wins; then [`outcome`] derives the result from the rows. Both use the same [`Rotation`], computed here
//! once, so neither has its own rule about time.

pub mod token;

use crate::domain::ids::TokenId;
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

    /// The numbers that the guards of a refresh at this time need.
    #[must_use]
    pub const fn rotation(&self, now: Timestamp) -> Rotation {
        let theft_cutoff = if self.reuse_interval_seconds == 0 {
            // Strict mode: any reuse is theft, even if the clock of the machine that rotated the token runs
            // ahead of this one.
            Timestamp::LATEST
        } else {
            Timestamp::from_millis(now.plus_seconds(-self.reuse_interval_seconds).millis() - 1)
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

/// The rows after the statements of a refresh have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationState {
    /// False if the account is disabled.
    pub user_is_active: bool,
    /// The presented token, if it is still stored.
    pub token: Option<PresentedToken>,
}

/// The presented token and its session, after the statements have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedToken {
    /// Was the session ended, or has it reached its absolute end?
    pub session_is_over: bool,
    /// The session's absolute end.
    pub session_expires_at: Timestamp,
    /// The time of its rotation; `None` if it was never exchanged.
    pub rotated_at: Option<Timestamp>,
    /// The token that replaced it.
    pub successor: Option<Successor>,
}

/// A refresh token that replaced another. These fields are enough to sign the same token again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The token's `jti` claim.
    pub id: TokenId,
    /// The token's `iat` claim.
    pub issued_at: Timestamp,
    /// The token's `exp` claim.
    pub expires_at: Timestamp,
}

/// The outcome of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// This request won the race: its successor is the session's newest token.
    Rotated {
        /// The new refresh token.
        successor: Successor,
        /// The session's absolute end.
        session_expires_at: Timestamp,
    },
    /// The token was exchanged within the retry interval: the same successor is returned again.
    Retried {
        /// The refresh token that the first exchange returned.
        successor: Successor,
        /// The session's absolute end.
        session_expires_at: Timestamp,
    },
    /// The account is disabled.
    Inactive,
    /// The token was rotated before the retry interval: theft is assumed, and the session was ended.
    Reused,
    /// The session was signed out or ended, or the token is no longer stored.
    Revoked,
}

/// Derives the outcome from the rows after the statements have run. `proposed` is the successor's id drawn by this
/// request, so only the winner finds its own id.
#[must_use]
pub fn outcome(state: RotationState, proposed: &TokenId, rotation: &Rotation) -> RefreshOutcome {
    if !state.user_is_active {
        return RefreshOutcome::Inactive;
    }
    let Some(token) = state.token else {
        return RefreshOutcome::Revoked;
    };
    let (Some(rotated_at), Some(successor)) = (token.rotated_at, token.successor) else {
        return RefreshOutcome::Revoked;
    };
    let session_expires_at = token.session_expires_at;
    if successor.id == *proposed {
        return RefreshOutcome::Rotated { successor, session_expires_at };
    }
    if rotated_at <= rotation.theft_cutoff {
        return RefreshOutcome::Reused;
    }
    if token.session_is_over || successor.expires_at <= rotation.now {
        return RefreshOutcome::Revoked;
    }
    RefreshOutcome::Retried { successor, session_expires_at }
}

#[cfg(test)]
mod tests;
