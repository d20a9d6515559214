//! The outbox: a mail is queued in the batch that does the thing, and deleted once its fate is known.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::ids::{MailId, ProofId, UserId};
use crate::domain::time::{MINUTE, Timestamp};
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::mail::taken::address_is_taken;
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
    /// Of an invitation: the role, a blank, and the name of the university.
    pub invitation: Option<String>,
}

/// The mails of an invitation and of a registration have its id in place of a proof's. Their address, and the text of an
/// invitation, are read when they are sent. So none is sent for an invitation that was withdrawn, nor for a registration
/// whose address has an account by now, or can be that of an account again by an undo.
macro_rules! columns {
    () => {
        "id, kind, user_id, proof_id, created_at,
         CASE kind
             WHEN 'invitation' THEN (SELECT i.email FROM invitations AS i WHERE i.id = mails.proof_id)
             WHEN 'register' THEN (
                 SELECT r.address FROM registrations AS r
                 WHERE r.id = mails.proof_id AND NOT EXISTS (SELECT 1 FROM users AS h WHERE h.email = r.address)
                   AND NOT EXISTS (
                       SELECT 1 FROM email_proofs AS e
                       WHERE e.purpose = 'undo' AND e.address = r.address AND e.expires_at > mails.created_at
                   )
             )
             ELSE address
         END AS address,
         iif(kind = 'invitation', (
             SELECT i.role || ' ' || un.name
             FROM invitations AS i JOIN universities AS un ON un.id = i.university_id WHERE i.id = mails.proof_id
         ), NULL) AS invitation"
    };
}

/// If the same batch has written the proof. A new address that is taken gets a mail without the link and the code.
const QUEUE_PROOF: &str = concat!(
    "INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
     SELECT :mail_id, iif(p.new_address IS NOT NULL AND ",
    address_is_taken!("p.new_address", "p.user_id"),
    ", 'address_taken', p.purpose), p.user_id, coalesce(p.new_address, p.address, :to), p.id, :now, p.expires_at, 1, :due_at
     FROM email_proofs AS p WHERE p.id = :proof_id
     ON CONFLICT (id) DO NOTHING"
);

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
               AND NOT (m.kind = 'invitation' AND EXISTS (SELECT 1 FROM invitations AS i WHERE i.id = m.proof_id))
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
pub const STATEMENTS: &[&str] =
    &[QUEUE_PROOF, SELECT, DELETE, NOTE_REFUSAL, DELETE_OUTDATED, CLAIM, ERASE, DELETE_EXPIRED];

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

/// The statements that queue the mail of a proof, and select it. `to` is the address of a proof that has none, because there
/// is no account.
pub(in crate::store) fn queue_proof(
    id: MailId,
    proof_id: ProofId,
    to: Option<&Email>,
    now: Timestamp,
) -> [Statement; 2] {
    let queue = query(QUEUE_PROOF)
        .bind("to", to)
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
