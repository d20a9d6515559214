//! Sessions: what one login starts, a family of refresh tokens each replacing the one before it.
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
//! The decision is taken in two places that must agree: the guards of the SQL decide which of several
//! parallel refreshes wins, in one atomic batch, and [`outcome`] reads off what happened. Both use
//! the same [`Rotation`], computed here once, so neither has a rule of its own about time.

pub mod token;

use crate::domain::ids::TokenId;
use crate::domain::time::Timestamp;

/// How long things live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Seconds an access token is good for.
    pub access_seconds: i64,
    /// Seconds a refresh token is good for.
    pub refresh_seconds: i64,
    /// Seconds from login after which a session ends, however often it was refreshed.
    pub session_seconds: i64,
    /// Seconds after a rotation in which a second use of the old token is a retry, not a theft.
    pub reuse_interval_seconds: i64,
}

impl Lifetimes {
    /// When a session that starts now ends at the latest.
    #[must_use]
    pub const fn session_end(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.session_seconds)
    }

    /// When a refresh token issued now expires: never after its session.
    #[must_use]
    pub fn refresh_end(&self, now: Timestamp, session_end: Timestamp) -> Timestamp {
        now.plus_seconds(self.refresh_seconds).min(session_end)
    }

    /// When an access token issued now expires: never after its session.
    #[must_use]
    pub fn access_end(&self, now: Timestamp, session_end: Timestamp) -> Timestamp {
        now.plus_seconds(self.access_seconds).min(session_end)
    }

    /// What one refresh at this moment does, as numbers for the guards of its statements.
    #[must_use]
    pub const fn rotation(&self, now: Timestamp) -> Rotation {
        let theft_cutoff = if self.reuse_interval_seconds == 0 {
            // Strict: whenever the token was rotated, a second use is theft; even if the clock of the
            // machine that rotated it runs ahead of ours.
            Timestamp::LATEST
        } else {
            Timestamp::from_millis(now.plus_seconds(-self.reuse_interval_seconds).millis() - 1)
        };
        Rotation { now, theft_cutoff, refresh_expires_at: now.plus_seconds(self.refresh_seconds) }
    }
}

/// The numbers that decide a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The moment of the request.
    pub now: Timestamp,
    /// A token rotated at or before this moment is stolen if it comes again.
    pub theft_cutoff: Timestamp,
    /// When the successor expires, if its session does not end earlier.
    pub refresh_expires_at: Timestamp,
}

/// What the database says after the statements of a refresh have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationState {
    /// May the user sign in at all?
    pub user_is_active: bool,
    /// The presented token, if it is still on file.
    pub token: Option<PresentedToken>,
}

/// The presented token and its session, after the statements have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedToken {
    /// Has the session been ended, or reached its end?
    pub session_is_over: bool,
    /// The session's absolute end.
    pub session_expires_at: Timestamp,
    /// When the token was replaced.
    pub rotated_at: Option<Timestamp>,
    /// What it was replaced with.
    pub successor: Option<Successor>,
}

/// A refresh token that replaced another: enough to write it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its id.
    pub id: TokenId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// How a refresh ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// This request won: its successor is the session's newest token.
    Rotated {
        /// The new refresh token.
        successor: Successor,
        /// The session's absolute end.
        session_expires_at: Timestamp,
    },
    /// The token was used before, a moment ago: the same successor once more.
    Retried {
        /// The refresh token that was handed out then.
        successor: Successor,
        /// The session's absolute end.
        session_expires_at: Timestamp,
    },
    /// The account is disabled.
    Inactive,
    /// The token was rotated longer ago than a retry takes: the session has been ended.
    Reused,
    /// Signed out, ended, or no longer on file.
    Revoked,
}

/// Reads off what the statements of a refresh did. `proposed` is the id that this request offered as
/// the successor: only the winner finds its own.
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
