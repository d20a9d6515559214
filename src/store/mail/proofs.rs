//! The proofs of addresses: asking for one, finding it, counting wrong codes.

use serde::Deserialize;

use crate::domain::ids::{MailId, ProofId, UserId};
use crate::domain::mail::proof::{CODE_SECONDS, MAX_FAILURES, Purpose};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::mail::counts::{self, Asking, class, is_admitted};
use crate::store::mail::outbox::{self, QueuedMail};
use crate::store::owned::Owned;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::read::Read;
use crate::store::{Store, boolean};

/// Maximum number of proofs that are read with the caller. An older one is read by its id.
const MAX_READ: i64 = 10;

/// A proof to be made, and the mail that carries it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are the tables' columns")]
pub struct NewProof {
    pub id: ProofId,
    pub mail_id: MailId,
    pub purpose: Purpose,
    /// The flow goes to the account's owner.
    pub is_of_owner: bool,
}

/// A proof that is valid.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ProofRow {
    pub user_id: UserId,
    pub address: String,
    /// The address that the account is to have.
    pub new_address: Option<String>,
    #[serde(deserialize_with = "boolean")]
    pub is_of_owner: bool,
    /// The change of address cannot be undone.
    #[serde(deserialize_with = "boolean")]
    pub is_final: bool,
}

/// The form in which a proof is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The link of the mail.
    Link,
    /// The flow and the code.
    Code,
}

/// A proof as it is presented, with a right text.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the fields are the request's")]
pub struct PresentedProof {
    pub id: ProofId,
    pub purpose: Purpose,
    pub form: Form,
}

/// The proof, and the user whom it concerns, if it is valid. A stranger with a flow can use up its codes, and not its link.
/// A changed password voids no reset: a thief with the password could void every one. A reset deletes the others. Nothing that
/// the present address or password can do voids an undo, which takes both from a thief. The requests of a
/// session are void when it ends: a thief may have asked.
macro_rules! valid_proof {
    () => {
        concat!(
            "email_proofs AS p JOIN users AS u ON u.id = p.user_id
         WHERE p.id = :proof_id AND p.purpose = :purpose AND (:is_code = 0 OR p.failures < :max_failures)
           AND CASE WHEN :is_code THEN p.code_expires_at ELSE p.expires_at END > :now
           AND u.is_active = 1
           AND (u.email = p.address
                OR p.purpose = 'undo' AND NOT EXISTS (SELECT 1 FROM users AS o WHERE o.email = p.address))
           AND (p.purpose NOT IN ('verify', 'change_address') OR u.password_version = p.password_version)
           AND (p.session_id IS NULL OR EXISTS (SELECT 1 FROM sessions AS s WHERE s.id = p.session_id AND s.expires_at > :now))
           AND (p.new_address IS NULL OR NOT ",
            $crate::store::mail::taken::address_is_taken!("p.new_address", "p.user_id"),
            ")"
        )
    };
}

/// The condition that the proof is still valid, for the user that was read with it.
macro_rules! proof_holds {
    () => {
        concat!("EXISTS (SELECT 1 FROM ", $crate::store::mail::proofs::valid_proof!(), " AND u.id = :user_id)")
    };
}

macro_rules! insert_proof {
    ($from:expr) => {
        $crate::store::mail::proofs::insert_proof!($from, new_address: "NULL", session_id: "NULL", is_final: "0")
    };
    ($from:expr, new_address: $new_address:literal, session_id: $session_id:literal, is_final: $is_final:expr) => {
        concat!(
            "INSERT INTO email_proofs (id, purpose, user_id, address, new_address, session_id, is_final, password_version,
                 is_of_owner, created_at, expires_at, code_expires_at)
             SELECT :proof_id, :purpose, u.id, u.email, ",
            $new_address,
            ", ",
            $session_id,
            ", ",
            $is_final,
            ", u.password_version, :is_of_owner, :now, :expires_at, :code_expires_at
             FROM ",
            $from,
            " ON CONFLICT (id) DO NOTHING"
        )
    };
}
pub(in crate::store) use {insert_proof, proof_holds, valid_proof};

