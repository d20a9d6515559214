//! Reads at a replica of the database: the state that a replica must have, and the age up to which it is used.
//!
//! A replica lags behind the primary. Two facts bound by how much: the bookmark of the access token, below which no read of
//! its session goes, and the heartbeat, a row that the Cron Trigger of every minute writes at the primary.

use crate::domain::time::Timestamp;

/// Milliseconds after which a heartbeat is too old, so its replica is not used.
pub const MAX_HEARTBEAT_AGE_MS: i64 = 120_000;

/// A heartbeat that lies further in the future is the mistake of a clock, and tells nothing.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 10_000;

/// Milliseconds after which a replica counts as failing.
pub const REPLICA_TIMEOUT_MS: u32 = 500;

/// Milliseconds for which an isolate reads at the primary after a replica failed or was too old.
pub const PAUSE_MS: i64 = 60_000;

/// Longest bookmark. Those of D1 have 59 characters.
const MAX_LENGTH: usize = 128;

/// A state of the database, as D1 names it. A later state has a greater text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bookmark(String);

impl Bookmark {
    /// Parses a text of 1 to 128 letters, digits and hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_bookmark = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed);
        is_bookmark.then(|| Self(text.to_owned()))
    }

    /// The text of D1.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Longest text of a sealed bookmark. Those of D1's bookmarks have 116 characters.
const MAX_SEALED_LENGTH: usize = 256;

/// A bookmark as clients hold it: encrypted, because the plain one counts the writes of all users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBookmark(String);

impl SealedBookmark {
    /// Parses a text in base64url of 1 to 256 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_sealed = (1..=MAX_SEALED_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed);
        is_sealed.then(|| Self(text.to_owned()))
    }

    /// The text that clients hold.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The age of a replica, as its answer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    /// The state from which the rows come; absent if D1 did not name it.
    pub bookmark: Option<Bookmark>,
    /// The heartbeat in it; absent if there was none yet.
    pub heartbeat: Option<Timestamp>,
}

impl ReplicaState {
    /// Has the replica this state, or a later one? A bookmark that D1 Time Travel put into the future is in none.
    #[must_use]
    pub fn includes(&self, floor: &Bookmark) -> bool {
        self.bookmark.as_ref().is_some_and(|bookmark| bookmark >= floor)
    }

    /// Is the replica at most two minutes behind the primary?
    #[must_use]
    pub fn is_recent(&self, now: Timestamp) -> bool {
        let age = self.heartbeat.map(|beat| now.millis() - beat.millis());
        age.is_some_and(|age| (-MAX_CLOCK_DIFFERENCE_MS..MAX_HEARTBEAT_AGE_MS).contains(&age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn bookmark(text: &str) -> Bookmark {
        Bookmark::parse(text).unwrap()
    }

    #[test]
    fn bookmarks_of_d1_are_parsed_and_other_texts_are_not() {
        let text = "0000007b-0000b26e-00001538-0c3e87bb37b3db5cc52eedb93cd3b896";
        assert_eq!(bookmark(text).as_str(), text);
        assert!(Bookmark::parse(&"a".repeat(128)).is_some());
        for text in ["", "a b", "a\n", "é", "first_primary", &"a".repeat(129)] {
            assert_eq!(Bookmark::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sealed_bookmarks_are_base64url() {
        assert!(SealedBookmark::parse(&"aZ_-".repeat(64)).is_some());
        for text in ["", "a=", "a+b", "a b", &"a".repeat(257)] {
            assert_eq!(SealedBookmark::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_replica_includes_the_states_up_to_its_own() {
        let (early, late) = (bookmark("0000007b-00000001"), bookmark("0000007c-00000000"));
        let state = |bookmark: Option<&Bookmark>| ReplicaState { bookmark: bookmark.cloned(), heartbeat: None };
        assert!(state(Some(&early)).includes(&early));
        assert!(state(Some(&late)).includes(&early));
        assert!(!state(Some(&early)).includes(&late));
        assert!(!state(None).includes(&early));
    }

    #[test]
    fn a_replica_is_used_for_less_than_two_minutes_behind_the_primary() {
        let now = Timestamp::from_millis(1_000_000);
        let state = |heartbeat: Option<i64>| ReplicaState {
            bookmark: None,
            heartbeat: heartbeat.map(|age| Timestamp::from_millis(1_000_000 - age)),
        };
        assert!(state(Some(0)).is_recent(now));
        assert!(state(Some(119_999)).is_recent(now));
        assert!(!state(Some(120_000)).is_recent(now));
        assert!(!state(None).is_recent(now));
        // The clocks of two machines differ, by little.
        assert!(state(Some(-10_000)).is_recent(now));
        assert!(!state(Some(-10_001)).is_recent(now));
    }
}
