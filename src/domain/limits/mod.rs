//! Rate limits per client network, and the limit of registrations per hour.
//!
//! The platform's rate limiter counts the requests of the last minute in the location where they arrive. That adds no
//! round trip and stops fast repetition. A registration creates a permanent account, so the database also counts
//! registrations per hour, exactly and globally, in the batch that creates the account.

pub mod standing;
pub mod storage;
pub mod throttle;

/// A group of operations that share a rate limit. wrangler.toml sets the numbers, with the bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// Creating accounts; each costs a password hash.
    Register,
    /// Operations that verify a password: each costs a hash, and may be a guess.
    Login,
    /// Exchanging refresh tokens: each is a write to the database.
    Refresh,
    /// Profile changes and data exports: each writes an audit event, and an export is a large read.
    Account,
    /// Granting and revoking roles: each writes an audit event for another user. The e-mail field could be used to test
    /// which addresses have accounts.
    ChangeRoles,
    /// The readiness check: it queries the database without authentication.
    Ready,
}

impl RateLimit {
    /// Every rate limit; the deployment needs a binding for each.
    pub const ALL: [Self; 6] =
        [Self::Register, Self::Login, Self::Refresh, Self::Account, Self::ChangeRoles, Self::Ready];

    /// The name of its rate-limit binding in wrangler.toml.
    #[must_use]
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Register => "REGISTER_LIMITER",
            Self::Login => "LOGIN_LIMITER",
            Self::Refresh => "REFRESH_LIMITER",
            Self::Account => "ACCOUNT_LIMITER",
            Self::ChangeRoles => "GRANT_LIMITER",
            Self::Ready => "READY_LIMITER",
        }
    }
}

/// The period of the rate limits in milliseconds, which is also the `Retry-After` of a refused client.
pub const RATE_LIMIT_PERIOD_MS: i64 = 60 * 1000;

/// The window in milliseconds over which the database counts registrations.
pub const REGISTRATION_WINDOW_MS: i64 = 60 * 60 * 1000;

/// Maximum number of live sessions per user; a further login evicts the oldest. This bounds the cost of listing and
/// revoking sessions and of erasing a user.
pub const MAX_SESSIONS: i64 = 100;
