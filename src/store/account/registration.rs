//! Registration: adds a user, opens the first session, and grants the role of an invitation.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::audit::{EventType, Reason};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::account::users::{UserRow, user_columns};
use crate::store::audit::refusals::{self, count_refusal};
use crate::store::audit::{self, Event, RequestInfo, insert_event};
use crate::store::authz::granting::{self, GrantOutcome, is_allowed};
use crate::store::federation::flows::{Evidence, is_redeemed};
use crate::store::federation::identities::{NewIdentity, insert_identity};
use crate::store::mail::counts::Asking;
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::proofs;
use crate::store::mail::proofs::NewProof;
use crate::store::mail::taken::{address_is_taken, holder_of_address};
use crate::store::session::opening::{self, NewSession, insert_session};
use crate::store::session::token_inputs::{TokenInputs, token_inputs};
use crate::store::tenant::invitations::{Invited, acceptance};
use crate::store::{IdRow, Store};

/// A user to be registered.
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct NewUser<'a> {
    pub email: &'a Email,
    /// A PHC string with parameters and salt.
    pub password_hash: &'a str,
    pub full_name: Option<&'a FullName>,
    /// The identity that the account is made for, in place of a password.
    pub federated: Option<FederatedUser<'a>>,
}

/// The identity of a new account.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FederatedUser<'a> {
    pub identity: NewIdentity<'a>,
    pub evidence: Evidence,
    /// The provider or a mailed code has proven the address.
    pub is_proven: bool,
}

/// The result of a registration that succeeded.
#[derive(Debug)]
pub struct Created {
    /// The user as stored.
    pub user: UserRow,
    /// For the first access token.
    pub inputs: TokenInputs,
    /// Asks for a proof of the address.
    pub mail: Option<QueuedMail>,
}

/// The result of a registration.
#[derive(Debug)]
pub enum RegistrationOutcome {
    /// The user was created.
    Created(Box<Created>),
    /// The address already has an account.
    EmailTaken,
    /// The evidence of the identity was used before.
    EvidenceUsed,
    /// The invitation is no longer valid.
    InvitationVoid,
    /// The network exceeded its limit in this window.
    TooMany {
        /// Start of the current window.
        window_started_at: Timestamp,
    },
}

/// The limit of registrations per network and window.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationLimit<'a> {
    /// The client network, whose registrations are counted together.
    pub network: &'a str,
    /// Maximum number of attempts, including refused ones.
    pub attempts: i64,
    /// A window that began at or before this moment is over.
    pub window_cutoff: Timestamp,
}

/// A batch that is executed again finds its nonce, and counts nothing.
const COUNT_REGISTRATION: &str = "
    INSERT INTO registration_counts (network, window_started_at, attempts, nonce) VALUES (:network, :now, 1, :nonce)
    ON CONFLICT (network) DO UPDATE SET
        attempts =
            CASE WHEN window_started_at <= :window_cutoff THEN 1 ELSE attempts + (nonce IS NOT excluded.nonce) END,
        window_started_at =
            CASE WHEN window_started_at <= :window_cutoff THEN excluded.window_started_at ELSE window_started_at END,
        nonce = excluded.nonce
    RETURNING attempts, window_started_at";

/// The constraint decides whether the address is free; the preceding count decides whether the network may register.
const INSERT_USER: &str = concat!(
    "INSERT INTO users (email, password_hash, full_name, registered_network, created_at, has_password, email_verified_at)
     SELECT :email, :password_hash, :full_name, :network_tag, :now, :has_password, iif(:is_proven, :now, NULL)
     WHERE (SELECT attempts FROM registration_counts WHERE network = :network) <= :max_attempts AND NOT ",
    address_is_taken!(":email", "NULL"),
    " AND (:invitation_id IS NULL OR ",
    is_allowed!(":allowed_by"),
    " AND EXISTS (SELECT 1 FROM invitations WHERE id = :invitation_id AND expires_at > :now AND email = :email))
     AND (:has_password = 1 OR NOT EXISTS (SELECT 1 FROM identities WHERE issuer = :issuer AND subject = :subject) AND ",
    is_redeemed!(),
    ")
     ON CONFLICT (email) DO NOTHING"
);

/// Of the user that this request added.
const INSERT_IDENTITY: &str = insert_identity!("email = :email AND password_hash = :password_hash");

/// The salt makes the hash unique, so it says that this request added the user.
const SELECT_NEW_USER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    token_inputs!("users.id"),
    " FROM users WHERE email = :email AND password_hash = :password_hash"
);

