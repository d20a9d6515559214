//! A change of the address of an account: asking for it, and carrying it out once the new address is proven.

use crate::domain::audit::EventType;
use crate::domain::ids::{SessionId, UserId};
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::audit::{RequestInfo, is_done, recorded};
use crate::store::factor::review::YOUNG_MS;
use crate::store::mail::counts::{Asking, is_admitted};
use crate::store::mail::notices::{Notice, notice_statements, queue_notice};
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::proofs::{self, NewProof, PresentedProof, bind_presented, insert_proof, proof_holds};
use crate::store::mail::verification;
use crate::store::session::liveness::session_is_live;

/// The caller gave a second factor, and the account has one that no thief has added lately. The owner of a stolen
/// mailbox moves the account away from it for good.
macro_rules! has_grown_factor {
    () => {
        ":has_mfa AND (EXISTS (
             SELECT 1 FROM totp_secrets AS t
             WHERE t.user_id = u.id AND t.is_confirmed = 1 AND t.suspended_at IS NULL AND t.created_at <= :now - :young
         ) OR EXISTS (
             SELECT 1 FROM passkeys AS t
             WHERE t.user_id = u.id AND t.suspended_at IS NULL AND t.created_at <= :now - :young
         ))"
    };
}

/// For the caller, unless the session has ended concurrently. A new address that is taken leaves the same row.
const INSERT: &str = insert_proof!(concat!(
    "(SELECT '' AS class) AS k JOIN users AS u ON u.id = :user_id AND u.is_active = 1 WHERE ",
    session_is_live!(),
    " AND ",
    is_admitted!()
), new_address: ":email", session_id: ":session_id", is_final: has_grown_factor!());

/// The undo of an earlier change away from the new address.
macro_rules! undo_of_return {
    () => {
        "email_proofs AS b
         WHERE b.purpose = 'undo' AND b.address = :new_address AND b.user_id = :user_id AND b.expires_at > :now"
    };
}

/// The former address can undo the change, if it was proven: otherwise it may be the mailbox of another person. It precedes
/// the change.
///
/// A change back to an address that could undo is that undo. If it could be undone in turn, a thief would wait until the
/// undo of the owner has expired.
const QUEUE_NOTICE: &str =
    queue_notice!(concat!("NOT EXISTS (SELECT 1 FROM ", undo_of_return!(), ") AND ", proof_holds!()));

/// No proven address is left without its undo, unless a second factor took part; also if a full database took no notice.
const SET_ADDRESS: &str = concat!(
    "UPDATE users SET email = :new_address, email_verified_at = :now, mail_refused_at = NULL
     WHERE id = :user_id AND (
         email_verified_at IS NULL OR EXISTS (
             SELECT 1 FROM email_proofs WHERE id = :undo_id OR (id = :proof_id AND is_final = 1)
         )
         OR EXISTS (SELECT 1 FROM ",
    undo_of_return!(),
    ")) AND ",
    proof_holds!(),
    " RETURNING id"
);

/// Pending changes, and links that were mailed to the former address. Of the undos, those of a change that is taken back.
const DELETE_PROOFS: &str = concat!(
    "DELETE FROM email_proofs
     WHERE user_id = :user_id AND (purpose <> 'undo' OR created_at >= (SELECT min(b.created_at) FROM ",
    undo_of_return!(),
    ")) AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND email = :new_address AND email_verified_at = :now)"
);

/// A thief may have asked for it in a session that is being ended.
const VOID: &str = "DELETE FROM email_proofs WHERE user_id = :user_id AND purpose = 'change_address'";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, QUEUE_NOTICE, SET_ADDRESS, DELETE_PROOFS, VOID];

/// Writes the proof of the new address and its mail, if the counts of that address admit it. Returns the mail. `has_mfa`: the
/// caller's recent sign-in had a second factor.
///
/// # Errors
/// [`DbError`].
pub async fn ask(
    store: &Store,
    new: NewProof,
    user_id: UserId,
    (session_id, has_mfa): (Option<SessionId>, bool),
    asking: Asking<'_>,
    request: RequestInfo<'_>,
) -> Result<Option<QueuedMail>, DbError> {
    let insert = query(INSERT).bind("user_id", user_id).bind("session_id", session_id).bind("email", asking.email);
    let insert = insert.bind("has_mfa", has_mfa).bind("young", YOUNG_MS);
    proofs::write(store, insert, new, asking, request).await
}

/// An address was changed.
pub struct AddressChanged {
    /// The mail that tells the former address.
    pub notice: Option<QueuedMail>,
}

/// Gives the account the address that the proof is about, and voids its other proofs. Returns `None`, and changes nothing, if the
/// proof is no longer valid, or the address was taken concurrently.
///
/// # Errors
/// [`DbError`].
pub async fn change(
    store: &Store,
    proof: PresentedProof,
    user_id: UserId,
    new_address: &str,
    notice: Notice,
    request: RequestInfo<'_>,
) -> Result<Option<AddressChanged>, DbError> {
    let of_change = |sql| query(sql).bind("user_id", user_id).bind("new_address", new_address).bind("now", request.now);
    let queue = bind_presented(query(QUEUE_NOTICE).bind("new_address", new_address), proof);
    let [queue, prove, count, select] = notice_statements(notice, user_id, queue, request.now);
    let statements = [
        verification::record(proof, user_id, EventType::EmailChanged, request),
        queue,
        prove,
        count,
        bind_presented(of_change(SET_ADDRESS).bind("undo_id", notice.proof_id), proof),
        of_change(DELETE_PROOFS),
        recorded(request, EventType::EmailChanged),
        select,
    ];
    let [_, _, _, _, set, _, recorded, notices] = store.batch(statements).await?;
    Ok(if is_done(&set, &recorded)? { Some(AddressChanged { notice: notices.first()? }) } else { None })
}

/// The statement that voids pending changes.
pub(in crate::store) fn void(user_id: UserId) -> Statement {
    query(VOID).bind("user_id", user_id)
}
