//! Rate limits per client network and per user, and the limit of registrations per hour.
//!
//! The platform's rate limiter counts the requests of the last seconds in the location where they arrive. That adds no
//! round trip and stops fast repetition. A registration creates a permanent account, so the database also counts
//! registrations per hour, exactly and globally, in the batch that creates the account.

pub mod standing;
pub mod storage;
pub mod throttle;

use crate::domain::authz::credential::Credential;
use crate::domain::ids::{ServiceAccountId, UserId};
use crate::domain::peer::Peer;

/// A group of operations that share a rate limit per client network. wrangler.toml sets the numbers, with the bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// Creating accounts; each costs a password hash.
    Register,
    /// Operations that verify a password: each costs a hash, and may be a guess.
    Login,
    /// Exchanging refresh tokens, and returns from identity providers: each is a write to the database.
    Refresh,
    /// Ending sessions. A signed token that was revoked long ago still costs a round trip.
    SignOut,
    /// Profile changes and data exports: each writes an audit event, and an export is a large read.
    Account,
    /// Granting and revoking roles: each writes an audit event for another user. The e-mail field could be used to test
    /// which addresses have accounts.
    ChangeRoles,
    /// The readiness check: it queries the database without authentication.
    Ready,
    /// Reads that need no authentication, so any client may repeat them.
    PublicRead,
    /// Reads behind an access token, and look-ups of unknown keys of backends. Many users of one campus or mobile carrier
    /// share an address.
    Read,
    /// Changes behind an access token, apart from those above.
    Change,
    /// Calls of service accounts to the OAuth endpoints: a backend calls for all of its users from one address.
    Service,
    /// Imports of up to 500 users each.
    Import,
}

impl RateLimit {
    /// Every rate limit per client network; the deployment needs both bindings of each.
    pub const ALL: [Self; 12] = [
        Self::Register,
        Self::Login,
        Self::Refresh,
        Self::SignOut,
        Self::Account,
        Self::ChangeRoles,
        Self::Ready,
        Self::PublicRead,
        Self::Read,
        Self::Change,
        Self::Service,
        Self::Import,
    ];

    /// The names of its rate-limit bindings in wrangler.toml: for an IPv4 address or a /64 of IPv6, and for a /48, which
    /// has ten times the allowance. A binding has one number for all of its keys.
    #[must_use]
    pub const fn bindings(self) -> [&'static str; 2] {
        match self {
            Self::Register => ["REGISTER_LIMITER", "REGISTER_WIDE_LIMITER"],
            Self::Login => ["LOGIN_LIMITER", "LOGIN_WIDE_LIMITER"],
            Self::Refresh => ["REFRESH_LIMITER", "REFRESH_WIDE_LIMITER"],
            Self::SignOut => ["SIGN_OUT_LIMITER", "SIGN_OUT_WIDE_LIMITER"],
            Self::Account => ["ACCOUNT_LIMITER", "ACCOUNT_WIDE_LIMITER"],
            Self::ChangeRoles => ["GRANT_LIMITER", "GRANT_WIDE_LIMITER"],
            Self::Ready => ["READY_LIMITER", "READY_WIDE_LIMITER"],
            Self::PublicRead => ["PUBLIC_READ_LIMITER", "PUBLIC_READ_WIDE_LIMITER"],
            Self::Read => ["READ_LIMITER", "READ_WIDE_LIMITER"],
            Self::Change => ["CHANGE_LIMITER", "CHANGE_WIDE_LIMITER"],
            Self::Service => ["SERVICE_LIMITER", "SERVICE_WIDE_LIMITER"],
            Self::Import => ["IMPORT_LIMITER", "IMPORT_WIDE_LIMITER"],
        }
    }

    /// Has the group operations that are of use while the database is down: readiness, and the key set?
    #[must_use]
    pub const fn works_without_database(self) -> bool {
        matches!(self, Self::Ready | Self::PublicRead)
    }

    /// The period of its bindings in milliseconds, which is also the `Retry-After` of a refused client. Reads have a
    /// short one: a page makes ten of them at once, and a neighbour behind the same address must not wait for a minute.
    #[must_use]
    pub const fn period_ms(self) -> i64 {
        match self {
            Self::PublicRead | Self::Read | Self::Service => SHORT_PERIOD_MS,
            Self::Register
            | Self::Login
            | Self::Refresh
            | Self::SignOut
            | Self::Account
            | Self::ChangeRoles
            | Self::Ready
            | Self::Change
            | Self::Import => LONG_PERIOD_MS,
        }
    }

