//! A sign-in by a mailed code. It proves the address, too.

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::UserId;
use crate::domain::limits::standing::Counter;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::audit::{self, insert_event};
use crate::store::mail::proofs::{PresentedProof, bind_presented, proof_holds};
use crate::store::mail::reset::{DELETE_KNOWN, DELETE_ROLES, is_emptied, shut_out};
use crate::store::password::throttle;
use crate::store::session::end_others;
use crate::store::session::opening::{self, NewSession, insert_session};
use crate::store::session::token_inputs::TokenInputs;

/// It precedes the change, which proves the address.
const RECORD_EMPTIED: &str = insert_event! {
    type: ":type", reason: "'emptied'", user_id: ":user_id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: concat!("WHERE ", is_emptied!()),
};

/// Nothing of a registration by a stranger is the owner's, its password least of all.
const EMPTY: &str = concat!(
    "UPDATE users
     SET password_hash = :new_hash, password_version = password_version + 1, mail_refused_at = NULL, full_name = NULL,
         registered_network = NULL, email_verified_at = :now
     WHERE id = :user_id AND ",
    is_emptied!()
);

const OPEN_SESSION: &str = insert_session!(concat!("id = :user_id AND ", proof_holds!()));

/// It follows the session, which the same batch has opened.
const DELETE_PROOF: &str = "
    DELETE FROM email_proofs WHERE id = :proof_id AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD_EMPTIED, EMPTY, OPEN_SESSION, DELETE_PROOF];

/// Opens a session, and uses the proof up. An account whose address was not proven is emptied before, and gets
/// `no_password`, the hash of none. Returns `None`, and changes nothing, if the proof is no longer valid.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    proof: PresentedProof,
    user_id: UserId,
    counter: &Counter,
    session: &NewSession<'_>,
    no_password: &str,
) -> Result<Option<TokenInputs>, DbError> {
    let request = session.request;
    let guarded = |statement| bind_presented(statement, proof).bind("user_id", user_id);
    let emptying = |statement| guarded(statement).bind("proves_address", true);
    let mut statements = vec![
        emptying(audit::insert(RECORD_EMPTIED, request, EventType::EmailVerified)),
        throttle::bind_user(emptying(query(DELETE_KNOWN)), user_id).bind("now", request.now),
        emptying(query(DELETE_ROLES)).bind("now", request.now),
        emptying(query(EMPTY)).bind("now", request.now).bind("new_hash", no_password),
        guarded(opening::bind(query(OPEN_SESSION), session)),
    ];
    statements.extend(opening::after_opening(user_id, counter, session, Some(Reason::MailedCode)));
    let [delete_keys, delete_proofs] = shut_out(user_id, no_password);
    statements.extend([
        delete_keys,
        end_others(user_id, Some(session.id), no_password),
        delete_proofs,
        query(DELETE_PROOF).bind("proof_id", proof.id).bind("session_id", session.id),
    ]);
    let results = store.batch_of(statements).await?;
    let [_, _, _, _, _, opened, ..] = results.as_slice() else {
        return Err(DbError::Corrupt("lost results".to_owned()));
    };
    TokenInputs::read(opened)
}
