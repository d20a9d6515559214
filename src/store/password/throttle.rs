//! Throttles: counters of consecutive failures, one table for every kind of guess. `domain::limits::throttle` defines
//! the rules; the SQL here applies them with the same constants.

use serde::Deserialize;

use crate::domain::ids::{SessionId, UserId};
use crate::domain::limits::throttle::{
    FIRST_WAIT_MS, FREE_FAILURES, MAX_DOUBLINGS, MAX_WAIT_MS, Throttle, ThrottleKey,
};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::owned::Owned;

const _: () = assert!(FREE_FAILURES >= 1, "the first failure is inserted without a wait");

/// Adds `:failures` (1, or 0 during a wait) to a counter, and sets the resulting wait: `wait_ms` of the domain in SQL.
/// A wait is never shortened, because concurrent guesses are written in any order. The first failure never causes a
/// wait.
///
/// With 0 the statement still writes, so that a refusal during a wait takes as long as any other.
const COUNT_FAILURE: &str = "
    INSERT INTO throttles (key, failures, blocked_until)
    SELECT :key, :failures, 0
    WHERE :user_id IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = :user_id AND erasure_cursor IS NULL)
    ON CONFLICT (key) DO UPDATE SET
        failures = failures + :failures,
        blocked_until = CASE
            WHEN :failures = 0 OR failures + :failures <= :free_failures THEN blocked_until
            ELSE max(
                blocked_until,
                :now + min(:first_wait << min(failures + :failures - :free_failures - 1, :max_doublings), :max_wait)
            )
        END";

const SELECT_ONE: &str = "SELECT blocked_until FROM throttles WHERE key = :key";

/// A successful sign-in resets the counter, if its session was opened.
const RESET_AFTER_SIGN_IN: &str = "
    DELETE FROM throttles WHERE key = :key AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)";

/// A password change resets all counters of the account, if the change was made. The keys of a user are a range of
/// text: D1 binds every number as a REAL, and `'user/' || 7.0` is another text than `'user/' || 7`.
const RESET_AFTER_CHANGE: &str = "
    DELETE FROM throttles
    WHERE key > :first_key AND key < :last_key
      AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND password_hash = :password_hash)";

const ERASE: &str = "
    DELETE FROM throttles WHERE key IN (
        SELECT t.key FROM users AS u
        JOIN throttles AS t ON t.key > 'user/' || u.id || '/' AND t.key < 'user/' || u.id || '0'
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[COUNT_FAILURE, SELECT_ONE, RESET_AFTER_SIGN_IN, RESET_AFTER_CHANGE, ERASE];

/// The counters of a user. They contain nothing for the export, and at most one row per kind of guess.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "throttles",
    erase: &[ERASE],
    remains: &["
        SELECT 1 FROM throttles AS t WHERE t.key > 'user/' || users.id || '/' AND t.key < 'user/' || users.id || '0'"],
    export: None,
    walk: None,
};

#[derive(Deserialize)]
struct ThrottleRow {
    blocked_until: Timestamp,
}

pub(in crate::store) fn select(key: ThrottleKey) -> Statement {
    query(SELECT_ONE).bind("key", key.text())
}

/// The row of [`select`]; a missing row is a throttle without failures.
pub(in crate::store) fn read(rows: &Rows) -> Result<Throttle, DbError> {
    let row: Option<ThrottleRow> = rows.first()?;
    Ok(Throttle { blocked_until: row.map_or(Timestamp::from_millis(0), |row| row.blocked_until) })
}

pub(in crate::store) fn count_failure(key: ThrottleKey, failures: i64, now: Timestamp) -> Statement {
    query(COUNT_FAILURE)
        .bind("key", key.text())
        .bind("user_id", key.user_id())
        .bind("failures", failures)
        .bind("now", now)
        .bind("free_failures", FREE_FAILURES)
        .bind("first_wait", FIRST_WAIT_MS)
        .bind("max_wait", MAX_WAIT_MS)
        .bind("max_doublings", MAX_DOUBLINGS)
}

pub(in crate::store) fn reset_after_sign_in(user_id: UserId, session_id: SessionId) -> Statement {
    query(RESET_AFTER_SIGN_IN).bind("key", ThrottleKey::Password(user_id).text()).bind("session_id", session_id)
}

pub(in crate::store) fn reset_after_change(user_id: UserId, new_hash: &str) -> Statement {
    let (first_key, last_key) = ThrottleKey::range_of(user_id);
    query(RESET_AFTER_CHANGE)
        .bind("first_key", first_key)
        .bind("last_key", last_key)
        .bind("user_id", user_id)
        .bind("password_hash", new_hash)
}
