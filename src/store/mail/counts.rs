//! The counts of mails: those that strangers asked for, and notices. They are part of the batch that writes the mail.

use crate::domain::account::email::Email;
use crate::domain::ids::{MailId, ProofId};
use crate::domain::limits::throttle::KNOWN_FOR_MS;
use crate::domain::mail::limits::{Count, refusal_key};
use crate::domain::mail::proof::Purpose;
use crate::domain::time::Timestamp;
use crate::ports::{Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};

/// The end of the keys of a request: `/none` if no mail is sent, because the address has no active account or is proven
/// already; `/known` from a network that a proven account knows; empty otherwise.
///
/// The networks of an account that is not proven are those of its registration, perhaps by a stranger.
macro_rules! class {
    () => {
        "(SELECT coalesce((
             SELECT CASE
                 WHEN c.email_verified_at IS NULL THEN ''
                 WHEN :concerns_proven = 0 THEN '/none'
                 WHEN c.registered_network = :network_tag AND c.created_at > :known_after
                     OR EXISTS (
                         SELECT 1 FROM throttles AS t
                         WHERE t.key > 'user/' || c.id || '/known/' AND t.key < 'user/' || c.id || '/known0'
                           AND t.tag = :network_tag AND t.signed_in_at > :known_after
                     )
                 THEN '/known' ELSE '' END
             FROM users AS c WHERE c.email = :email AND c.is_active = 1
         ), '/none'))"
    };
}

macro_rules! is_below {
    ($key:expr, $max:literal, $window:literal, $pause:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM mail_counts WHERE key = ",
            $key,
            " AND window_started_at > ",
            $window,
            " AND (count >= ",
            $max,
            " OR last_at > ",
            $pause,
            "))"
        )
    };
}

/// The condition that every count admits the mail, for a row `k` with the class.
macro_rules! is_admitted {
    () => {
        concat!(
            $crate::store::mail::counts::is_below!(":key_1", ":max_1", ":window_1", ":pause_1"),
            " AND ",
            $crate::store::mail::counts::is_below!(":key_2 || k.class", ":max_2", ":window_2", ":pause_2"),
            " AND ",
            $crate::store::mail::counts::is_below!(":key_3", ":max_3", ":window_3", ":pause_3"),
            " AND ",
            $crate::store::mail::counts::is_below!(":key_4 || k.class", ":max_4", ":window_4", ":pause_4")
        )
    };
}
pub(in crate::store) use {class, is_admitted, is_below};

/// The end of a statement that counts a mail of the same batch. A batch that is executed again finds its nonce, and counts
/// nothing, unless another request has counted in between: then one mail counts twice.
macro_rules! count_once {
    () => {
        " ON CONFLICT (key) DO UPDATE SET
             count = iif(window_started_at <= :window_cutoff, 1, count + 1),
             last_at = max(last_at, excluded.last_at),
             window_started_at = iif(window_started_at <= :window_cutoff, excluded.window_started_at, window_started_at),
             nonce = excluded.nonce
         WHERE nonce <> excluded.nonce"
    };
}

