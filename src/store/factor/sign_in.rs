//! Opening a session with a second factor, or with a passkey alone.

use crate::domain::audit::EventType;
use crate::domain::limits::standing::Counter;
use crate::domain::limits::throttle::Scope;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::factor::usage::{self, Evidence, is_marked};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::session::opening::{self, NewSession, insert_session};
use crate::store::session::token_inputs::TokenInputs;

const OPEN_SESSION: &str = insert_session!(concat!("id = :user_id AND ", is_marked!()));

/// Unknown networks are admitted again, if a session was opened that needed no password.
const ADMIT_UNKNOWN: &str = "
    DELETE FROM throttles
    WHERE key > :first_unknown AND key < :last_unknown AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[OPEN_SESSION, ADMIT_UNKNOWN];

/// Opens a session, and uses the factor up. Returns `None`, and changes nothing, if the account, the password or the factor
/// changed concurrently, or the challenge was answered before. With `opens_account`, unknown networks are admitted again:
/// guesses at the password had closed the account to them.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    evidence: Evidence<'_>,
    counter: &Counter,
    session: &NewSession<'_>,
    opens_account: bool,
    notice: Option<Notice>,
) -> Result<Option<(TokenInputs, Option<QueuedMail>)>, DbError> {
    let (request, user_id) = (session.request, evidence.user_id);
    let open = usage::bind_marked(opening::bind(query(OPEN_SESSION), session), evidence.challenge, request);
    let mut statements = vec![usage::mark(evidence, request), open.bind("user_id", user_id)];
    let (reason, overtaken) = (Some(evidence.factor.reason()), opening::overtaken(user_id, request));
    statements.extend(opening::after_opening(user_id, counter, session, reason, overtaken));
    statements.extend(usage::use_up(evidence, request));
    statements.extend(opens_account.then(|| {
        let (first, last) = Scope::User(user_id).unknown_range();
        let admit = query(ADMIT_UNKNOWN).bind("first_unknown", first).bind("last_unknown", last);
        admit.bind("session_id", session.id)
    }));
    statements.extend(event_notice(notice, user_id, EventType::SignedIn, request));
    let results = store.batch_of(statements).await?;
    let [_, _, opened, ..] = results.as_slice() else { return Err(DbError::Corrupt("lost results".to_owned())) };
    let mail = queued(notice, &results)?;
    Ok(TokenInputs::read(opened)?.map(|inputs| (inputs, mail)))
}
