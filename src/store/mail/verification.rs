//! The proof that the address of an account belongs to its owner.

use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, RequestInfo, insert_event, is_done, recorded};
use crate::store::mail::proofs::{PresentedProof, bind_presented, proof_holds};

/// It precedes the change, which makes the proof void.
const RECORD: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: concat!("WHERE ", proof_holds!()),
};

const SET_VERIFIED: &str = concat!(
    "UPDATE users SET email_verified_at = :now, mail_refused_at = NULL WHERE id = :user_id AND ",
    proof_holds!(),
    " RETURNING id"
);

/// Every proof of this address has served its purpose. It follows the change.
const DELETE_PROOFS: &str = "
    DELETE FROM email_proofs
    WHERE user_id = :user_id AND purpose = :purpose
      AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND email_verified_at = :now)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD, SET_VERIFIED, DELETE_PROOFS];

/// The statement that records the use of a proof.
pub(in crate::store) fn record(
    proof: PresentedProof,
    user_id: UserId,
    event: EventType,
    request: RequestInfo<'_>,
) -> Statement {
    bind_presented(audit::insert(RECORD, request, event), proof).bind("user_id", user_id)
}

/// Notes that the address is proven. Returns false, and changes nothing, if the proof is no longer valid.
///
/// # Errors
/// [`DbError`].
pub async fn verify(
    store: &Store,
    proof: PresentedProof,
    user_id: UserId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let set = bind_presented(query(SET_VERIFIED), proof).bind("user_id", user_id).bind("now", request.now);
    let record = record(proof, user_id, EventType::EmailVerified, request);
    let delete =
        query(DELETE_PROOFS).bind("user_id", user_id).bind("purpose", proof.purpose.as_str()).bind("now", request.now);
    let recorded = recorded(request, EventType::EmailVerified);
    let [_, set, _, recorded] = store.batch([record, set, delete, recorded]).await?;
    is_done(&set, &recorded)
}
