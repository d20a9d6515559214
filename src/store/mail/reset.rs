//! A new password by mail.

use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::domain::mail::proof::Purpose;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, RequestInfo, insert_event, is_done, recorded};
use crate::store::factor::review;
use crate::store::factor::review::FactorReview;
use crate::store::mail::notices::{self, Notice, password_notice};
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::proofs::{PresentedProof, bind_presented, proof_holds};
use crate::store::password::new_hash::is_set;
use crate::store::password::throttle;
use crate::store::session::end_others;

/// It precedes the change, which makes the proof void.
const RECORD: &str = insert_event! {
    type: ":type",
    reason: "(SELECT CASE WHEN :proves_address = 0 THEN 'hand_over' WHEN email_verified_at IS NULL THEN 'emptied' END
              FROM users WHERE id = :user_id)",
    user_id: ":user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: concat!("WHERE ", proof_holds!()),
};

/// The condition that the reset empties the account: the address was not proven, and the mail proves it.
macro_rules! is_emptied {
    () => {
        concat!(
            ":proves_address = 1 AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND email_verified_at IS NULL) AND ",
            proof_holds!()
        )
    };
}

pub(super) use is_emptied;

/// The roles of an account whose address was not proven: its registration may have been that of a stranger, and they may have
/// been granted to the stranger.
pub(super) const DELETE_ROLES: &str =
    concat!("DELETE FROM user_university_roles WHERE user_id = :user_id AND ", is_emptied!());

/// Networks and devices from which a stranger signed in are none of the owner's.
pub(super) const DELETE_KNOWN: &str =
    concat!("DELETE FROM throttles WHERE key > :first_key AND key < :last_key AND ", is_emptied!());

/// The network and the name of a registration by a stranger are none of the owner's.
const SET_PASSWORD: &str = concat!(
    "UPDATE users
     SET password_hash = :new_hash, has_password = 1, password_version = password_version + 1,
         mail_refused_at = iif(:proves_address, NULL, mail_refused_at),
         full_name = iif(:proves_address AND email_verified_at IS NULL, NULL, full_name),
         registered_network = iif(:proves_address AND email_verified_at IS NULL, NULL, registered_network),
         email_verified_at = iif(:proves_address, coalesce(email_verified_at, :now), email_verified_at)
     WHERE id = :user_id AND ",
    proof_holds!(),
    " RETURNING id"
);

const DELETE_KEYS: &str = concat!("DELETE FROM api_keys WHERE user_id = :user_id AND ", is_set!());

/// A thief with the mailbox of the new address resets the password, too: it voids no undo of the former one.
const DELETE_PROOFS: &str =
    concat!("DELETE FROM email_proofs WHERE user_id = :user_id AND purpose <> 'undo' AND ", is_set!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD, DELETE_KNOWN, DELETE_ROLES, SET_PASSWORD, DELETE_KEYS, DELETE_PROOFS];

/// The statements that withdraw the API keys and void the proofs, if the password was set to this hash.
pub(in crate::store) fn shut_out(user_id: UserId, new_hash: &str) -> [Statement; 2] {
    [DELETE_KEYS, DELETE_PROOFS].map(|sql| query(sql).bind("user_id", user_id).bind("new_hash", new_hash))
}

/// A new password was set by mail.
pub struct PasswordReset {
    /// The mail that tells it.
    pub notice: Option<QueuedMail>,
    /// The second factors, of which young ones are suspended now.
    pub review: FactorReview,
}

/// Sets the password, ends every session, suspends young second factors, withdraws the API keys and resets the throttle. A mail proves the address, too.
/// Returns the notice; `None`, and changes nothing, if the proof is no longer valid.
///
/// # Errors
/// [`DbError`].
pub async fn reset(
    store: &Store,
    proof: PresentedProof,
    user_id: UserId,
    new_hash: &str,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<PasswordReset>, DbError> {
    let guarded = |statement| {
        let proves_address = proof.purpose == Purpose::Reset;
        bind_presented(statement, proof).bind("user_id", user_id).bind("proves_address", proves_address)
    };
    let record = guarded(audit::insert(RECORD, request, EventType::PasswordReset));
    let [delete_keys, delete_proofs] = shut_out(user_id, new_hash);
    let [unknown, known] = throttle::reset_after_change(user_id, new_hash);
    let [select_totp, select_passkeys, select_identities] = review::select(user_id, new_hash);
    let mut statements = vec![
        recorded(request, EventType::PasswordReset),
        record,
        throttle::bind_user(guarded(query(DELETE_KNOWN)), user_id).bind("now", request.now),
        guarded(query(DELETE_ROLES)).bind("now", request.now),
        guarded(query(SET_PASSWORD)).bind("now", request.now).bind("new_hash", new_hash),
    ];
    statements.extend(review::suspend(user_id, new_hash, request.now));
    statements.extend([
        select_totp,
        select_passkeys,
        select_identities,
        delete_keys,
        end_others(user_id, None, new_hash),
        delete_proofs,
        unknown,
        known,
    ]);
    if let Some(notice) = notice {
        statements.extend(password_notice(notice, user_id, new_hash, request.now));
    }
    let results = store.batch_of(statements).await?;
    let [earlier, _, _, _, set, _, _, _, _, _, totp, passkeys, identities, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let notice = notices::queued(notice, &results)?;
    let review = review::read([totp, passkeys, identities])?;
    Ok(is_done(set, earlier)?.then_some(PasswordReset { notice, review }))
}
