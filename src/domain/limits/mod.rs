//! Limits per client address: which operations have one, and how many registrations an hour may see.
//!
//! Most limits stand at the door: the platform counts requests of the last minute where they arrive, at no
//! cost to the request. That fits what is repeated quickly. A registration leaves an account behind, so it is
//! also counted over an hour, exactly and for all locations together, by the database in the batch that
//! creates the account.

pub mod throttle;

/// An operation with a limit at the door. The numbers stand in wrangler.toml, with the bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// Creating an account.
    Register,
    /// Everything that takes a password of an account: each costs a hash, and may be a guess.
    Login,
    /// Exchanging refresh tokens.
    Refresh,
    /// Changing one's profile, and exporting one's data: each leaves an event, and an export is a large read.
    Account,
    /// Giving and taking roles: each leaves an event with somebody else, and an address that is typed may be a guess
    /// whether somebody is registered.
    ChangeRoles,
    /// The readiness check: it asks the database, and takes no token.
    Ready,
}

impl RateLimit {
    /// Every door.
    pub const ALL: [Self; 6] =
        [Self::Register, Self::Login, Self::Refresh, Self::Account, Self::ChangeRoles, Self::Ready];

    /// The name of its binding.
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

/// Milliseconds after which a client that was turned away at a door may come again: the period of the limits.
pub const RATE_LIMIT_PERIOD_MS: i64 = 60 * 1000;

/// Milliseconds over which registrations are counted.
pub const REGISTRATION_WINDOW_MS: i64 = 60 * 60 * 1000;

/// Live sessions of one user. One more, and the oldest makes room: it bounds what ending all of them, listing
/// them, and erasing a user cost.
pub const MAX_SESSIONS: i64 = 100;