/// An address that has no account, or that needs no proof, leaves a row without a user.
const INSERT_FOR_ADDRESS: &str = insert_proof!(concat!(
    "(SELECT ",
    class!(),
    " AS class) AS k LEFT JOIN users AS u ON u.email = :email AND u.is_active = 1
         AND (:concerns_proven = 1 OR u.email_verified_at IS NULL)
     WHERE ",
    is_admitted!()
));

/// For the user that the same batch has added.
const INSERT_FOR_NEW_USER: &str = insert_proof!(concat!(
    "(SELECT '' AS class) AS k JOIN users AS u ON u.email = :email AND u.password_hash = :password_hash WHERE ",
    is_admitted!()
));

const SELECT_VALID: &str = concat!(
    "SELECT u.id AS user_id, u.email AS address, p.new_address, p.is_of_owner, p.is_final FROM ",
    valid_proof!()
);

/// The links and codes of a user that prove an address. Whether they are valid is asked by the statement that acts.
const SELECT_OF_USER: &str = "
    SELECT p.id, u.id AS user_id, u.email AS address, p.new_address, p.is_of_owner, p.is_final
    FROM email_proofs AS p JOIN users AS u ON u.id = p.user_id
    WHERE p.user_id = :user_id AND p.purpose IN ('verify', 'change_address') AND p.expires_at > :now
    ORDER BY p.created_at DESC LIMIT :limit";

const USE_UP: &str = concat!("DELETE FROM email_proofs WHERE id = :proof_id AND ", proof_holds!(), " RETURNING id");

/// A batch that is executed again finds its nonce, and counts nothing.
const COUNT_WRONG_CODE: &str = "
    UPDATE email_proofs SET failures = failures + 1, nonce = :nonce
    WHERE id = :proof_id AND purpose = :purpose AND failures < :max_failures AND nonce IS NOT :nonce";

const ERASE: &str = "
    DELETE FROM email_proofs WHERE id IN (
        SELECT p.id FROM users AS u JOIN email_proofs AS p ON p.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

const DELETE_EXPIRED: &str = "
    DELETE FROM email_proofs WHERE id IN (
        SELECT id FROM email_proofs WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :step
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'email_proofs' AND nonce = :nonce)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT_FOR_ADDRESS,
    INSERT_FOR_NEW_USER,
    SELECT_VALID,
    SELECT_OF_USER,
    USE_UP,
    COUNT_WRONG_CODE,
    ERASE,
    DELETE_EXPIRED,
];

/// Proofs of users. They live for a week at most, and say nothing that the account and its events do not, so the export lists none.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "email_proofs",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM email_proofs AS p WHERE p.user_id = users.id"],
    export: None,
    walk: Some(Walk {
        table: "email_proofs",
        cutoff: Cutoff::Now,
        order: Order::OldestFirst { delete: DELETE_EXPIRED },
        max_steps: 5,
    }),
};

/// Writes a proof of this address and its mail, if the counts admit it. Returns the mail; one without an address if there is
/// nothing to be sent.
///
/// # Errors
/// [`DbError`].
pub async fn ask(
    store: &Store,
    new: NewProof,
    asking: Asking<'_>,
    request: RequestInfo<'_>,
) -> Result<Option<QueuedMail>, DbError> {
    write(store, counts::bind_class(query(INSERT_FOR_ADDRESS), asking, request), new, asking, request).await
}

/// The same with another statement that inserts the proof.
pub(in crate::store) async fn write(
    store: &Store,
    insert: Statement,
    new: NewProof,
    asking: Asking<'_>,
    request: RequestInfo<'_>,
) -> Result<Option<QueuedMail>, DbError> {
    let insert = bind_new(insert, new, request.now);
    let [count_1, count_2, count_3, count_4] = counts::count(asking, new.id, request);
    let [queue, select] = outbox::queue_proof(new.mail_id, new.id, None, request.now);
    let insert = counts::bind_admission(insert, asking, request);
    let touch = counts::touch(request);
    let [.., mails] = store.batch([touch, insert, count_1, count_2, count_3, count_4, queue, select]).await?;
    mails.first()
}

