//! Registrations whose address is not proven yet. A registration is no account: the proof makes it.
//!
//! Every request writes the same rows, whether or not the address has an account. A row is kept for a week, so that a sign-in
//! with its password can be told that the proof is missing; its link ends after a day.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::ProofId;
use crate::domain::mail::proof::{CODE_SECONDS, Purpose};
use crate::domain::time::{DAY, Timestamp};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::Store;
use crate::store::account::registration::{self, COUNT_LIMITED, NewUser, RegistrationLimit};
use crate::store::audit::{self, Event, RequestInfo, insert_event, is_done, recorded, refusals};
use crate::store::mail::counts::{self, Asking, is_admitted};
use crate::store::mail::outbox::{self, QueuedMail};
use crate::store::mail::proofs::{NewProof, PresentedProof, bind_presented};
use crate::store::mail::taken::address_is_taken;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};

/// Seconds for which a registration is kept.
const KEPT_SECONDS: i64 = 7 * DAY;

/// The preceding count decides whether the network may register.
const INSERT: &str = concat!(
    "INSERT INTO registrations (id, address, password_hash, full_name, network_tag, created_at, expires_at)
     SELECT :proof_id, :email, :password_hash, :full_name, :network_tag, :now, :expires_at
     FROM (SELECT '' AS class) AS k
     WHERE (SELECT attempts FROM registration_counts WHERE network = :network) <= :max_attempts AND ",
    is_admitted!(),
    " ON CONFLICT (id) DO NOTHING"
);

const INSERT_PROOF: &str = "
    INSERT INTO email_proofs (id, purpose, is_of_owner, created_at, expires_at, code_expires_at)
    SELECT id, :purpose, 1, :now, :proof_expires_at, :code_expires_at FROM registrations WHERE id = :proof_id
    ON CONFLICT (id) DO NOTHING";

/// To the owner of an account, if it is active; otherwise to the address of the registration, if it has no account.
const QUEUE: &str = "
    INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
    SELECT :mail_id, iif(u.id IS NULL, 'register', 'registered'), u.id, u.email, r.id, :now, :proof_expires_at, 1, :due_at
    FROM registrations AS r LEFT JOIN users AS u ON u.email = r.address AND u.is_active = 1
    WHERE r.id = :proof_id
    ON CONFLICT (id) DO NOTHING";

/// The proof, and the registration whose mail had it, if it is valid.
macro_rules! valid_registration {
    () => {
        "email_proofs AS p JOIN registrations AS mailed ON mailed.id = p.id
         WHERE p.id = :proof_id AND p.purpose = :purpose AND (:is_code = 0 OR p.failures < :max_failures)
           AND CASE WHEN :is_code THEN p.code_expires_at ELSE p.expires_at END > :now"
    };
}

const SELECT_VALID: &str =
    concat!("SELECT mailed.address, mailed.password_hash, p.failures FROM ", valid_registration!());

/// The registration may be another one of the same address than that of the link: the one whose flow is beside it.
const CREATE: &str = concat!(
    "INSERT INTO users (email, password_hash, full_name, registered_network, created_at, email_verified_at)
     SELECT r.address, r.password_hash, r.full_name, r.network_tag, :now, :now FROM registrations AS r
     WHERE r.id = :registration_id AND r.expires_at > :now
       AND r.address = (SELECT mailed.address FROM ",
    valid_registration!(),
    ") AND NOT ",
    address_is_taken!("r.address", "NULL"),
    " ON CONFLICT (email) DO NOTHING RETURNING id"
);

/// The user that the registration has become: the salt makes the hash unique.
macro_rules! created {
    () => {
        "FROM registrations AS r JOIN users AS u ON u.email = r.address AND u.password_hash = r.password_hash
         WHERE r.id = :registration_id"
    };
}

const RECORD: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "u.id", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    from: created!(),
};

const DELETE_PROOFS: &str = concat!(
    "DELETE FROM email_proofs WHERE id IN (:proof_id, :registration_id) AND EXISTS (SELECT 1 ",
    created!(),
    ")"
);

/// Others of the address stay: otherwise their passwords would tell a stranger when the address got an account.
const DELETE: &str = concat!("DELETE FROM registrations WHERE id IN (SELECT r.id ", created!(), ")");

/// Wrong passwords after which a sign-in is no longer told that the proof is missing.
const MAX_WRONG_PASSWORDS: i64 = 100;

/// One of the same network, else the newest.
const SELECT_BY_ADDRESS: &str = "
    SELECT password_hash FROM registrations WHERE address = :email AND expires_at > :now AND failures < :max_failures
    ORDER BY network_tag = :network_tag DESC, created_at DESC LIMIT 1";

/// For each registration of the address, whether or not it has an account: otherwise the counts would tell.
const COUNT_WRONG_PASSWORD: &str = "
    UPDATE registrations SET failures = failures + 1, nonce = :nonce
    WHERE address = :email AND failures < :max_failures AND nonce IS NOT :nonce";

const DELETE_EXPIRED: &str = "
    DELETE FROM registrations WHERE id IN (
        SELECT id FROM registrations WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :step
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'registrations' AND nonce = :nonce)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    INSERT_PROOF,
    QUEUE,
    SELECT_VALID,
    CREATE,
    RECORD,
    DELETE_PROOFS,
    DELETE,
    SELECT_BY_ADDRESS,
    COUNT_WRONG_PASSWORD,
    DELETE_EXPIRED,
];

