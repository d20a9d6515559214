//! Opening a session with its first refresh token, and ending the oldest sessions above the limit.
//!
//! D1 has no interactive transactions, but a batch is atomic and batches are serialized. A statement that depends on an
//! earlier one of its batch therefore carries the same guard.

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{SessionId, TokenId, UserId};
use crate::domain::limits::MAX_SESSIONS;
use crate::domain::limits::standing::Counter;
use crate::domain::password::verified::VerifiedPassword;
use crate::domain::session::methods::AuthMethods;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::audit::refusals::count_refusal;
use crate::store::audit::{self, Event, RequestInfo, insert_event, insert_events, is_recorded, refusals};
use crate::store::factor::due::{self, DueFactors, has_factor, is_due};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::password::throttle::{self, no_wait};
use crate::store::session::token_inputs::{TokenInputs, token_inputs};

/// A session to be opened, with its first refresh token. The ids are random.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct NewSession<'a> {
    pub id: SessionId,
    pub methods: AuthMethods,
    /// The absolute end, which no refresh extends.
    pub expires_at: Timestamp,
    pub token_id: &'a TokenId,
    pub token_expires_at: Timestamp,
    /// The keyed hash of the client's network, which the account now knows.
    pub network_tag: &'a str,
    pub request: RequestInfo<'a>,
    /// Roles that the access token lists at most, and one more.
    pub max_roles: i64,
}

/// Inserts a session with its first refresh token, for the users that meet this condition. [`bind`] binds its values.
macro_rules! insert_session {
    ($condition:expr) => {
        concat!(
            "INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent,
                                   refresh_id, refresh_expires_at, method)
             SELECT :session_id, id, :now, :expires_at, :now, :ip, :user_agent, :token_id, :token_expires_at, :method
             FROM users WHERE ",
            $condition,
            " ON CONFLICT (id) DO NOTHING"
        )
    };
}
pub(in crate::store) use insert_session;

/// The device presented a second factor at `:remembered_at`, and none was added since.
macro_rules! is_remembered {
    () => {
        "(:remembered_at IS NOT NULL AND NOT EXISTS (
              SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1 AND created_at > :remembered_at
          ) AND NOT EXISTS (SELECT 1 FROM passkeys WHERE user_id = :user_id AND created_at > :remembered_at))"
    };
}

/// Inserts nothing if an earlier execution of the batch opened the session. Only if the account is active, the verified
/// version of the password is current, no second factor is due, and no wait is in force.
const OPEN_SESSION: &str = insert_session!(concat!(
    "id = :user_id AND is_active = 1 AND password_version = :version AND (NOT ",
    has_factor!(),
    " OR ",
    is_remembered!(),
    ") AND ",
    no_wait!()
));

/// Holds if the session was opened.
macro_rules! is_open {
    () => {
        "EXISTS (SELECT 1 FROM sessions WHERE id = :session_id AND user_id = :user_id)"
    };
}

const SELECT_OPENED: &str = concat!("SELECT ", token_inputs!(":user_id"), " WHERE ", is_open!());

const RECORD_OPENED: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: ":user_id", session_id: ":session_id", actor_id: "NULL",
    university_id: "NULL", from: concat!("WHERE ", is_open!()),
};

/// A right password that opened nothing, though no second factor is due.
const COUNT_OVERTAKEN: &str = count_refusal!(
    user_id: ":user_id", if: concat!("NOT ", is_recorded!(":done_nonce"), " AND NOT (", is_due!(), ")")
);

/// One event for each session that [`END_OLDEST`], the next statement of the batch, ends to make room. The new
/// one is kept, also if the clock of this isolate is late.
const RECORD_OLDEST: &str = insert_events! {
    type: ":type", reason: "'limit'", user_id: ":user_id", session_id: "id",
    actor_id: "NULL", university_id: "NULL",
    from: "FROM (
               SELECT id, created_at FROM sessions WHERE user_id = :user_id AND id <> :session_id
               ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET :max_others
           )
           WHERE EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)
           ORDER BY created_at, id",
};

const END_OLDEST: &str = "
    DELETE FROM sessions
    WHERE id IN (
        SELECT id FROM sessions WHERE user_id = :user_id AND id <> :session_id
        ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET :max_others
    )
    AND EXISTS (SELECT 1 FROM sessions WHERE id = :session_id)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[OPEN_SESSION, SELECT_OPENED, RECORD_OPENED, COUNT_OVERTAKEN, RECORD_OLDEST, END_OLDEST];

