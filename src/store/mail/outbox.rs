//! The outbox: a mail is queued in the batch that does the thing, and deleted once its fate is known.

use serde::Deserialize;

use crate::domain::ids::{MailId, ProofId, UserId};
use crate::domain::mail::letter::Kind;
use crate::domain::time::{HOUR, MINUTE, Timestamp};
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::owned::Owned;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};

/// Seconds for which the attempt behind the response has the mail for itself. The sender's deadline is shorter.
pub const FIRST_ATTEMPT_SECONDS: i64 = MINUTE;
/// Mails that one run of the Cron Trigger takes. If neither the provider nor the database answers, the run lasts for less than
/// the five minutes after which a mail is due again.
pub const MAX_CLAIMED: i64 = 15;

/// A mail of the outbox.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct QueuedMail {
    pub id: MailId,
    pub kind: String,
    /// Absent if the address has no account, unless a registration asks for a proof of it.
    pub user_id: Option<UserId>,
    pub address: Option<String>,
    pub proof_id: Option<ProofId>,
    pub created_at: Timestamp,
}

/// The address of a registration is in its own row, and gets its mail while it has no account.
macro_rules! columns {
    () => {
        concat!(
            "id, kind, user_id, coalesce(address, (
                 SELECT r.address FROM registrations AS r WHERE r.id = mails.proof_id AND ",
            $crate::store::account::free_address::address_is_free!("r.address"),
            ")) AS address, proof_id, created_at"
        )
    };
}

/// If the same batch has written the proof.
const QUEUE_PROOF: &str = "
    INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
    SELECT :mail_id, purpose, user_id, address, id, :now, expires_at, 1, :due_at
    FROM email_proofs WHERE id = :proof_id
    ON CONFLICT (id) DO NOTHING";

/// A mail of the same batch, unless it waits.
const SELECT: &str = concat!("SELECT ", columns!(), " FROM mails WHERE id = :mail_id AND attempts > 0");

const DELETE: &str = "DELETE FROM mails WHERE id = :mail_id";

/// Only of the address that refused it: the user may have another one by now.
const NOTE_REFUSAL: &str = "UPDATE users SET mail_refused_at = :now WHERE id = :user_id AND email = :address";

/// A mail whose time is over, or whose proof was used or is gone.
const DELETE_OUTDATED: &str = "
    DELETE FROM mails WHERE id IN (
        SELECT m.id FROM mails AS m
        WHERE m.due_at <= :now AND (
            m.expires_at <= :now
            OR m.proof_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM email_proofs AS p WHERE p.id = m.proof_id)
        )
        ORDER BY m.due_at LIMIT :limit
    )";

/// Takes the mails that are due, so that no concurrent run sends them too: the next attempt is after 5, 15 or 60 minutes.
/// Resets and sign-ins are first, because they expire soon.
const CLAIM: &str = concat!(
    "UPDATE mails
     SET attempts = attempts + 1,
         due_at = :now + 60000 * CASE WHEN attempts < 2 THEN 5 WHEN attempts = 2 THEN 15 ELSE 60 END
     WHERE id IN (SELECT id FROM mails WHERE due_at <= :now ORDER BY kind NOT IN ('reset', 'sign_in'), due_at LIMIT :limit)
     RETURNING ",
    columns!()
);

/// Also in a deployment that sends no mail any more.
const DELETE_EXPIRED: &str = "
    DELETE FROM mails WHERE id IN (
        SELECT id FROM mails WHERE due_at <= :cutoff AND expires_at <= :cutoff ORDER BY due_at LIMIT :step
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'mails' AND nonce = :nonce)";

const ERASE: &str = "
    DELETE FROM mails WHERE id IN (
        SELECT m.id FROM users AS u JOIN mails AS m ON m.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    QUEUE_PROOF,
    SELECT,
    DELETE,
    NOTE_REFUSAL,
    DELETE_OUTDATED,
    CLAIM,
    ERASE,
    DELETE_EXPIRED,
    QUEUE_NOTICE,
    COUNT_NOTICE,
    ERASE_COUNTS,
];

/// Mails to users, of the last minutes as a rule. They say nothing that the account and its events do not, so the export
/// lists none.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "mails",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM mails AS m WHERE m.user_id = users.id"],
    export: None,
    walk: Some(Walk {
        table: "mails",
        cutoff: Cutoff::Now,
        order: Order::OldestFirst { delete: DELETE_EXPIRED },
        max_steps: 2,
    }),
};

/// The statements that queue the mail of a proof, and select it.
pub(in crate::store) fn queue_proof(id: MailId, proof_id: ProofId, now: Timestamp) -> [Statement; 2] {
    let queue = query(QUEUE_PROOF)
        .bind("mail_id", id)
        .bind("proof_id", proof_id)
        .bind("now", now)
        .bind("due_at", now.plus_seconds(FIRST_ATTEMPT_SECONDS));
    [queue, select(id)]
}

/// The statement that selects a mail of the same batch, unless it waits.
pub(in crate::store) fn select(id: MailId) -> Statement {
    query(SELECT).bind("mail_id", id)
}