/// Only for the user that this request added: the salt makes the hash unique.
const OPEN_SESSION_OF_NEW_USER: &str = insert_session!("email = :email AND password_hash = :password_hash");

const RECORD_REGISTRATION: &str = insert_event! {
    type: ":type", reason: ":reason", user_id: "s.user_id", session_id: "s.id", actor_id: "NULL", university_id: "NULL",
    from: "FROM sessions AS s WHERE s.id = :session_id",
};

pub(super) const COUNT_LIMITED: &str = count_refusal!(user_id: "NULL", if: "
    (SELECT attempts FROM registration_counts WHERE network = :network) > :max_attempts");

/// The second of two exchanges of one flow finds the account of the first, and is no attempt to register its address.
const COUNT_TAKEN: &str = count_refusal!(user_id: holder_of_address!(":email"), if: concat!(
    "(SELECT attempts FROM registration_counts WHERE network = :network) <= :max_attempts
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = :new_session_id) AND (:flow_id IS NULL OR ",
    is_redeemed!(),
    ")"
));

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    COUNT_REGISTRATION,
    INSERT_USER,
    INSERT_IDENTITY,
    OPEN_SESSION_OF_NEW_USER,
    SELECT_NEW_USER,
    RECORD_REGISTRATION,
    COUNT_LIMITED,
    COUNT_TAKEN,
];

#[derive(Deserialize)]
struct CountRow {
    attempts: i64,
    window_started_at: Timestamp,
}

/// The statement that counts an attempt of the network.
pub(super) fn count(limit: RegistrationLimit<'_>, request: RequestInfo<'_>) -> Statement {
    query(COUNT_REGISTRATION)
        .bind("network", limit.network)
        .bind("now", request.now)
        .bind("nonce", request.stamp.nonce())
        .bind("window_cutoff", limit.window_cutoff)
}

/// The start of the current window, from the result of [`count`], if the network exceeded the limit.
pub(super) fn exceeded(limit: RegistrationLimit<'_>, counts: &Rows) -> Result<Option<Timestamp>, DbError> {
    let count: Option<CountRow> = counts.first()?;
    let count = count.ok_or_else(|| DbError::unreadable("the count of registrations was not returned"))?;
    Ok((count.attempts > limit.attempts).then_some(count.window_started_at))
}

