//! The clock. The runtime advances it only during I/O, so that no code can time other code (Spectre).

use crate::domain::time::Timestamp;

/// The time of the last I/O.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX))
}
