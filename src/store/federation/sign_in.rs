//! Opening a session with an identity.

use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::UserId;
use crate::domain::limits::standing::Counter;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::refusals::{self, count_refusal};
use crate::store::audit::{Event, is_recorded};
use crate::store::factor::due::{DueFactors, due_columns, has_factor};
use crate::store::federation::flows::{Evidence, is_redeemed};
use crate::store::federation::identities::{MAX_IDENTITIES, NewIdentity};
use crate::store::federation::joining::{self, Joining, may_join_with_factor};
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::reset::shut_out;
use crate::store::mail::sign_in::waits_for_reset;
use crate::store::session::end_others;
use crate::store::session::opening::{self, NewSession, insert_session};
use crate::store::session::token_inputs::TokenInputs;
use crate::store::{IdRow, Store};

/// The identity is the user's, perhaps since an earlier statement of the batch.
macro_rules! owns_identity {
    () => {
        "EXISTS (
             SELECT 1 FROM identities
             WHERE issuer = :issuer AND subject = :subject AND user_id = :user_id AND suspended_at IS NULL
         )"
    };
}
pub(super) use owns_identity;

const OPEN_SESSION: &str = insert_session!(concat!(
    "id = :user_id AND is_active = 1 AND NOT ",
    has_factor!(),
    " AND ",
    owns_identity!(),
    " AND NOT (",
    waits_for_reset!(),
    ") AND ",
    is_redeemed!()
));

macro_rules! select_due {
    ($condition:expr) => {
        concat!(
            "SELECT ",
            due_columns!(),
            " FROM users AS u WHERE u.id = :user_id AND ",
            has_factor!(),
            " AND ",
            $condition
        )
    };
}

/// A second factor is due. A disabled account is told after it.
const SELECT_DUE: &str = select_due!(concat!(owns_identity!(), " AND ", is_redeemed!()));
const SELECT_DUE_BEFORE_JOINING: &str = select_due!(may_join_with_factor!());

macro_rules! select_disabled {
    ($condition:expr) => {
        concat!("SELECT id FROM users WHERE id = :user_id AND is_active = 0 AND ", $condition, " AND ", is_redeemed!())
    };
}

const SELECT_DISABLED: &str = select_disabled!(owns_identity!());
const SELECT_DISABLED_HOLDER: &str = select_disabled!("email = :email");

/// The account has no room for an identity that joins it.
const SELECT_FULL: &str = concat!(
    "SELECT id FROM users
     WHERE id = :user_id AND email = :email AND is_active = 1
       AND (SELECT count(*) FROM identities WHERE user_id = :user_id) >= :max_identities AND ",
    is_redeemed!()
);

/// An identity that opened nothing, though no second factor is due.
const COUNT_REFUSED: &str = count_refusal!(
    user_id: ":user_id", if: concat!("NOT ", is_recorded!(":done_nonce"), " AND NOT ", has_factor!())
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    OPEN_SESSION,
    SELECT_DUE,
    SELECT_DUE_BEFORE_JOINING,
    SELECT_DISABLED,
    SELECT_DISABLED_HOLDER,
    SELECT_FULL,
    COUNT_REFUSED,
];

/// The user that an identity signs in.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FederatedUser<'a> {
    pub user_id: UserId,
    pub identity: NewIdentity<'a>,
    pub evidence: Evidence,
    /// The hash of no password, if the identity joins the account.
    pub joins_with: Option<&'a str>,
    /// Why nothing would be opened, for the event.
    pub refused_as: Reason,
}

/// The outcome of a sign-in with an identity.
pub enum FederatedOutcome {
    /// The session is open. Beside the inputs of its token, perhaps the notice of a new identity.
    Opened(TokenInputs, Option<QueuedMail>),
    /// Nothing was opened, because a second factor is due.
    FactorDue(DueFactors),
    /// The account is disabled.
    Disabled,
    /// The account that the identity would join has the maximum of identities.
    TooMany,
    /// Nothing was opened: the flow was used, or the account or the identity changed after it was read.
    Overtaken,
}

/// Uses the evidence up, and opens a session for the user of an identity, unless a second factor is due. Perhaps the identity
/// joins the account before.
///
/// # Errors
/// [`DbError`].
pub async fn open(
    store: &Store,
    user: FederatedUser<'_>,
    counter: &Counter,
    session: &NewSession<'_>,
    notice: Option<Notice>,
) -> Result<FederatedOutcome, DbError> {
    let FederatedUser { user_id, identity, evidence, joins_with, .. } = user;
    let request = session.request;
    let of_user = |statement: Statement| evidence.bind(statement, request).bind("user_id", user_id);
    let of_identity = |statement| identity.bind_subject(of_user(statement));
    let (due, disabled) = match joins_with {
        None => (of_identity(query(SELECT_DUE)), of_identity(query(SELECT_DISABLED))),
        Some(_) => (
            joining::bind(query(SELECT_DUE_BEFORE_JOINING), user_id, identity, evidence, request),
            of_user(query(SELECT_DISABLED_HOLDER)).bind("email", identity.assertion.email.as_ref()),
        ),
    };
    let joining = joins_with.map(|no_password| Joining { identity, no_password });
    let mut statements = vec![evidence.redeem(request), due, disabled];
    statements.extend(joining.into_iter().flat_map(|joining| joining::join(user_id, joining, evidence, request)));
    statements.push(of_identity(opening::bind(query(OPEN_SESSION), session)));
    let opened = statements.len();
    let after = opening::after_opening(user_id, counter, session, Some(Reason::Federated), refused(&user, session));
    statements.extend(after);
    statements.extend(joins_with.into_iter().flat_map(|no_password| shut_out(user_id, no_password)));
    statements.extend(joins_with.map(|no_password| end_others(user_id, Some(session.id), no_password)));
    let of_address = |statement: Statement| statement.bind("email", identity.assertion.email.as_ref());
    let full = joins_with.map(|_| of_address(of_user(query(SELECT_FULL))).bind("max_identities", MAX_IDENTITIES));
    let is_full = full.is_some().then_some(statements.len());
    statements.extend(full);
    statements.push(evidence.delete_proof(request));
    statements.extend(event_notice(notice, user_id, EventType::IdentityLinked, request));
    let results = store.batch_of(statements).await?;
    let (Some([_, due, disabled]), Some(opened)) = (results.first_chunk(), results.get(opened)) else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    Ok(match (TokenInputs::read(opened)?, DueFactors::read(due)?) {
        (Some(inputs), _) => FederatedOutcome::Opened(inputs, mail),
        (None, Some(due)) => FederatedOutcome::FactorDue(due),
        (None, None) if !disabled.all::<IdRow>()?.is_empty() => FederatedOutcome::Disabled,
        (None, None) if has_row(is_full.and_then(|index| results.get(index)))? => FederatedOutcome::TooMany,
        (None, None) => FederatedOutcome::Overtaken,
    })
}

fn has_row(rows: Option<&Rows>) -> Result<bool, DbError> {
    rows.map_or(Ok(false), |rows| rows.all::<IdRow>().map(|rows| !rows.is_empty()))
}

fn refused(user: &FederatedUser<'_>, session: &NewSession<'_>) -> Statement {
    let request = session.request;
    let event = Event::of(EventType::SignInRefused, user.user_id).because(user.refused_as);
    let count = refusals::of_user_if_recorded(request, COUNT_REFUSED, event);
    let stamp = request.stamp;
    let count =
        count.map(|count| count.bind("event_id", stamp.id()).bind("done_nonce", stamp.nonce_of(EventType::SignedIn)));
    count.unwrap_or_else(refusals::nothing)
}
