//! The clock. The runtime advances it only during I/O, so that no code can time other code (Spectre). Each call from
//! JavaScript therefore brings the time.
//!
//! A turn that hashes a password takes longer than many calls of the database. Its time is outdated at its end, and
//! the time that has passed at the next turn was no waiting.

use std::cell::Cell;

use crate::domain::time::Timestamp;

thread_local! {
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::from_millis(0)) };
    static IS_OUTDATED: Cell<bool> = const { Cell::new(false) };
    /// Milliseconds that turns with hashes have taken so far.
    static COMPUTED_MS: Cell<i64> = const { Cell::new(0) };
}

/// Sets the time of this turn.
pub fn set(now: Timestamp) {
    let before = NOW.replace(now);
    if IS_OUTDATED.replace(false) {
        COMPUTED_MS.set(COMPUTED_MS.get() + (now.millis() - before.millis()).max(0));
    }
}

/// The time of the last I/O.
#[must_use]
pub fn now() -> Timestamp {
    NOW.get()
}

/// Announces that this turn computes for a long time. The next turn must follow at once, which waits for nothing.
pub fn expect_computing() {
    IS_OUTDATED.set(true);
}

/// Has this turn computed for a long time? Then neither `now` nor a timer that starts in this turn is right.
#[must_use]
pub fn is_outdated() -> bool {
    IS_OUTDATED.get()
}

/// A measurement of time spent waiting.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    begun: Timestamp,
    computed_ms: i64,
}

impl Wait {
    /// Begins to measure, in a turn that is not outdated.
    #[must_use]
    pub fn begin() -> Self {
        Self { begun: now(), computed_ms: COMPUTED_MS.get() }
    }

    /// The milliseconds since then, without those in which this isolate computed.
    #[must_use]
    pub fn millis(self) -> u32 {
        let passed = now().millis() - self.begun.millis() - (COMPUTED_MS.get() - self.computed_ms);
        u32::try_from(passed.max(0)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn time_in_which_the_isolate_computed_is_not_waiting() {
        let turn_at = |millis| set(Timestamp::from_millis(millis));
        turn_at(1_000);
        let wait = Wait::begin();
        turn_at(1_010);
        assert_eq!(wait.millis(), 10);
        expect_computing();
        assert!(is_outdated());
        turn_at(1_210);
        assert!(!is_outdated());
        assert_eq!(wait.millis(), 10, "a hash of another request");
        turn_at(1_230);
        assert_eq!(wait.millis(), 30);
        expect_computing();
        turn_at(900);
        assert_eq!(wait.millis(), 0, "the clock was set back");
    }
}