/// Counts the attempt, adds the user if the limit allows it, opens the first session, and grants the role of an
/// invitation, in one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn register(
    store: &Store,
    user: &NewUser<'_>,
    session: &NewSession<'_>,
    limit: RegistrationLimit<'_>,
    proof: Option<(NewProof, Asking<'_>)>,
    invited: Option<Invited<'_>>,
) -> Result<RegistrationOutcome, DbError> {
    let request = session.request;
    let insert = query(INSERT_USER)
        .bind("email", user.email)
        .bind("password_hash", user.password_hash)
        .bind("full_name", user.full_name)
        .bind("network_tag", session.network_tag)
        .bind("now", request.now)
        .bind("network", limit.network)
        .bind("max_attempts", limit.attempts)
        .bind("invitation_id", invited.and_then(|invited| invited.granting.invitation))
        .bind("allowed_by", invited.and_then(|invited| invited.granting.grantor.allowed_by));
    let insert = bind_federated(insert, user.federated, request);
    let open = opening::bind(query(OPEN_SESSION_OF_NEW_USER), session)
        .bind("email", user.email)
        .bind("password_hash", user.password_hash);
    let select = query(SELECT_NEW_USER).bind("email", user.email).bind("password_hash", user.password_hash);
    let record = audit::insert(RECORD_REGISTRATION, request, EventType::Registered).bind("session_id", session.id);
    let record = record.bind("reason", user.federated.map(|_| Reason::Federated));
    let evidence = user.federated.map(|federated| federated.evidence);
    let [limited, taken] = count_refused((user.email, evidence), session, limit);
    let mut statements = vec![count(limit, request)];
    statements.extend(evidence.into_iter().flat_map(|evidence| {
        [evidence.redeem_within(Some((limit.network, limit.attempts)), request), evidence.select_redeemed(request)]
    }));
    let redeemed = statements.len();
    statements.extend([insert, open]);
    statements.extend(invited.into_iter().flat_map(|invited| acceptance(invited, request)));
    let accepted = statements.len();
    statements.extend([select.bind("max_roles", session.max_roles), record, limited, taken]);
    statements.extend(user.federated.into_iter().flat_map(|federated| identity_statements(user, federated, request)));
    let of_proof = |(new, asking)| proofs::of_new_user(new, asking, user.password_hash, request);
    statements.extend(proof.into_iter().flat_map(of_proof));
    let results = store.batch_of(statements).await?;
    let (first, last) = results.split_at_checked(accepted).unwrap_or_default();
    let (Some(counts), Some([_, _, acceptance @ ..]), [users, _, _, _, mails @ ..]) =
        (first.first(), first.get(redeemed..), last)
    else {
        return Err(DbError::lost_results());
    };
    if let Some((user, inputs)) = users.first()?.zip(TokenInputs::read(users)?) {
        let mail = mails.last().map(Rows::first).transpose()?.flatten();
        return Ok(RegistrationOutcome::Created(Box::new(Created { user, inputs, mail })));
    }
    let exceeded = exceeded(limit, counts)?;
    if let Some([_, _, used]) = first.get(..redeemed)
        && exceeded.is_none()
        && used.all::<IdRow>()?.is_empty()
    {
        return Ok(RegistrationOutcome::EvidenceUsed);
    }
    if let [_, granted, _, refusal, ..] = acceptance
        && matches!(granting::outcome(granted, refusal)?, GrantOutcome::NotAllowed)
    {
        return Ok(RegistrationOutcome::InvitationVoid);
    }
    Ok(match exceeded {
        Some(window_started_at) => RegistrationOutcome::TooMany { window_started_at },
        None => RegistrationOutcome::EmailTaken,
    })
}

/// Binds the values of a new account that has an identity in place of a password.
fn bind_federated(insert: Statement, federated: Option<FederatedUser<'_>>, request: RequestInfo<'_>) -> Statement {
    let insert = insert.bind("has_password", federated.is_none());
    let insert = insert.bind("is_proven", federated.is_some_and(|federated| federated.is_proven));
    match federated {
        Some(FederatedUser { identity, evidence, .. }) => {
            identity.bind_subject(bind_evidence(insert, Some(evidence), request))
        }
        None => bind_evidence(insert, None, request).bind("issuer", None::<String>).bind("subject", None::<String>),
    }
}

fn bind_evidence(statement: Statement, evidence: Option<Evidence>, request: RequestInfo<'_>) -> Statement {
    match evidence {
        Some(evidence) => evidence.bind(statement, request),
        None => statement.bind("flow_id", None::<i64>).bind("flow_nonce", None::<i64>),
    }
}

/// The statements that add the identity, and use a mailed code up.
fn identity_statements(user: &NewUser<'_>, federated: FederatedUser<'_>, request: RequestInfo<'_>) -> [Statement; 2] {
    let FederatedUser { identity, evidence, .. } = federated;
    let insert = identity.bind_new(identity.bind_subject(query(INSERT_IDENTITY)));
    let insert = insert.bind("email", user.email).bind("password_hash", user.password_hash).bind("now", request.now);
    [insert, evidence.delete_proof(request)]
}

/// Counts a refusal, for either reason. The user that has the address is known to the database alone, so a hash of the
/// address identifies it.
fn count_refused(
    (email, evidence): (&Email, Option<Evidence>),
    session: &NewSession<'_>,
    limit: RegistrationLimit<'_>,
) -> [Statement; 2] {
    let refused = |sql, reason, subject: &str| {
        let event = Event::of(EventType::RegistrationRefused, None).because(reason);
        let count = refusals::if_recorded(session.request, sql, event, subject);
        count.map(|count| count.bind("network", limit.network).bind("max_attempts", limit.attempts))
    };
    let taken = refused(COUNT_TAKEN, Reason::EmailTaken, email.as_str());
    let taken = taken.map(|count| {
        let count = count.bind("email", email).bind("new_session_id", session.id);
        bind_evidence(count, evidence, session.request)
    });
    [refused(COUNT_LIMITED, Reason::RateLimited, ""), taken].map(|count| count.unwrap_or_else(refusals::nothing))
}
