//! The space that is left in the database, and the operations that it no longer serves when there is little.
//!
//! A full database must sign no user out. So while some space is left, operations that only add rows are refused, and the
//! space is kept for sign-in, refresh, logout, changes of passwords, and disabling.

/// Bytes per megabyte of `D1_SIZE_LIMIT_MB`.
pub const MEGABYTE: i64 = 1_000_000;
/// Percent of the limit from which the log warns.
const LOW_PERCENT: i64 = 80;
/// Percent of the limit from which operations that only add are refused, and refusals leave no event.
const FULL_PERCENT: i64 = 95;
/// `Retry-After` of a refused operation, in seconds. An operator has to make space.
pub const RETRY_AFTER_SECONDS: u32 = 3600;

/// The space that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the readiness check")]
pub enum StorageState {
    Ok,
    Low,
    Full,
}

impl StorageState {
    /// The state of a database of this size. An unknown size counts as none.
    #[must_use]
    pub const fn of(used_bytes: Option<i64>, limit_bytes: i64) -> Self {
        let used = match used_bytes {
            Some(used) => used.saturating_mul(100),
            None => 0,
        };
        if used >= limit_bytes.saturating_mul(FULL_PERCENT) {
            Self::Full
        } else if used >= limit_bytes.saturating_mul(LOW_PERCENT) {
            Self::Low
        } else {
            Self::Ok
        }
    }

    /// The name, in the readiness check and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::Full => "full",
        }
    }
}

/// THE list of operations that only add rows. Each is refused while the database is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the operations")]
pub enum Growth {
    Registration,
    Import,
    Enrollment,
    ApiKey,
    ServiceAccount,
    Mail,
    Factor,
}

impl Growth {
    /// The name, in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Import => "import",
            Self::Enrollment => "enrollment",
            Self::ApiKey => "api key",
            Self::ServiceAccount => "service account",
            Self::Mail => "mail",
            Self::Factor => "second factor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn space_is_low_from_80_percent_and_used_up_from_95() {
        let limit = 10_000 * MEGABYTE;
        let state = |bytes| StorageState::of(Some(bytes), limit);
        assert_eq!([state(0), state(7_999_999_999)], [StorageState::Ok; 2]);
        assert_eq!([state(8_000_000_000), state(9_499_999_999)], [StorageState::Low; 2]);
        assert_eq!([state(9_500_000_000), state(i64::MAX)], [StorageState::Full; 2]);
        assert_eq!(StorageState::of(None, limit), StorageState::Ok);
    }
}
