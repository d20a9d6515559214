//! The throttle of an account: its numbers, its waits, and the keys of its counters. `standing` decides which counter an
//! attempt belongs to.
//!
//! ```text
//!   failures in a row of one network or device   1 … 5     6     7     8   …    15   16 …
//!   failures in a row of all unknown networks    1 … 20   21    22    23   …    30   31 … 99     100 …
//!   wait                                          none    1 s   2 s   4 s  …   512 s   15 min    a day (all unknown)
//! ```
//!
//! During a wait, every password gets the response of a wrong one (OWASP Authentication Cheat Sheet, "Account Lockout").
//! Attempts do not extend the wait. A success resets only the counter of its own device or network. Waits are forgotten
//! after a day without a failure; the count towards 100 (NIST SP 800-63B-4 §3.2.2) is not.
//!
//! Strangers therefore cannot lock out the owner, whose devices and networks have waits of their own. Remaining risk: a
//! persistent attacker can keep *unknown* networks without a device token from signing in, until an administrator unlocks
//! the account.
//!
//! Like a refresh, a sign-in is checked twice with the same numbers. The first check uses the rows read before hashing;
//! the second is the SQL guard when the outcome is written. Concurrent wrong guesses are written one after another, so
//! each one counts. A concurrent right guess is refused if earlier wrong ones have started a wait. Parallel guesses
//! therefore reveal no more than sequential ones.

use sha2::{Digest as _, Sha256};

use crate::domain::account::email::Email;
use crate::domain::ids::UserId;
use crate::domain::time::{DAY, Timestamp};

/// Wrong passwords in a row of one network or device without a wait, because users mistype.
pub const FREE_FAILURES: i64 = 5;
/// The same of all unknown networks together.
pub const FREE_FAILURES_OF_ALL: i64 = 20;
/// After this many failures in a row, unknown networks are refused, and a known device or network becomes unknown.
pub const MAX_FAILURES: i64 = 100;
/// The first wait, in milliseconds.
pub const FIRST_WAIT_MS: i64 = 1000;
/// The longest wait, in milliseconds: 15 minutes.
pub const MAX_WAIT_MS: i64 = 15 * 60 * 1000;
/// The wait doubles at most this often: enough to reach [`MAX_WAIT_MS`], and keeps the SQL arithmetic in bounds.
pub const MAX_DOUBLINGS: i64 = 10;
/// A day in milliseconds. After this time without a failure, waits start anew. After [`MAX_FAILURES`], unknown networks
/// are refused for this long. A sign-in from a known network is noted at most this often.
pub const DAY_MS: i64 = DAY * 1000;
/// Milliseconds for which a network stays known after a sign-in.
pub const KNOWN_FOR_MS: i64 = 90 * DAY_MS;
/// Maximum number of known networks and devices with a row, per account.
pub const MAX_KNOWN: i64 = 20;
/// Number of rows that all other networks of an account share.
pub const SLOTS: u16 = 32;
/// Addresses without an account share this many sets of counters.
const UNKNOWN_ADDRESSES: u16 = 1024;

/// The wait of a counter of which [`SLOTS`] and [`MAX_KNOWN`] do not matter: that of re-authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Every password is refused before this time.
    pub blocked_until: Timestamp,
}

impl Throttle {
    /// Is every password refused at this time?
    #[must_use]
    pub fn is_blocked(self, now: Timestamp) -> bool {
        self.blocked_until > now
    }
}

/// The wait after this many failures in a row, of which some are free, in milliseconds. The SQL computes the same.
#[must_use]
pub fn wait_ms(failures: i64, free: i64) -> i64 {
    if failures <= free {
        return 0;
    }
    let doublings = (failures - free - 1).min(MAX_DOUBLINGS);
    (FIRST_WAIT_MS << doublings).min(MAX_WAIT_MS)
}

/// The failures that a wrong guess counts for: the cost of verifying the hash, in new hashes, rounded up. Otherwise an account
/// whose imported hash costs more would be a lever for more work. A first guess causes no wait, however much it cost.
#[must_use]
pub fn weight(cost: u32, of_new_hash: u32) -> i64 {
    i64::from(cost.div_ceil(of_new_hash.max(1))).clamp(1, FREE_FAILURES)
}

