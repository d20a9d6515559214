//! The throttle of an account: after five wrong passwords in a row, exponential back-off up to 15 minutes.
//!
//! ```text
//!   failures in a row   1 … 5     6     7     8   …    15   16 …
//!   wait                 none    1 s   2 s   4 s  …   512 s   15 min
//! ```
//!
//! While the account is blocked, every password gets the response of a wrong one (OWASP Authentication Cheat Sheet,
//! "Account Lockout"). Attempts do not extend the block. A success resets the count.
//!
//! No account is locked permanently. Remaining risk: a persistent attacker can block new sign-ins to an account, at one
//! guess per 15 minutes. Existing sessions stay valid, and their user can still change the password, because
//! re-authentication has its own counter.
//!
//! Like a refresh, a sign-in is checked twice with the same numbers. The first check uses the row read before hashing;
//! the second is the SQL guard when the outcome is written. Concurrent wrong guesses are written one after another, so
//! each one counts. A concurrent right guess is refused if earlier wrong ones have started a block. Parallel guesses
//! therefore reveal no more than sequential ones.

use sha2::{Digest as _, Sha256};

use crate::domain::account::email::Email;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;

/// Wrong passwords in a row without a wait, because users mistype.
pub const FREE_FAILURES: i64 = 5;
/// The first wait, in milliseconds.
pub const FIRST_WAIT_MS: i64 = 1000;
/// The longest wait, in milliseconds: 15 minutes.
pub const MAX_WAIT_MS: i64 = 15 * 60 * 1000;
/// The wait doubles at most this often: enough to reach [`MAX_WAIT_MS`], and keeps the SQL arithmetic in bounds.
pub const MAX_DOUBLINGS: i64 = 10;

/// Number of throttle rows that all addresses without an account share.
const UNKNOWN_SLOTS: u16 = 1024;

/// The stored throttle of an address.
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

/// The wait after this many failures in a row, in milliseconds. The SQL computes the same.
#[must_use]
pub fn wait_ms(failures: i64) -> i64 {
    if failures <= FREE_FAILURES {
        return 0;
    }
    let doublings = (failures - FREE_FAILURES - 1).min(MAX_DOUBLINGS);
    (FIRST_WAIT_MS << doublings).min(MAX_WAIT_MS)
}

/// The throttle row of an address without an account, chosen by hash and shared with other addresses.
#[must_use]
pub fn unknown_slot(email: &Email) -> i64 {
    let hash: [u8; 32] = Sha256::digest(email.as_str()).into();
    let [a, b, ..] = hash;
    i64::from(u16::from_le_bytes([a, b]) % UNKNOWN_SLOTS)
}

/// The key of a throttle: one kind of guess at one account, or at addresses without an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleKey {
    /// Passwords at sign-in.
    Password(UserId),
    /// Passwords that a signed-in user is asked for again. Counted apart, so that guesses at sign-in do not keep the
    /// owner from changing the password, and a stolen access token allows no further guesses.
    Reauthentication(UserId),
    /// Sign-ins to unknown addresses, by [`unknown_slot`].
    Unknown(i64),
}

impl ThrottleKey {
    /// The stored form. The keys of one user share the prefix `user/<id>/`.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Password(id) => format!("user/{id}/password"),
            Self::Reauthentication(id) => format!("user/{id}/reauthentication"),
            Self::Unknown(slot) => format!("unknown/{slot}"),
        }
    }

    /// Bounds of the keys of one user, both exclusive: in ASCII, `0` follows the slash.
    #[must_use]
    pub fn range_of(user_id: UserId) -> (String, String) {
        (format!("user/{user_id}/"), format!("user/{user_id}0"))
    }

    /// The account, if there is one.
    #[must_use]
    pub const fn user_id(self) -> Option<UserId> {
        match self {
            Self::Password(id) | Self::Reauthentication(id) => Some(id),
            Self::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn throttle_key_format_unchanged() {
        let user = UserId::new(7).unwrap();
        assert_eq!(ThrottleKey::Password(user).text(), "user/7/password");
        assert_eq!(ThrottleKey::Reauthentication(user).text(), "user/7/reauthentication");
        assert_eq!(ThrottleKey::Unknown(1023).text(), "unknown/1023");
        let (first, last) = ThrottleKey::range_of(user);
        for key in [ThrottleKey::Password(user), ThrottleKey::Reauthentication(user)] {
            assert!(first < key.text() && key.text() < last);
        }
        let others = [70, 71, 8].map(|id| ThrottleKey::Password(UserId::new(id).unwrap()).text());
        assert!(others.iter().all(|key| *key < first || *key > last));
    }

    #[test]
    fn the_sixth_failure_waits_one_second_and_each_further_failure_doubles_it() {
        let waits: Vec<i64> = (4..=17).map(|failures| wait_ms(failures) / 1000).collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(wait_ms(i64::MAX), MAX_WAIT_MS);
        assert_eq!(wait_ms(0), 0);
    }

    #[test]
    fn a_block_ends_at_its_blocked_until_time() {
        let until = Timestamp::from_millis(5000);
        let throttle = Throttle { blocked_until: until };
        assert!(throttle.is_blocked(Timestamp::from_millis(4999)));
        assert!(!throttle.is_blocked(until));
    }

    #[test]
    fn addresses_without_an_account_use_all_slots_and_no_others() {
        let slot = |number: i32| {
            let address = format!("unknown-{number}@example.com");
            unknown_slot(&Email::parse(&address, crate::domain::unicode::for_tests::normalize).unwrap())
        };
        let slots: std::collections::BTreeSet<i64> = (0..20_000).map(slot).collect();
        assert_eq!(slots.len(), 1024);
        assert_eq!(slots.last(), Some(&1023));
    }
}
