//! Notices: mails that tell the owner of an account of a change. Each has a link by which the owner takes the account back.
//!
//! A notice is queued in the batch that does the thing, by `event_notice`, or by `queue_notice!` with a condition of its own.

use crate::domain::audit::EventType;
use crate::domain::ids::{MailId, ProofId, UserId};
use crate::domain::mail::letter::Kind;
use crate::domain::mail::proof::Purpose;
use crate::domain::time::{HOUR, Timestamp};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::{self, RequestInfo, is_recorded};
use crate::store::mail::outbox;
use crate::store::mail::outbox::{FIRST_ATTEMPT_SECONDS, QueuedMail};
use crate::store::owned::Owned;

/// A notice, for a statement that queues it if its batch does the thing.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    /// Drawn before, so that a batch can be executed twice.
    pub id: MailId,
    /// The proof of its link, drawn before, too.
    pub proof_id: ProofId,
    /// The kind of its text.
    pub kind: Kind,
}

/// Seconds for which a notice is sent, from the end of its wait. Afterwards it would surprise more than it helps, unless its link is the
/// only way back.
const fn notice_seconds(purpose: Purpose) -> i64 {
    if matches!(purpose, Purpose::Undo) { purpose.link_seconds() } else { 24 * HOUR }
}

/// Notices of a user in a day that are sent at once. Otherwise a client with an account could fill the mailbox of its
/// address, and use up the mails that the provider accepts.
const MAX_NOTICES: i64 = 10;

/// Queues a notice to the address that the user `u` has when the statement runs, under this condition. The condition says that the batch has done
/// the thing, or is about to do it.
///
/// Beyond the maximum of a day the notice waits for the end of the day, together with others of its kind, unless their link is void by
/// now. Those of a changed address wait never: the undo is the only way back, and a thief could use up the others before. An address that is not proven gets none: it may be that of another person, to whom a stranger could send any number by
/// registering it again and again.
macro_rules! queue_notice {
    ($if:expr) => {
        concat!(
            "INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
             SELECT :mail_id, :kind, n.user_id, n.email, :notice_proof_id, :now,
                 coalesce(n.waits_until, :now) + :notice_ms, n.waits_until IS NULL, coalesce(n.waits_until, :due_at)
             FROM (
                 SELECT u.id AS user_id, u.email AS email, (
                     SELECT CASE WHEN :kind NOT IN ('email_changed', 'email_moved') THEN c.window_started_at + 86400000 END FROM notice_counts AS c
                     WHERE c.user_id = u.id AND c.window_started_at > :now - 86400000 AND c.count >= :max_notices
                 ) AS waits_until
                 FROM users AS u
                 WHERE u.id = :user_id AND u.email_verified_at IS NOT NULL AND ",
            $if,
            ") AS n
             WHERE n.waits_until IS NULL OR NOT EXISTS (
                 SELECT 1 FROM mails AS m
                 WHERE m.user_id = n.user_id AND m.kind = :kind AND m.attempts = 0 AND m.address = n.email
                   AND (m.proof_id IS NULL OR EXISTS (SELECT 1 FROM email_proofs AS p WHERE p.id = m.proof_id))
             )
             ON CONFLICT (id) DO NOTHING"
        )
    };
}
pub(in crate::store) use queue_notice;

/// If the same batch has set the password: the salt makes its hash unique.
const QUEUE_PASSWORD_NOTICE: &str = queue_notice!("u.password_hash = :new_hash");

/// If the same batch has recorded the event.
const QUEUE_EVENT_NOTICE: &str = queue_notice!(is_recorded!());

/// The notice of an erasure, to the address that the account has before; while a change of it can be undone, to the first
/// one before: the change and the erasure may be a thief's. It precedes the erasure, and its row belongs to no user.
const QUEUE_FAREWELL: &str =
    "INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
    SELECT :mail_id, 'account_erased', NULL, coalesce((
        SELECT p.address FROM email_proofs AS p
        WHERE p.user_id = u.id AND p.purpose = 'undo' AND p.expires_at > :now ORDER BY p.created_at LIMIT 1
    ), u.email), NULL, :now, :now + :notice_ms, 1, :due_at
    FROM users AS u WHERE u.id = :user_id AND u.erasure_cursor IS NULL AND u.email_verified_at IS NOT NULL
    ON CONFLICT (id) DO NOTHING";

/// If the erasure was refused.
const DELETE_FAREWELL: &str = "
    DELETE FROM mails
    WHERE id = :mail_id AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND erasure_cursor IS NULL)";

