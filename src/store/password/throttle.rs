//! Throttles: counters of consecutive failures, one table for every kind of guess. `domain::limits` defines the rules;
//! the SQL here applies them with the same constants.

use crate::domain::account::email::Email;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::limits::standing::{Counter, Kind, StoredCounter};
use crate::domain::limits::throttle::{
    DAY_MS, FIRST_WAIT_MS, FREE_FAILURES, FREE_FAILURES_OF_ALL, KNOWN_FOR_MS, MAX_DOUBLINGS, MAX_FAILURES, MAX_KNOWN,
    MAX_WAIT_MS, Scope,
};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::authz::grants::actor_is_platform_admin;
use crate::store::owned::Owned;
use crate::store::password::places::{failures_go_on, free_place, known_row, recent_failures, replaced_place};

const _: () = assert!(FREE_FAILURES >= 1, "the first failure is inserted without a wait");

/// Adds `:failures` (the weight of the guess, or 0 during a wait) to a counter, and sets the resulting waits: `wait_ms` of the domain in SQL.
/// A wait is never shortened, because concurrent guesses are written in any order. The first failure of a counter never
/// causes a wait of its own. With `:closes_all`, the failures of all slots together cause a wait for all of them.
///
/// With 0 it still writes, so that a refusal during a wait takes as long. A batch that is executed again counts nothing.
/// With `:may_replace`, a failure takes the place of another known network or device if all are taken.
const COUNT_FAILURE: &str = concat!(
    "INSERT INTO throttles (key, tag, failures, recent_failures, failed_at, blocked_until, closed_until, nonce)
     SELECT place, CASE WHEN place <> :key THEN :tag END, :failures, :failures, :now * (:failures > 0), 0,
            CASE WHEN :failures = 0 OR :closes_all = 0 THEN 0
                 WHEN total + :failures >= :max_failures THEN :now + :day
                 WHEN recent + :failures <= :free_failures_of_all THEN 0
                 ELSE :now + min(:first_wait << min(recent + :failures - :free_failures_of_all - 1, :max_doublings), :max_wait)
            END, :nonce
     FROM (
         SELECT coalesce(",
    known_row!(":tag"),
    ", CASE WHEN :may_add = 1 THEN ",
    free_place!(),
    " END, CASE WHEN :may_replace = 1 THEN ",
    replaced_place!(),
    " END, :key) AS place,
            coalesce(sum(failures), 0) AS total,
            coalesce(sum(CASE WHEN failed_at > :now - :day THEN recent_failures END), 0) AS recent
         FROM throttles WHERE key > :first_unknown AND key < :last_unknown
     )
     WHERE :user_id IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = :user_id AND erasure_cursor IS NULL)
     ON CONFLICT (key) DO UPDATE SET
         tag = excluded.tag,
         failures = failures * ",
    failures_go_on!(),
    " + :failures,
         recent_failures = ",
    recent_failures!(),
    ",
         failed_at = max(failed_at, excluded.failed_at),
         blocked_until = max(blocked_until * ",
    failures_go_on!(),
    ", CASE WHEN :failures = 0 OR ",
    recent_failures!(),
    " <= :free_failures THEN 0
              ELSE :now + min(:first_wait << min(",
    recent_failures!(),
    " - :free_failures - 1, :max_doublings), :max_wait) END),
         closed_until = max(closed_until, excluded.closed_until), nonce = excluded.nonce,
         signed_in_at = CASE WHEN tag IS excluded.tag THEN signed_in_at END
     WHERE nonce IS NOT excluded.nonce"
);

/// A condition that holds if no wait of the counter is in force. [`bind_guard`] binds its values.
macro_rules! no_wait {
    () => {
        "NOT EXISTS (
             SELECT 1 FROM throttles WHERE key > :first_known AND key < :last_known AND tag = :tag
             AND (blocked_until > :now OR failures >= :max_failures)
         )
         AND NOT EXISTS (SELECT 1 FROM throttles WHERE key = :slot AND blocked_until > :now)
         AND NOT EXISTS (
             SELECT 1 FROM throttles WHERE key > :first_unknown AND key < :last_unknown AND closed_until > :now
             AND :is_unknown = 1
         )"
    };
}
pub(in crate::store) use no_wait;

/// Other kinds of counters within the range are not used.
const SELECT_BY_EMAIL: &str = "
    SELECT t.key, t.tag, t.failures, t.failed_at, t.blocked_until, t.closed_until, t.signed_in_at
    FROM users AS u JOIN throttles AS t ON t.key > 'user/' || u.id || '/known/' AND t.key < 'user/' || u.id || '/unknown0'
    WHERE u.email = :email";

/// The counters of addresses without an account.
const SELECT_RANGE: &str = "
    SELECT key, tag, failures, failed_at, blocked_until, closed_until, signed_in_at FROM throttles
    WHERE key > :first AND key < :last";

/// Notes the network of a sign-in, if its session was opened: in its own row, else in a free place, else in the place of
/// another network or device. A network that was noted within a day is not written again. A row with the hash of another
/// `SECRET_KEY` (`:known_as`) gets the new hash. Unless the sign-in was known by its device, it resets the failures of the
/// network.
const NOTE_NETWORK: &str = concat!(
    "INSERT INTO throttles (key, tag, failures, blocked_until, signed_in_at)
     SELECT coalesce(",
    known_row!(":known_as"),
    ", ",
    free_place!(),
    ", ",
    replaced_place!(),
    "), :network, 0, 0, :now
     WHERE EXISTS (SELECT 1 FROM sessions WHERE id = :session_id) AND NOT EXISTS (
         SELECT 1 FROM throttles
         WHERE key > :first_known AND key < :last_known AND tag = :network
           AND signed_in_at > :now - :day AND (:resets = 0 OR failures = 0)
     )
     ON CONFLICT (key) DO UPDATE SET
         failures = CASE WHEN :resets = 0 AND tag = excluded.tag THEN failures ELSE 0 END,
         recent_failures = CASE WHEN :resets = 0 AND tag = excluded.tag THEN recent_failures ELSE 0 END,
         blocked_until = CASE WHEN :resets = 0 AND tag = excluded.tag THEN blocked_until ELSE 0 END,
         tag = excluded.tag, signed_in_at = excluded.signed_in_at"
);

/// A success of an unknown network makes its slot the row of the network: one written row instead of two.
const MOVE_SLOT: &str = concat!(
    "UPDATE throttles
     SET key = ",
    free_place!(),
    ", tag = :network, failures = 0, recent_failures = 0, blocked_until = 0, signed_in_at = :now
     WHERE key = :key AND failures > 0 AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id) AND ",
    known_row!(":network"),
    " IS NULL AND ",
    free_place!(),
    " IS NOT NULL"
);

/// A successful sign-in resets its own counter, if its session was opened. The wait of all unknown networks stays.
const RESET_AFTER_SIGN_IN: &str = concat!(
    "UPDATE throttles SET failures = 0, recent_failures = 0, blocked_until = 0
     WHERE key = CASE WHEN :tag IS NULL THEN :key ELSE ",
    known_row!(":tag"),
    " END AND failures > 0 AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)"
);

/// Reset all counters of an account under a condition. Known networks stay known, and wrong second factors counted: a thief
/// with the mailbox would have further guesses. Keys are a range of text: D1 binds numbers as REAL, and makes `'user/7.0'`.
macro_rules! reset_unknown {
    ($condition:expr) => {
        concat!(
            "DELETE FROM throttles WHERE key > :first_key AND key < :last_key AND tag IS NULL
             AND key NOT GLOB '*/second-factor*' AND ",
            $condition
        )
    };
}
macro_rules! reset_known {
    ($condition:expr) => {
        concat!(
            "UPDATE throttles SET failures = 0, recent_failures = 0, blocked_until = 0
             WHERE key > :first_key AND key < :last_key AND tag IS NOT NULL AND failures > 0 AND ",
            $condition
        )
    };
}

/// Holds if the change of the password was made.
macro_rules! is_changed {
    () => {
        "EXISTS (SELECT 1 FROM users WHERE id = :user_id AND password_hash = :password_hash)"
    };
}

const RESET_UNKNOWN_AFTER_CHANGE: &str = reset_unknown!(is_changed!());
const RESET_KNOWN_AFTER_CHANGE: &str = reset_known!(is_changed!());
/// Re-authentication keeps its counter: a thief with an administrator's token could unlock that account, and guess on.
const UNLOCK_UNKNOWN: &str =
    reset_unknown!(concat!("key NOT GLOB '*/reauthentication' AND ", actor_is_platform_admin!()));
const UNLOCK_KNOWN: &str = reset_known!(actor_is_platform_admin!());

const ERASE: &str = "
    DELETE FROM throttles WHERE key IN (
        SELECT t.key FROM users AS u
        JOIN throttles AS t ON t.key > 'user/' || u.id || '/' AND t.key < 'user/' || u.id || '0'
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    COUNT_FAILURE,
    SELECT_BY_EMAIL,
    SELECT_RANGE,
    NOTE_NETWORK,
    MOVE_SLOT,
    RESET_AFTER_SIGN_IN,
    RESET_UNKNOWN_AFTER_CHANGE,
    RESET_KNOWN_AFTER_CHANGE,
    UNLOCK_UNKNOWN,
    UNLOCK_KNOWN,
    ERASE,
];

/// The counters of a user: a bounded number of rows, which contain nothing for the export.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "throttles",
    erase: &[ERASE],
    remains: &["
        SELECT 1 FROM throttles AS t WHERE t.key > 'user/' || users.id || '/' AND t.key < 'user/' || users.id || '0'"],
    export: None,
    walk: None,
};

pub(in crate::store) fn select_by_email(email: &Email) -> Statement {
    query(SELECT_BY_EMAIL).bind("email", email)
}

pub(in crate::store) fn select(scope: Scope) -> Statement {
    let (first, last) = scope.range();
    query(SELECT_RANGE).bind("first", first).bind("last", last)
}

pub(in crate::store) fn read(rows: &Rows) -> Result<Vec<StoredCounter>, DbError> {
    rows.all()
}

fn bind_known(statement: Statement, scope: Scope) -> Statement {
    let (first, last) = scope.known_range();
    statement.bind("first_known", first).bind("last_known", last)
}

fn bind_unknown(statement: Statement, scope: Scope) -> Statement {
    let (first, last) = scope.unknown_range();
    statement.bind("first_unknown", first).bind("last_unknown", last)
}

pub(in crate::store) fn count_failure(counter: &Counter, failures: i64, request: RequestInfo<'_>) -> Statement {
    let scope = counter.scope;
    bind_unknown(bind_known(query(COUNT_FAILURE), scope), scope)
        .bind("key", counter.key.as_str())
        .bind("tag", counter.tag.as_deref())
        .bind("user_id", scope.user_id())
        .bind("failures", failures)
        .bind("may_add", matches!(counter.kind, Kind::Device | Kind::Network))
        .bind("may_replace", counter.kind == Kind::Device && failures > 0)
        .bind("closes_all", counter.kind == Kind::Unknown)
        .bind("now", request.now)
        .bind("nonce", request.stamp.nonce())
        .bind("day", DAY_MS)
        .bind("free_failures", FREE_FAILURES)
        .bind("free_failures_of_all", FREE_FAILURES_OF_ALL)
        .bind("max_failures", MAX_FAILURES)
        .bind("max_known", MAX_KNOWN)
        .bind("known_for", KNOWN_FOR_MS)
        .bind("first_wait", FIRST_WAIT_MS)
        .bind("max_wait", MAX_WAIT_MS)
        .bind("max_doublings", MAX_DOUBLINGS)
}

/// Binds the values of [`no_wait`], apart from `:now`.
pub(in crate::store) fn bind_guard(statement: Statement, counter: &Counter) -> Statement {
    let Counter { scope, kind, key, .. } = counter;
    let slot = (*kind == Kind::Unknown).then_some(key.as_str());
    bind_unknown(bind_known(statement, *scope), *scope)
        .bind("tag", counter.tag.as_deref())
        .bind("slot", slot)
        .bind("is_unknown", *kind == Kind::Unknown)
        .bind("max_failures", MAX_FAILURES)
}

/// The three statements that follow the opening of a session.
pub(in crate::store) fn after_sign_in(
    counter: &Counter,
    network_tag: &str,
    session_id: SessionId,
    now: Timestamp,
) -> [Statement; 3] {
    let is_by_device = counter.kind == Kind::Device;
    let take_over = bind_known(query(MOVE_SLOT), counter.scope)
        .bind("network", network_tag)
        .bind("key", (counter.kind == Kind::Unknown).then_some(counter.key.as_str()))
        .bind("session_id", session_id)
        .bind("max_known", MAX_KNOWN)
        .bind("now", now);
    let note = bind_known(query(NOTE_NETWORK), counter.scope)
        .bind("network", network_tag)
        .bind("known_as", counter.tag.as_deref().filter(|_| !is_by_device).unwrap_or(network_tag))
        .bind("resets", !is_by_device)
        .bind("session_id", session_id)
        .bind("max_known", MAX_KNOWN)
        .bind("known_for", KNOWN_FOR_MS)
        .bind("now", now)
        .bind("day", DAY_MS);
    let reset = bind_known(query(RESET_AFTER_SIGN_IN), counter.scope)
        .bind("key", counter.key.as_str())
        .bind("tag", counter.tag.as_deref())
        .bind("session_id", session_id);
    [take_over, note, reset]
}

/// Resets all counters, if the password was changed to this hash.
pub(in crate::store) fn reset_after_change(user_id: UserId, new_hash: &str) -> [Statement; 2] {
    [RESET_UNKNOWN_AFTER_CHANGE, RESET_KNOWN_AFTER_CHANGE]
        .map(|sql| bind_user(query(sql), user_id).bind("user_id", user_id).bind("password_hash", new_hash))
}

/// Resets all counters for an administrator of the platform.
pub(in crate::store) fn reset_by(actor: UserId, user_id: UserId) -> [Statement; 2] {
    [UNLOCK_UNKNOWN, UNLOCK_KNOWN].map(|sql| bind_user(query(sql), user_id).bind("actor_id", actor))
}

pub(in crate::store) fn bind_user(statement: Statement, user_id: UserId) -> Statement {
    let (first, last) = Scope::User(user_id).range();
    statement.bind("first_key", first).bind("last_key", last)
}
