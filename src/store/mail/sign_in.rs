//! A sign-in by a mailed code. It proves the address, too.

use crate::domain::audit::{EventType, Reason};
use crate::domain::factor::challenge::Challenge;
use crate::domain::ids::UserId;
use crate::domain::limits::standing::Counter;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::audit::refusals::{self, count_refusal};
use crate::store::audit::{self, Event, insert_event, is_recorded};
use crate::store::factor::due::{DueFactors, due_columns, has_factor};
use crate::store::mail::proofs::{PresentedProof, bind_presented, proof_holds};
use crate::store::mail::reset::{DELETE_KNOWN, DELETE_ROLES, is_emptied, shut_out};
use crate::store::password::throttle;
use crate::store::session::end_others;
use crate::store::session::opening::{self, NewSession, OpeningOutcome, insert_session};
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
         registered_network = NULL, email_verified_at = :now, has_password = 0
     WHERE id = :user_id AND ",
    is_emptied!()
);

/// A link of a notice has taken the account back from a thief, and suspended its young factors. A new password comes first:
/// otherwise the mailbox alone would pass the factors.
macro_rules! waits_for_reset {
    () => {
        "has_password = 0 AND (
             EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND suspended_at IS NOT NULL)
             OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = :user_id AND suspended_at IS NOT NULL)
         )"
    };
}
pub(in crate::store) use waits_for_reset;

const OPEN_SESSION: &str = insert_session!(concat!(
    "id = :user_id AND NOT ",
    has_factor!(),
    " AND NOT (",
    waits_for_reset!(),
    ") AND ",
    proof_holds!()
));

/// A second factor is due after a right code. The row says so when the proof is used up.
const NOTE_DUE: &str = concat!(
    "INSERT INTO used_challenges (id, user_id, expires_at) SELECT :challenge_id, :user_id, :challenge_ends_at WHERE ",
    has_factor!(),
    " AND ",
    proof_holds!(),
    " ON CONFLICT (id) DO NOTHING"
);

macro_rules! is_due {
    () => {
        "EXISTS (SELECT 1 FROM used_challenges WHERE id = :challenge_id AND user_id = :user_id)"
    };
}

const SELECT_DUE: &str = concat!("SELECT ", due_columns!(), " FROM users AS u WHERE u.id = :user_id AND ", is_due!());

/// A right code that opened nothing, though no second factor is due.
const COUNT_OVERTAKEN: &str = count_refusal!(
    user_id: ":user_id", if: concat!("NOT ", is_recorded!(":done_nonce"), " AND NOT ", is_due!())
);

/// It follows the session or the note, which the same batch has written.
const DELETE_PROOF: &str = concat!(
    "DELETE FROM email_proofs
     WHERE id = :proof_id AND (EXISTS (SELECT 1 FROM sessions WHERE id = :session_id) OR ",
    is_due!(),
    ")"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[RECORD_EMPTIED, EMPTY, OPEN_SESSION, NOTE_DUE, SELECT_DUE, COUNT_OVERTAKEN, DELETE_PROOF];

/// Opens a session, and uses the proof up; with a second factor it only uses the proof up, and `challenge` stands for the
/// sign-in that waits. An account whose address was not proven is emptied before, and gets `no_password`, the hash of none. It
/// changes nothing if the proof is no longer valid.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    (proof, user_id): (PresentedProof, UserId),
    counter: &Counter,
    session: &NewSession<'_>,
    challenge: Challenge,
    no_password: &str,
) -> Result<OpeningOutcome, DbError> {
    let request = session.request;
    let guarded = |statement| bind_presented(statement, proof).bind("user_id", user_id);
    let emptying = |statement| guarded(statement).bind("proves_address", true);
    let of_challenge = |sql| query(sql).bind("user_id", user_id).bind("challenge_id", challenge.id);
    let note = guarded(query(NOTE_DUE)).bind("challenge_id", challenge.id).bind("now", request.now);
    let mut statements = vec![
        emptying(audit::insert(RECORD_EMPTIED, request, EventType::EmailVerified)),
        throttle::bind_user(emptying(query(DELETE_KNOWN)), user_id).bind("now", request.now),
        emptying(query(DELETE_ROLES)).bind("now", request.now),
        emptying(query(EMPTY)).bind("now", request.now).bind("new_hash", no_password),
        guarded(opening::bind(query(OPEN_SESSION), session)),
        note.bind("challenge_ends_at", challenge.kept_until()),
        of_challenge(SELECT_DUE),
    ];
    let overtaken = Event::of(EventType::SignInRefused, user_id).because(Reason::Overtaken);
    let overtaken = refusals::of_user_if_recorded(request, COUNT_OVERTAKEN, overtaken).map(|count| {
        let (id, nonce) = (request.stamp.id(), request.stamp.nonce_of(EventType::SignedIn));
        count.bind("challenge_id", challenge.id).bind("event_id", id).bind("done_nonce", nonce)
    });
    let overtaken = overtaken.unwrap_or_else(refusals::nothing);
    statements.extend(opening::after_opening(user_id, counter, session, Some(Reason::MailedCode), overtaken));
    let [delete_keys, delete_proofs] = shut_out(user_id, no_password);
    statements.extend([
        delete_keys,
        end_others(user_id, Some(session.id), no_password),
        delete_proofs,
        of_challenge(DELETE_PROOF).bind("proof_id", proof.id).bind("session_id", session.id),
    ]);
    let results = store.batch_of(statements).await?;
    let [_, _, _, _, _, _, due, opened, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    Ok(match (TokenInputs::read(opened)?, DueFactors::read(due)?) {
        (Some(inputs), _) => OpeningOutcome::Opened(inputs, None),
        (None, Some(due)) => OpeningOutcome::FactorDue(due),
        (None, None) => OpeningOutcome::Overtaken,
    })
}
