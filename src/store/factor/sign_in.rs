//! Opening a session with a second factor, or with a passkey alone.

use crate::domain::audit::EventType;
use crate::domain::limits::standing::Counter;
use crate::domain::limits::throttle::Scope;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, insert_event};
use crate::store::factor::usage::{self, Evidence, is_marked};
use crate::store::federation::facts::administers;
use crate::store::federation::identities::{NewIdentity, insert_identity};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::session::opening::{self, NewSession, insert_session};
use crate::store::session::token_inputs::TokenInputs;

const OPEN_SESSION: &str = insert_session!(concat!("id = :user_id AND ", is_marked!()));

/// The identity that waited for the second factor, of an account that still has its address.
const INSERT_IDENTITY: &str = insert_identity!(concat!(
    "id = :user_id AND email = :identity_email
     AND (:has_code = 1 OR NOT EXISTS (SELECT 1 FROM users AS u WHERE u.id = :user_id AND ",
    administers!(),
    ")) AND ",
    is_marked!()
));

const RECORD_IDENTITY: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: ":session_id", actor_id: "NULL", university_id: "NULL",
    object_id: ":identity_id",
    from: "WHERE EXISTS (SELECT 1 FROM identities WHERE id = :identity_id AND user_id = :user_id)",
};

/// Unknown networks are admitted again, if a session was opened that needed no password.
const ADMIT_UNKNOWN: &str = "
    DELETE FROM throttles
    WHERE key > :first_unknown AND key < :last_unknown AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[OPEN_SESSION, INSERT_IDENTITY, RECORD_IDENTITY, ADMIT_UNKNOWN];

/// Opens a session, and uses the factor up. Returns `None`, and changes nothing, if the account, the password or the factor
/// changed concurrently, or the challenge was answered before. With `opens_account`, unknown networks are admitted again:
/// guesses at the password had closed the account to them. `link` is an identity that waited for the factor,
/// and whether a mailed code has proven its address.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    evidence: Evidence<'_>,
    counter: &Counter,
    session: &NewSession<'_>,
    opens_account: bool,
    link: Option<(NewIdentity<'_>, bool)>,
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
    statements.extend(link.into_iter().flat_map(|link| add_identity(link, evidence, session)));
    let event = if link.is_some() { EventType::IdentityLinked } else { EventType::SignedIn };
    statements.extend(event_notice(notice, user_id, event, request));
    let results = store.batch_of(statements).await?;
    let [_, _, opened, ..] = results.as_slice() else { return Err(DbError::lost_results()) };
    let mail = queued(notice, &results)?;
    Ok(TokenInputs::read(opened)?.map(|inputs| (inputs, mail)))
}

fn add_identity(
    (identity, has_code): (NewIdentity<'_>, bool),
    evidence: Evidence<'_>,
    session: &NewSession<'_>,
) -> [Statement; 2] {
    let (request, user_id) = (session.request, evidence.user_id);
    let insert = identity.bind_new(identity.bind_subject(query(INSERT_IDENTITY)));
    let insert = usage::bind_marked(insert, evidence.challenge, request).bind("user_id", user_id);
    let record = audit::insert(RECORD_IDENTITY, request, EventType::IdentityLinked).bind("user_id", user_id);
    let record = record.bind("session_id", session.id).bind("identity_id", identity.id);
    [insert.bind("now", request.now).bind("has_code", has_code), record]
}
