//! Points in time, in the formats of the database, tokens, bodies and logs.
//!
//! The database stores milliseconds since the Unix epoch, because the retry interval needs fractions of a second.
//! Tokens carry whole seconds (RFC 7519 §2, `NumericDate`); bodies and logs carry RFC 3339 in UTC.

use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;

/// Seconds in a minute.
pub const MINUTE: i64 = 60;
/// Seconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Seconds in a day.
pub const DAY: i64 = 24 * 60 * MINUTE;

/// A point in time: milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Later than any other: 2^53 - 1 milliseconds, the largest integer that D1 stores exactly.
    pub const LATEST: Self = Self((1 << 53) - 1);

    /// The point this many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The point this many seconds after the Unix epoch; saturates.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This point plus a number of seconds, which may be negative; saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Parses RFC 3339 with any offset; fractions below a millisecond are dropped.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self(time.timestamp_millis()))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-20T20:56:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        DateTime::from_timestamp_millis(self.0)
            .unwrap_or(DateTime::UNIX_EPOCH)
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn text_is_rfc3339_in_utc_with_milliseconds() {
        let time = Timestamp::from_millis(1_795_208_163_007);
        assert_eq!(time.rfc3339(), "2026-11-20T20:56:03.007Z");
    }

    #[test]
    fn rfc3339_is_read_with_any_offset() {
        let parse = |text: &str| Timestamp::parse_rfc3339(text).map(Timestamp::rfc3339);
        for text in ["2026-11-20T20:56:03.007Z", "2026-11-20T21:56:03.0079+01:00", "2026-11-20t20:56:03.007z"] {
            assert_eq!(parse(text).as_deref(), Some("2026-11-20T20:56:03.007Z"), "{text}");
        }
        for text in
            ["", "2026-11-20", "2026-11-20T20:56:03", "2026-13-20T20:56:03Z", "1795208163", "+2026-11-20T20:56:03Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_round_down_also_before_the_epoch() {
        assert_eq!(Timestamp::from_millis(1_999).seconds(), 1);
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
    }

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus_seconds(1), end);
        assert_eq!(Timestamp::from_seconds(i64::MAX), end);
    }
}