/// Binds the values of [`insert_session`].
pub(in crate::store) fn bind(insert: Statement, session: &NewSession<'_>) -> Statement {
    let request = session.request;
    insert
        .bind("session_id", session.id)
        .bind("now", request.now)
        .bind("expires_at", session.expires_at)
        .bind("ip", request.peer.ip().as_deref())
        .bind("user_agent", request.peer.user_agent())
        .bind("token_id", session.token_id)
        .bind("token_expires_at", session.token_expires_at)
        // That of a session without one, of the previous version.
        .bind("method", (session.methods != AuthMethods::PASSWORD).then(|| session.methods.text()))
}

/// The outcome of a right password.
pub enum OpeningOutcome {
    /// The session is open. Beside the inputs of its token, perhaps the notice.
    Opened(TokenInputs, Option<QueuedMail>),
    /// Nothing was opened, because a second factor is due.
    FactorDue(DueFactors),
    /// Nothing was opened: the account was disabled, erased, throttled or given another password after it was read.
    Overtaken,
}

/// Opens a session for a verified password, unless a second factor is due.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    verified: VerifiedPassword,
    counter: &Counter,
    session: &NewSession<'_>,
    remembered_at: Option<Timestamp>,
    notice: Option<Notice>,
) -> Result<OpeningOutcome, DbError> {
    let request = session.request;
    let open = due::bind(bind(query(OPEN_SESSION), session), verified, counter);
    let open = open.bind("remembered_at", remembered_at);
    let due = due::select(verified, counter, request);
    let overtaken = Event::of(EventType::SignInRefused, verified.user_id).because(Reason::Overtaken);
    let overtaken = refusals::of_user_if_recorded(request, COUNT_OVERTAKEN, overtaken).map(|count| {
        let (id, nonce) = (request.stamp.id(), request.stamp.nonce_of(EventType::SignedIn));
        let count = throttle::bind_guard(count, counter).bind("version", verified.version);
        count.bind("event_id", id).bind("done_nonce", nonce)
    });
    let overtaken = overtaken.unwrap_or_else(refusals::nothing);
    let after = after_opening(verified.user_id, counter, session, None, overtaken);
    let tell = event_notice(notice, verified.user_id, EventType::SignedIn, request);
    let results = store.batch_of([open, due].into_iter().chain(after).chain(tell).collect()).await?;
    let [_, due, opened, ..] = results.as_slice() else { return Err(DbError::lost_results()) };
    let mail = queued(notice, &results)?;
    Ok(match (TokenInputs::read(opened)?, DueFactors::read(due)?) {
        (Some(inputs), _) => OpeningOutcome::Opened(inputs, mail),
        (None, Some(due)) => OpeningOutcome::FactorDue(due),
        (None, None) => OpeningOutcome::Overtaken,
    })
}

/// Counts that nothing was opened, for [`after_opening`].
pub(in crate::store) fn overtaken(user_id: UserId, request: RequestInfo<'_>) -> Statement {
    let refused = Event::of(EventType::SignInRefused, user_id).because(Reason::Overtaken);
    refusals::count_unless(request, refused, EventType::SignedIn)
}

/// The statements behind the one that opens a session. The first one returns the inputs of its access token, if it was
/// opened. `overtaken` counts a refusal if it was not.
pub(in crate::store) fn after_opening(
    user_id: UserId,
    counter: &Counter,
    session: &NewSession<'_>,
    reason: Option<Reason>,
    overtaken: Statement,
) -> [Statement; 8] {
    let request = session.request;
    let of_session = |statement: Statement| statement.bind("user_id", user_id).bind("session_id", session.id);
    let record_opened = of_session(audit::insert(RECORD_OPENED, request, EventType::SignedIn)).bind("reason", reason);
    let record_oldest = audit::insert(RECORD_OLDEST, request, EventType::SessionEnded);
    let make_room = [record_oldest, query(END_OLDEST)].map(|statement| {
        statement.bind("user_id", user_id).bind("max_others", MAX_SESSIONS - 1).bind("session_id", session.id)
    });
    let [record_oldest, end_oldest] = make_room;
    let [move_slot, note_network, reset] =
        throttle::after_sign_in(counter, session.network_tag, session.id, request.now);
    [
        of_session(query(SELECT_OPENED)).bind("max_roles", session.max_roles),
        record_opened,
        overtaken,
        move_slot,
        note_network,
        reset,
        record_oldest,
        end_oldest,
    ]
}
