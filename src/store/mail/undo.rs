//! Taking an account back from a thief: by the undo of a change of address, and by the link of a security notice.

use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::domain::mail::proof::Purpose;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::audit::{RequestInfo, is_done, recorded};
use crate::store::factor::review;
use crate::store::mail::proofs::{PresentedProof, bind_presented, proof_holds};
use crate::store::mail::reset;
use crate::store::mail::verification;
use crate::store::password::new_hash::is_set;
use crate::store::password::throttle;
use crate::store::session::end_others;

/// An undo brings the former address back. A notice was mailed to the present one, which stays. Either is proven by its link.
const TAKE_BACK: &str = concat!(
    "UPDATE users
     SET email = (SELECT address FROM email_proofs WHERE id = :proof_id), email_verified_at = coalesce(email_verified_at, :now),
         mail_refused_at = NULL, password_hash = :new_hash, has_password = 0,
         password_version = password_version + 1
     WHERE id = :user_id AND ",
    proof_holds!(),
    " RETURNING id"
);

/// The undos of later changes. Those of earlier ones stay: their address can still come back. It precedes the end of the
/// others, which include the notice's own.
const DELETE_LATER_UNDOS: &str = concat!(
    "DELETE FROM email_proofs
     WHERE user_id = :user_id AND purpose = 'undo'
       AND created_at >= (SELECT created_at FROM email_proofs WHERE id = :proof_id AND purpose = 'undo')
       AND ",
    is_set!()
);

/// Factors and identities that were added since a day before the change: as long as its link was valid, a thief had the account.
macro_rules! delete_added_since {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE user_id = :user_id AND created_at > (
                 SELECT created_at - 86400000 FROM email_proofs WHERE id = :proof_id AND purpose = 'undo'
             ) AND ",
            is_set!()
        )
    };
}

const DELETE_TOTP: &str = delete_added_since!("totp_secrets");
const DELETE_RECOVERY_CODES: &str = delete_added_since!("recovery_codes");
const DELETE_PASSKEYS: &str = delete_added_since!("passkeys");
const DELETE_IDENTITIES: &str = delete_added_since!("identities");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[TAKE_BACK, DELETE_TOTP, DELETE_RECOVERY_CODES, DELETE_PASSKEYS, DELETE_IDENTITIES, DELETE_LATER_UNDOS];

/// Sets a hash that no password matches, ends every session, suspends young second factors, withdraws the API keys, and voids
/// pending proofs and later undos. An undo removes the factors that a thief may have added. Returns false, and changes
/// nothing, if the proof is no longer valid.
///
/// # Errors
/// [`DbError`].
pub async fn take_back(
    store: &Store,
    proof: PresentedProof,
    user_id: UserId,
    new_hash: &str,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let event = if proof.purpose == Purpose::Undo { EventType::EmailChangeUndone } else { EventType::NotMe };
    let of_change = |sql| query(sql).bind("user_id", user_id).bind("new_hash", new_hash);
    let [unknown, known] = throttle::reset_after_change(user_id, new_hash);
    let [delete_keys, delete_proofs] = reset::shut_out(user_id, new_hash);
    // A passkey or an identity of a thief would sign in without the password.
    let [delete_pending, suspend_totp, suspend_passkeys, suspend_identities, delete_codes] =
        review::suspend(user_id, new_hash, request.now);
    let statements = [
        verification::record(proof, user_id, event, request),
        bind_presented(of_change(TAKE_BACK).bind("now", request.now), proof),
        of_change(DELETE_TOTP).bind("proof_id", proof.id),
        of_change(DELETE_RECOVERY_CODES).bind("proof_id", proof.id),
        of_change(DELETE_PASSKEYS).bind("proof_id", proof.id),
        of_change(DELETE_IDENTITIES).bind("proof_id", proof.id),
        delete_pending,
        suspend_totp,
        suspend_passkeys,
        suspend_identities,
        delete_codes,
        of_change(DELETE_LATER_UNDOS).bind("proof_id", proof.id),
        delete_keys,
        delete_proofs,
        end_others(user_id, None, new_hash),
        unknown,
        known,
        recorded(request, event),
    ];
    let [_, set, .., recorded] = store.batch(statements).await?;
    is_done(&set, &recorded)
}