/// The counters of one account, or of the addresses without an account that share a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The counters of a user.
    User(UserId),
    /// The counters of addresses without an account, by [`Scope::without_account`].
    NoAccount(u16),
}

impl Scope {
    /// The counters of an address if it has no account, chosen by hash and shared with other addresses.
    #[must_use]
    pub fn without_account(email: &Email) -> Self {
        Self::NoAccount(number(&Sha256::digest(email.as_str()).into(), UNKNOWN_ADDRESSES))
    }

    /// The account, if there is one.
    #[must_use]
    pub const fn user_id(self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::NoAccount(_) => None,
        }
    }

    /// The start of every key: `user/<id>/` or `unknown/<number>/`.
    fn prefix(self) -> String {
        match self {
            Self::User(id) => format!("user/{id}/"),
            Self::NoAccount(number) => format!("unknown/{number}/"),
        }
    }

    /// Bounds of all keys, both exclusive: in ASCII, `0` follows the slash.
    #[must_use]
    pub fn range(self) -> (String, String) {
        range(self.prefix())
    }

    /// Bounds of the keys of known networks and devices. Their rows are numbered without gaps, from `00`.
    #[must_use]
    pub fn known_range(self) -> (String, String) {
        range(format!("{}known/", self.prefix()))
    }

    /// Bounds of the keys that unknown networks share.
    #[must_use]
    pub fn unknown_range(self) -> (String, String) {
        range(format!("{}unknown/", self.prefix()))
    }

    /// The key that an unknown network shares with others, chosen by a hash that strangers cannot compute.
    #[must_use]
    pub fn slot(self, key: &HashKey, network: &str) -> String {
        let prefix = self.prefix();
        let slot = number(&key.hash(&[&prefix, network]), SLOTS);
        format!("{prefix}unknown/{slot:02}")
    }
}

/// The counter of passwords that a signed-in user is asked for again. Counted apart, so that guesses at sign-in do not
/// keep the owner from changing the password, and a stolen access token allows no further guesses.
#[must_use]
pub fn reauthentication_key(user_id: UserId) -> String {
    format!("{}reauthentication", Scope::User(user_id).prefix())
}

/// The counter of second factors after a right password. Counted apart, so that waits after wrong codes begin only for
/// clients that know the password, and only for codes of authenticator apps.
#[must_use]
pub fn second_factor_key(user_id: UserId) -> String {
    format!("{}second-factor", Scope::User(user_id).prefix())
}

/// The key of the counter of wrong recovery codes and passkeys. No guess finds those, so they hold up no codes of apps.
#[must_use]
pub fn unguessable_factor_key(user_id: UserId) -> String {
    format!("{}second-factor/unguessable", Scope::User(user_id).prefix())
}

fn range(prefix: String) -> (String, String) {
    let end = prefix.strip_suffix('/').map(|stem| format!("{stem}0")).unwrap_or_default();
    (prefix, end)
}

/// A number below `count`, from a hash.
fn number(hash: &[u8; 32], count: u16) -> u16 {
    let [a, b, ..] = *hash;
    u16::from_le_bytes([a, b]) % count
}

/// The key of the hashes by which networks are stored, derived from `SECRET_KEY`. A dump of the database reveals no
/// network, and strangers cannot choose networks that share a counter. While `SECRET_KEY` changes, networks are also found
/// by the hashes of the other key, and a sign-in replaces such a hash. The slots of unknown networks are shuffled.
#[derive(Clone)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// Derives the key from the signing secret.
    #[must_use]
    pub fn derive(secret: &crate::domain::secret::Secret) -> Self {
        let secret = secret.expose().as_bytes();
        Self(Sha256::new().chain_update(b"edge-auth throttle key\0").chain_update(secret).finalize().into())
    }

    /// A hash of texts that contain no NUL. Only a part of it is ever used, so its length cannot be extended.
    pub(in crate::domain) fn hash(&self, texts: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(self.0);
        for text in texts {
            hash.update(text);
            hash.update([0]);
        }
        hash.finalize().into()
    }

    /// The tag of a network: 64 bits as hex.
    #[must_use]
    pub fn network_tag(&self, network: &str) -> String {
        let hash = self.hash(&["network", network]);
        format!("network/{}", crate::domain::ids::hex(hash.get(..8).unwrap_or_default()))
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
