//! The clock. It stands still between two moments of waiting, so that no code can time other code.

use crate::domain::time::Timestamp;

/// The moment of the last input or output.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX))
}