/// The statements that write the proof of the address of a user that the same batch has added, and its mail. The last one
/// returns the mail.
pub(in crate::store) fn of_new_user(
    new: NewProof,
    asking: Asking<'_>,
    password_hash: &str,
    request: RequestInfo<'_>,
) -> Vec<Statement> {
    let insert = bind_new(query(INSERT_FOR_NEW_USER), new, request.now).bind("password_hash", password_hash);
    let insert = insert.bind("email", asking.email);
    let counts = counts::count(asking, new.id, request);
    let mail = outbox::queue_proof(new.mail_id, new.id, None, request.now);
    std::iter::once(counts::bind_admission(insert, asking, request)).chain(counts).chain(mail).collect()
}

/// Binds the values of [`insert_proof`].
pub(in crate::store) fn bind_new(statement: Statement, new: NewProof, now: Timestamp) -> Statement {
    statement
        .bind("proof_id", new.id)
        .bind("purpose", new.purpose.as_str())
        .bind("is_of_owner", new.is_of_owner)
        .bind("now", now)
        .bind("expires_at", now.plus_seconds(new.purpose.link_seconds()))
        .bind("code_expires_at", now.plus_seconds(CODE_SECONDS))
}

/// Binds the values of [`proof_holds`], apart from `:user_id` and `:now`.
pub(in crate::store) fn bind_presented(statement: Statement, proof: PresentedProof) -> Statement {
    bind_if_presented(statement, Some(proof))
}

/// The same for an act that may need no proof: `:proof_id` is null then.
pub(in crate::store) fn bind_if_presented(statement: Statement, proof: Option<PresentedProof>) -> Statement {
    statement
        .bind("proof_id", proof.map(|proof| proof.id))
        .bind("purpose", proof.map(|proof| proof.purpose.as_str()))
        .bind("is_code", proof.map(|proof| proof.form == Form::Code))
        .bind("max_failures", MAX_FAILURES)
}

/// Reads a proof; `None` if it was used, has expired, or is void.
#[must_use]
pub fn find(proof: PresentedProof, now: Timestamp) -> Read<Option<ProofRow>> {
    Read::of(bind_presented(query(SELECT_VALID), proof).bind("now", now), Rows::first)
}

/// A proof with its id.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OwnProof {
    pub id: ProofId,
    pub row: ProofRow,
}

#[derive(Deserialize)]
struct ProofIdRow {
    id: ProofId,
}

/// Reads the latest proofs of an address that concern a user.
#[must_use]
pub fn of_user(user_id: UserId, now: Timestamp) -> Read<Vec<OwnProof>> {
    let select = query(SELECT_OF_USER).bind("user_id", user_id).bind("now", now).bind("limit", MAX_READ);
    Read::of(select, |rows| {
        let rows: Vec<(ProofIdRow, ProofRow)> = rows.all()?;
        Ok(rows.into_iter().map(|(ProofIdRow { id }, row)| OwnProof { id, row }).collect())
    })
}

/// Uses a proof of this user up, and returns its id if it was still valid.
pub(in crate::store) fn use_up(proof: PresentedProof, user_id: UserId, now: Timestamp) -> Statement {
    bind_presented(query(USE_UP), proof).bind("user_id", user_id).bind("now", now)
}

/// Counts a wrong code, of a flow that may lead nowhere.
///
/// # Errors
/// [`DbError`].
pub async fn count_wrong_code(
    store: &Store,
    id: ProofId,
    purpose: Purpose,
    request: RequestInfo<'_>,
) -> Result<(), DbError> {
    let count = query(COUNT_WRONG_CODE)
        .bind("proof_id", id)
        .bind("purpose", purpose.as_str())
        .bind("max_failures", MAX_FAILURES)
        .bind("nonce", request.stamp.nonce());
    store.batch([counts::touch(request), count]).await.map(|[_, _]| ())
}