/// Counts the mail of a proof that the same batch has written.
const COUNT: &str = concat!(
    "INSERT INTO mail_counts (key, window_started_at, last_at, count, nonce)
     SELECT :key || iif(:has_classes, ",
    class!(),
    ", ''), :now, :now, 1, :nonce WHERE EXISTS (SELECT 1 FROM email_proofs WHERE id = :proof_id)",
    count_once!()
);

/// Counts a mail that the same batch has queued, apart from those of proofs.
const COUNT_MAIL: &str = concat!(
    "INSERT INTO mail_counts (key, window_started_at, last_at, count, nonce)
     SELECT :key, :now, :now, 1, :nonce WHERE EXISTS (SELECT 1 FROM mails WHERE id = :mail_id)",
    count_once!()
);

/// Every request writes this row, so that a refused one commits, too, and takes as long.
const TOUCH: &str = "
    INSERT INTO mail_counts (key, window_started_at, last_at, count, nonce) VALUES (:key, :now, :now, 0, :nonce)
    ON CONFLICT (key) DO UPDATE SET window_started_at = excluded.window_started_at";

const ADVANCE: &str = "
    UPDATE clean_up_positions
    SET (previous, position) = (
        SELECT iif(count(*) > 0, clean_up_positions.position, ''), coalesce(max(key), '')
        FROM (SELECT key FROM mail_counts WHERE key > clean_up_positions.position ORDER BY key LIMIT :step)
    )
    WHERE walk = 'mail_counts' AND nonce IS NOT :nonce";

const DELETE: &str = "
    DELETE FROM mail_counts WHERE key IN (
        SELECT c.key
        FROM clean_up_positions AS p JOIN mail_counts AS c ON c.key > p.previous AND c.key <= p.position
        WHERE p.walk = 'mail_counts' AND c.window_started_at <= :cutoff
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[COUNT, COUNT_MAIL, TOUCH, ADVANCE, DELETE];

/// Counts belong to an address, which need not have an account.
pub static MAIL_COUNTS: Walk = Walk {
    table: "mail_counts",
    cutoff: Cutoff::MailCounts,
    order: Order::ByKey { advance: ADVANCE, delete: DELETE },
    max_steps: 5,
};

/// A request for a mail, as its counts see it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct Asking<'a> {
    pub email: &'a Email,
    pub purpose: Purpose,
    pub counts: &'a [Count; 4],
}

/// The latest mail that no longer blocks. Without a pause it lies in the future, so that the clock of another isolate cannot
/// be ahead of it.
fn pause_cutoff(count: &Count, now: Timestamp) -> Timestamp {
    if count.pause_seconds == 0 { Timestamp::LATEST } else { now.plus_seconds(-count.pause_seconds) }
}

/// Binds the values of [`is_admitted`].
pub(in crate::store) fn bind_admission(
    statement: Statement,
    asking: Asking<'_>,
    request: RequestInfo<'_>,
) -> Statement {
    let names = [
        ("key_1", "max_1", "window_1", "pause_1"),
        ("key_2", "max_2", "window_2", "pause_2"),
        ("key_3", "max_3", "window_3", "pause_3"),
        ("key_4", "max_4", "window_4", "pause_4"),
    ];
    let counts = names.into_iter().zip(asking.counts);
    counts.fold(statement, |statement, ((key, max, window, pause), count)| {
        statement
            .bind(key, count.key.as_str())
            .bind(max, count.max)
            .bind(window, request.now.plus_seconds(-count.window_seconds))
            .bind(pause, pause_cutoff(count, request.now))
    })
}

/// Binds the values of [`class`].
pub(in crate::store) fn bind_class(statement: Statement, asking: Asking<'_>, request: RequestInfo<'_>) -> Statement {
    statement
        .bind("concerns_proven", asking.purpose.concerns_proven())
        .bind("email", asking.email)
        .bind("network_tag", request.key.network_tag(&request.peer.network()))
        .bind("known_after", Timestamp::from_millis(request.now.millis() - KNOWN_FOR_MS))
}

/// The statement by which a refused request commits.
pub(in crate::store) fn touch(request: RequestInfo<'_>) -> Statement {
    query(TOUCH)
        .bind("key", refusal_key(request.key, &request.peer.network()))
        .bind("now", request.now)
        .bind("nonce", request.stamp.nonce())
}

/// The statements that count the mail of this proof.
pub(in crate::store) fn count(asking: Asking<'_>, proof_id: ProofId, request: RequestInfo<'_>) -> [Statement; 4] {
    asking.counts.each_ref().map(|count| {
        bind_count(bind_class(query(COUNT), asking, request), count, request)
            .bind("has_classes", count.has_classes)
            .bind("proof_id", proof_id)
    })
}

/// The statement that counts a mail of the same batch.
pub(in crate::store) fn count_mail(count: &Count, mail_id: MailId, request: RequestInfo<'_>) -> Statement {
    bind_count(query(COUNT_MAIL), count, request).bind("mail_id", mail_id)
}

/// Binds the values of every statement that counts a mail.
fn bind_count(statement: Statement, count: &Count, request: RequestInfo<'_>) -> Statement {
    statement
        .bind("key", count.key.as_str())
        .bind("now", request.now)
        .bind("window_cutoff", request.now.plus_seconds(-count.window_seconds))
        .bind("nonce", request.stamp.nonce())
}