    /// The counters of a client, the narrow one first. A request that the narrow one refuses is not counted by the wide
    /// one, so one /64 uses up at most a tenth of its /48.
    #[must_use]
    pub fn counters(self, peer: &Peer) -> Vec<Counter> {
        let [narrow, wide] = self.bindings();
        let mut counters = vec![Counter { binding: narrow, key: peer.network() }];
        counters.extend(peer.wide_network().map(|key| Counter { binding: wide, key }));
        counters
    }
}

/// A group of operations that share a rate limit per user, counted once access was granted. So a revoked token cannot
/// use up the allowance of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserLimit {
    /// Reads, and permission checks by other services.
    Read,
    /// Changes, and exports of the account.
    Change,
    /// Operations that verify the password again. Counted per session, like [`UserLimit::EndSessions`].
    Password,
    /// Ending sessions. Counted per session, so that a thief with a token does not use up the allowance with which the
    /// owner ends the thief's session.
    EndSessions,
    /// Reads of the administration.
    AdminRead,
    /// Changes by the administration: a stolen session of an administrator must not erase all users in a minute.
    AdminChange,
    /// All calls of a service account.
    Service,
    /// Imports, also those of a service account.
    Import,
}

impl UserLimit {
    /// Every rate limit per user; the deployment needs a binding for each.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Change,
        Self::Password,
        Self::EndSessions,
        Self::AdminRead,
        Self::AdminChange,
        Self::Service,
        Self::Import,
    ];

    /// The name of its rate-limit binding in wrangler.toml.
    #[must_use]
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Read => "USER_READ_LIMITER",
            Self::Change => "USER_CHANGE_LIMITER",
            Self::Password => "USER_PASSWORD_LIMITER",
            Self::EndSessions => "END_SESSIONS_LIMITER",
            Self::AdminRead => "ADMIN_READ_LIMITER",
            Self::AdminChange => "ADMIN_CHANGE_LIMITER",
            Self::Service => "SERVICE_ACCOUNT_LIMITER",
            Self::Import => "IMPORTER_LIMITER",
        }
    }

    /// The period of its binding in milliseconds, which is also the `Retry-After` of a refused user.
    #[must_use]
    pub const fn period_ms(self) -> i64 {
        match self {
            Self::Read | Self::Service => SHORT_PERIOD_MS,
            Self::Change | Self::Password | Self::EndSessions | Self::AdminRead | Self::AdminChange | Self::Import => {
                LONG_PERIOD_MS
            }
        }
    }

    /// The counter of a service account.
    #[must_use]
    pub fn counter_of_service(self, account: ServiceAccountId) -> Counter {
        Counter { binding: self.binding(), key: format!("service:{}", account.get()) }
    }

    /// The counter of a user, or of the session if the limit counts those. All keys of a user share another counter, so that
    /// a thief with a key does not use up the allowance with which the owner finds and withdraws it.
    #[must_use]
    pub fn counter(self, user: UserId, credential: Credential) -> Counter {
        let key = match (self, credential) {
            (Self::Password | Self::EndSessions, Credential::Session(session)) => format!("session:{}", session.get()),
            (_, Credential::ApiKey(_)) => format!("keys:{}", user.get()),
            _ => format!("user:{}", user.get()),
        };
        Counter { binding: self.binding(), key }
    }
}

/// A count that a request adds to: a rate-limit binding, and a key that needs no escapes in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The name of the binding in wrangler.toml.
    pub binding: &'static str,
    /// A client network, `user:<id>`, `keys:<user id>`, `session:<id>` or `service:<id>`.
    pub key: String,
}

/// The names of all rate-limit bindings in wrangler.toml.
pub fn bindings() -> impl Iterator<Item = &'static str> {
    RateLimit::ALL.into_iter().flat_map(RateLimit::bindings).chain(UserLimit::ALL.map(UserLimit::binding))
}

/// The platform's limiters know two periods: this one, and a minute.
const SHORT_PERIOD_MS: i64 = 10 * 1000;
const LONG_PERIOD_MS: i64 = 60 * 1000;

/// The window in milliseconds over which the database counts registrations.
pub const REGISTRATION_WINDOW_MS: i64 = 60 * 60 * 1000;

/// Maximum number of live sessions per user; a further login evicts the oldest. This bounds the cost of listing and
/// revoking sessions and of erasing a user.
pub const MAX_SESSIONS: i64 = 100;