/// The proof of the link in a notice of the same batch. A notice that was merged into another has none. The proofs of a user are in the
/// order of their batches, also if a request took its time before.
const INSERT_PROOF: &str = "
    INSERT INTO email_proofs
        (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
    SELECT m.proof_id, :purpose, m.user_id, m.address, 0, 0, max(:now, coalesce((
        SELECT max(p.created_at) + 1 FROM email_proofs AS p WHERE p.user_id = m.user_id AND p.purpose = :purpose
    ), 0)), :expires_at, :now
    FROM mails AS m WHERE m.id = :mail_id
    ON CONFLICT (id) DO NOTHING";

/// Counts a notice of the same batch that is sent at once.
const COUNT: &str = "INSERT INTO notice_counts (user_id, window_started_at, count, mail_id)
    SELECT user_id, :now, 1, id FROM mails WHERE id = :mail_id AND attempts > 0
    ON CONFLICT (user_id) DO UPDATE SET
        count = iif(window_started_at <= excluded.window_started_at - 86400000, 1, count + 1),
        window_started_at =
            iif(window_started_at <= excluded.window_started_at - 86400000, excluded.window_started_at, window_started_at),
        mail_id = excluded.mail_id
    WHERE mail_id <> excluded.mail_id";

const ERASE: &str = "
    DELETE FROM notice_counts
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step > 0";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[QUEUE_PASSWORD_NOTICE, QUEUE_EVENT_NOTICE, QUEUE_FAREWELL, DELETE_FAREWELL, INSERT_PROOF, COUNT, ERASE];

/// The counts of notices: a row of a user that had one.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "notice_counts",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM notice_counts AS c WHERE c.user_id = users.id"],
    export: None,
    walk: None,
};

/// The statements that queue a notice, write the proof of its link, count it, and select it unless it waits. `queue` is made with [`queue_notice`],
/// and has the values of its condition.
pub(in crate::store) fn notice_statements(
    notice: Notice,
    user_id: UserId,
    queue: Statement,
    now: Timestamp,
) -> [Statement; 4] {
    let purpose = notice.kind.purpose_of_notice();
    let queue = queue
        .bind("user_id", user_id)
        .bind("mail_id", notice.id)
        .bind("notice_proof_id", notice.proof_id)
        .bind("kind", notice.kind.as_str())
        .bind("now", now)
        .bind("notice_ms", notice_seconds(purpose) * 1000)
        .bind("due_at", now.plus_seconds(FIRST_ATTEMPT_SECONDS))
        .bind("max_notices", MAX_NOTICES);
    let prove = query(INSERT_PROOF)
        .bind("mail_id", notice.id)
        .bind("purpose", purpose.as_str())
        .bind("now", now)
        .bind("expires_at", now.plus_seconds(purpose.link_seconds()));
    let count = query(COUNT).bind("mail_id", notice.id).bind("now", now);
    [queue, prove, count, outbox::select(notice.id)]
}

/// The same for a notice of a password that the same batch has set.
pub(in crate::store) fn password_notice(
    notice: Notice,
    user_id: UserId,
    new_hash: &str,
    now: Timestamp,
) -> [Statement; 4] {
    notice_statements(notice, user_id, query(QUEUE_PASSWORD_NOTICE).bind("new_hash", new_hash), now)
}

/// The same for a notice of an event that the same batch has recorded, if there is one. Without mail there is none, and no
/// statement.
pub(in crate::store) fn event_notice(
    notice: Option<Notice>,
    user_id: UserId,
    event_type: EventType,
    request: RequestInfo<'_>,
) -> impl Iterator<Item = Statement> {
    notice.into_iter().flat_map(move |notice| {
        let queue = audit::bind_mark(query(QUEUE_EVENT_NOTICE), request, event_type);
        notice_statements(notice, user_id, queue, request.now)
    })
}

/// The mail of [`event_notice`] or [`password_notice`], from the results of a batch that ends with it.
pub(in crate::store) fn queued(notice: Option<Notice>, results: &[Rows]) -> Result<Option<QueuedMail>, DbError> {
    let rows = notice.and_then(|_| results.last());
    Ok(rows.map(Rows::first).transpose()?.flatten())
}

/// The statements of the notice of an erasure: one before it, and two behind it, the last of which selects the mail.
pub(in crate::store) fn farewell(notice: Notice, user_id: UserId, now: Timestamp) -> [Statement; 3] {
    let queue = query(QUEUE_FAREWELL)
        .bind("mail_id", notice.id)
        .bind("user_id", user_id)
        .bind("now", now)
        .bind("notice_ms", notice_seconds(Purpose::NotMe) * 1000)
        .bind("due_at", now.plus_seconds(FIRST_ATTEMPT_SECONDS));
    let delete = query(DELETE_FAREWELL).bind("mail_id", notice.id).bind("user_id", user_id);
    [queue, delete, outbox::select(notice.id)]
}