/// Registrations belong to an address, which has no account.
pub static REGISTRATIONS: Walk = Walk {
    table: "registrations",
    cutoff: Cutoff::Now,
    order: Order::OldestFirst { delete: DELETE_EXPIRED },
    max_steps: 2,
};

/// The result of a request to register.
#[derive(Debug)]
pub enum AddOutcome {
    /// The mail, if the counts of mails admit one.
    Added(Option<QueuedMail>),
    /// The network exceeded its limit in this window.
    TooMany {
        /// Start of the current window.
        window_started_at: Timestamp,
    },
}

/// Counts the attempt, and writes the registration, its proof and its mail, if the limits admit them.
///
/// # Errors
/// [`DbError`].
pub async fn add(
    store: &Store,
    user: &NewUser<'_>,
    network_tag: &str,
    limit: RegistrationLimit<'_>,
    (new, asking): (NewProof, Asking<'_>),
    request: RequestInfo<'_>,
) -> Result<AddOutcome, DbError> {
    let limited = |statement: Statement| statement.bind("network", limit.network).bind("max_attempts", limit.attempts);
    let insert = limited(counts::bind_admission(query(INSERT), asking, request))
        .bind("proof_id", new.id)
        .bind("email", user.email)
        .bind("password_hash", user.password_hash)
        .bind("full_name", user.full_name)
        .bind("network_tag", network_tag)
        .bind("now", request.now)
        .bind("expires_at", request.now.plus_seconds(KEPT_SECONDS));
    let proof_expires_at = request.now.plus_seconds(Purpose::Register.link_seconds());
    let of_proof = |sql| {
        let statement = query(sql).bind("proof_id", new.id).bind("now", request.now);
        statement.bind("proof_expires_at", proof_expires_at)
    };
    let proof = of_proof(INSERT_PROOF)
        .bind("purpose", new.purpose.as_str())
        .bind("code_expires_at", request.now.plus_seconds(CODE_SECONDS));
    let [count_1, count_2, count_3, count_4] = counts::count(asking, new.id, request);
    let due_at = request.now.plus_seconds(outbox::FIRST_ATTEMPT_SECONDS);
    let queue = of_proof(QUEUE).bind("mail_id", new.mail_id).bind("due_at", due_at);
    let event = Event::of(EventType::RegistrationRefused, None).because(Reason::RateLimited);
    let refused = refusals::if_recorded(request, COUNT_LIMITED, event, "").map_or_else(refusals::nothing, limited);
    let select = outbox::select(new.mail_id);
    let count = registration::count(limit, request);
    let statements = [count, insert, proof, count_1, count_2, count_3, count_4, queue, refused, select];
    let [attempts, .., mails] = store.batch(statements).await?;
    Ok(match registration::exceeded(limit, &attempts)? {
        Some(window_started_at) => AddOutcome::TooMany { window_started_at },
        None => AddOutcome::Added(mails.first()?),
    })
}

/// A registration whose mail had a valid proof.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are the tables' columns")]
pub struct RegistrationRow {
    pub address: String,
    pub password_hash: String,
    /// Wrong codes, and wrong passwords beside the link.
    pub failures: i64,
}

/// Reads the registration of a proof; `None` if it was used or has expired.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, proof: PresentedProof, now: Timestamp) -> Result<Option<RegistrationRow>, DbError> {
    let [rows] = store.batch([bind_presented(query(SELECT_VALID), proof).bind("now", now)]).await?;
    rows.first()
}

/// Makes the account of a registration, whose address is proven. Returns false, and changes nothing, if the proof is no
/// longer valid, or the address has an account.
///
/// # Errors
/// [`DbError`].
pub async fn complete(
    store: &Store,
    proof: PresentedProof,
    registration_id: ProofId,
    request: RequestInfo<'_>,
) -> Result<bool, DbError> {
    let of_registration = |statement: Statement| statement.bind("registration_id", registration_id);
    let create = of_registration(bind_presented(query(CREATE), proof)).bind("now", request.now);
    let [registered, verified] = [EventType::Registered, EventType::EmailVerified]
        .map(|event_type| of_registration(audit::insert(RECORD, request, event_type)));
    let statements = [
        create,
        registered,
        verified,
        of_registration(query(DELETE_PROOFS)).bind("proof_id", proof.id),
        of_registration(query(DELETE)),
        recorded(request, EventType::Registered),
    ];
    let [created, .., recorded] = store.batch(statements).await?;
    is_done(&created, &recorded)
}

#[derive(Deserialize)]
struct HashRow {
    password_hash: String,
}

/// The hash that [`select_by_address`] found.
pub(in crate::store) fn read_hash(rows: &Rows) -> Result<Option<String>, DbError> {
    Ok(rows.first::<HashRow>()?.map(|row| row.password_hash))
}

/// Selects the hash of a registration of this address, for a sign-in from this network.
pub(in crate::store) fn select_by_address(email: &Email, network_tag: &str, now: Timestamp) -> Statement {
    let select = query(SELECT_BY_ADDRESS).bind("email", email).bind("network_tag", network_tag).bind("now", now);
    select.bind("max_failures", MAX_WRONG_PASSWORDS)
}

/// Counts a wrong password at a sign-in with this address.
pub(in crate::store) fn count_wrong_password(email: &Email, request: RequestInfo<'_>) -> Statement {
    let count = query(COUNT_WRONG_PASSWORD).bind("email", email).bind("nonce", request.stamp.nonce());
    count.bind("max_failures", MAX_WRONG_PASSWORDS)
}
