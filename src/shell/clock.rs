//! The clock. The runtime advances it only during I/O, so that no code can time other code (Spectre). Each call from
//! JavaScript therefore brings the time.

use std::cell::Cell;

use crate::domain::time::Timestamp;

thread_local! {
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::from_millis(0)) };
}

/// Sets the time of this turn.
pub fn set(now: Timestamp) {
    NOW.set(now);
}

/// The time of the last I/O.
#[must_use]
pub fn now() -> Timestamp {
    NOW.get()
}