/// A notice, for a statement that queues it if its batch has done the thing.
#[derive(Debug, Clone, Copy)]
pub struct Notice {
    /// Drawn before, so that a batch can be executed twice.
    pub id: MailId,
    /// The kind of its text.
    pub kind: Kind,
}

/// Seconds for which a notice is sent, from the end of its wait. Afterwards it would surprise more than it helps.
const NOTICE_SECONDS: i64 = 24 * HOUR;
/// Notices of a user in a day that are sent at once. Otherwise a client with an account could fill the mailbox of its
/// address, and use up the mails that the provider accepts.
const MAX_NOTICES: i64 = 10;

/// If the same batch has set the password: the salt makes its hash unique. Beyond the maximum of a day the notice waits for the
/// end of the day, together with others of its kind. An address that is not proven gets none: it may be that of another
/// person, to whom a stranger could send any number by registering it again and again.
const QUEUE_NOTICE: &str =
    "INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
    SELECT :mail_id, :kind, n.user_id, n.email, NULL, :now,
        coalesce(n.waits_until, :now) + :notice_ms, n.waits_until IS NULL, coalesce(n.waits_until, :due_at)
    FROM (
        SELECT u.id AS user_id, u.email AS email, (
            SELECT c.window_started_at + 86400000 FROM notice_counts AS c
            WHERE c.user_id = u.id AND c.window_started_at > :now - 86400000 AND c.count >= :max_notices
        ) AS waits_until
        FROM users AS u
        WHERE u.id = :user_id AND u.password_hash = :new_hash AND u.email_verified_at IS NOT NULL
    ) AS n
    WHERE n.waits_until IS NULL OR NOT EXISTS (
        SELECT 1 FROM mails AS m WHERE m.user_id = n.user_id AND m.kind = :kind AND m.attempts = 0
    )
    ON CONFLICT (id) DO NOTHING";

/// Counts a notice of the same batch that is sent at once.
const COUNT_NOTICE: &str = "INSERT INTO notice_counts (user_id, window_started_at, count, mail_id)
    SELECT user_id, :now, 1, id FROM mails WHERE id = :mail_id AND attempts > 0
    ON CONFLICT (user_id) DO UPDATE SET
        count = iif(window_started_at <= excluded.window_started_at - 86400000, 1, count + 1),
        window_started_at =
            iif(window_started_at <= excluded.window_started_at - 86400000, excluded.window_started_at, window_started_at),
        mail_id = excluded.mail_id
    WHERE mail_id <> excluded.mail_id";

const ERASE_COUNTS: &str = "
    DELETE FROM notice_counts
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step > 0";

/// The counts of notices: a row of a user that had one.
pub(in crate::store) const OWNED_COUNTS: Owned = Owned {
    table: "notice_counts",
    erase: &[ERASE_COUNTS],
    remains: &["SELECT 1 FROM notice_counts AS c WHERE c.user_id = users.id"],
    export: None,
    walk: None,
};

/// The statements that queue a notice of a new password, count it, and select it unless it waits.
pub(in crate::store) fn notice_statements(
    notice: Notice,
    user_id: UserId,
    new_hash: &str,
    now: Timestamp,
) -> [Statement; 3] {
    let queue = query(QUEUE_NOTICE)
        .bind("user_id", user_id)
        .bind("new_hash", new_hash)
        .bind("mail_id", notice.id)
        .bind("kind", notice.kind.as_str())
        .bind("now", now)
        .bind("notice_ms", NOTICE_SECONDS * 1000)
        .bind("due_at", now.plus_seconds(FIRST_ATTEMPT_SECONDS))
        .bind("max_notices", MAX_NOTICES);
    let count = query(COUNT_NOTICE).bind("mail_id", notice.id).bind("now", now);
    [queue, count, select(notice.id)]
}

/// The fate of a mail that is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A provider has accepted it, or there was nothing to send.
    Done,
    /// The address was refused for good.
    Refused,
}

/// Deletes a mail whose fate is known.
///
/// # Errors
/// [`DbError`].
pub async fn settle(store: &Store, mail: &QueuedMail, fate: Fate, now: Timestamp) -> Result<(), DbError> {
    let delete = query(DELETE).bind("mail_id", mail.id);
    if fate == Fate::Done {
        return store.batch([delete]).await.map(|[_]| ());
    }
    let note =
        query(NOTE_REFUSAL).bind("user_id", mail.user_id).bind("address", mail.address.as_deref()).bind("now", now);
    store.batch([delete, note]).await.map(|[_, _]| ())
}

/// Takes the mails that are due: resets and sign-ins first, then the oldest.
///
/// # Errors
/// [`DbError`].
pub async fn claim(store: &Store, now: Timestamp) -> Result<Vec<QueuedMail>, DbError> {
    let outdated = query(DELETE_OUTDATED).bind("now", now).bind("limit", 10 * MAX_CLAIMED);
    let claim = query(CLAIM).bind("now", now).bind("limit", MAX_CLAIMED);
    let [_, claimed] = store.batch([outdated, claim]).await?;
    claimed.all()
}
