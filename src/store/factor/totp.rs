//! The secrets of authenticator apps: one that waits for its first code, and one that is confirmed.

use serde::Deserialize;

use crate::domain::audit::{EventType, Reason};
use crate::domain::authz::step_up::MAX_AGE_SECONDS;
use crate::domain::factor::totp::TimeStep;
use crate::domain::ids::{TotpId, UserId};
use crate::domain::keys::ring::Sealed;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::{Event, RequestInfo, is_done, record_if_changed, recorded};
use crate::store::factor::changes::{FactorOwner, end_others_if, is_confirmed, owner_is_present, select_present_owner};
use crate::store::factor::recovery_codes;
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::proofs::{PresentedProof, bind_presented, proof_holds};
use crate::store::owned::{Owned, Paging, Section};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::{IdRow, Store};

/// Another pending secret of the user is replaced.
macro_rules! insert_pending {
    ($condition:expr) => {
        concat!(
            "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
             SELECT :totp_id, :user_id, 0, :secret, :encrypted_by, :now WHERE ",
            owner_is_present!(),
            " AND ",
            $condition,
            " ON CONFLICT (user_id, is_confirmed) DO UPDATE SET
                 id = excluded.id, secret = excluded.secret, encrypted_by = excluded.encrypted_by,
                 created_at = excluded.created_at"
        )
    };
}

const INSERT_PENDING: &str = insert_pending!("TRUE");
const INSERT_PENDING_BY_CODE: &str = insert_pending!(proof_holds!());

/// It follows the offer. An offer that was not made leaves the code.
const USE_CODE: &str = "
    DELETE FROM email_proofs
    WHERE id = :proof_id AND EXISTS (SELECT 1 FROM totp_secrets WHERE id = :totp_id AND user_id = :user_id)";

const SELECT_NEW: &str = "SELECT id FROM totp_secrets WHERE id = :totp_id AND user_id = :user_id";

const SELECT_PENDING: &str = "
    SELECT id, secret, encrypted_by FROM totp_secrets
    WHERE user_id = :user_id AND is_confirmed = 0 AND created_at > :offered_after";

/// It makes room for the one that is confirmed by the next statement.
const DELETE_FORMER: &str = concat!(
    "DELETE FROM totp_secrets
     WHERE user_id = :user_id AND is_confirmed = 1
       AND EXISTS (
           SELECT 1 FROM totp_secrets
           WHERE id = :totp_id AND user_id = :user_id AND is_confirmed = 0 AND created_at > :offered_after
       ) AND ",
    owner_is_present!()
);

const CONFIRM: &str = concat!(
    "UPDATE totp_secrets SET is_confirmed = 1, used_step = :step, created_at = :now, nonce = :confirmed_by
     WHERE id = :totp_id AND user_id = :user_id AND is_confirmed = 0 AND created_at > :offered_after AND ",
    owner_is_present!(),
    " RETURNING id"
);

const END_OTHERS: &str = end_others_if!(is_confirmed!());

/// The secrets of these keys. Those of a key that is gone cannot be encrypted anew, and must not be in the way of others.
const SELECT_OUTDATED: &str = "
    SELECT id, secret, encrypted_by FROM totp_secrets WHERE encrypted_by IN (:next, :previous) LIMIT :limit";

const COUNT_OUTDATED: &str = "
    SELECT (SELECT count(*) FROM totp_secrets WHERE encrypted_by < :current)
         + (SELECT count(*) FROM totp_secrets WHERE encrypted_by > :current) AS count";

/// Unless the secret was replaced concurrently.
const ENCRYPT_ANEW: &str = "
    UPDATE totp_secrets SET secret = :secret, encrypted_by = :encrypted_by WHERE id = :totp_id AND secret = :former";

/// The secret itself is a credential, so it is not exported.
const EXPORT: &str = concat!(
    "SELECT created_at, suspended_at FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1 LIMIT :limit * ",
    session_is_live!()
);

const ERASE: &str = "
    DELETE FROM totp_secrets
    WHERE user_id = (SELECT id FROM users WHERE id = :user_id AND erasure_cursor IS NOT NULL) AND :step >= 2";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT_PENDING,
    INSERT_PENDING_BY_CODE,
    USE_CODE,
    SELECT_NEW,
    SELECT_PENDING,
    DELETE_FORMER,
    CONFIRM,
    END_OTHERS,
    SELECT_OUTDATED,
    COUNT_OUTDATED,
    ENCRYPT_ANEW,
    EXPORT,
    ERASE,
];

/// The secrets of a user: two at most.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "totp_secrets",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM totp_secrets AS t WHERE t.user_id = users.id"],
    export: Some(Section { member: "totp", select: EXPORT, paging: Paging::FirstPage { limit: 1 } }),
    walk: None,
};

/// A stored secret, encrypted.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct SealedTotp {
    pub id: TotpId,
    pub secret: String,
    pub encrypted_by: String,
}

impl From<SealedTotp> for (TotpId, Sealed) {
    fn from(row: SealedTotp) -> Self {
        (row.id, Sealed { text: row.secret, key_id: row.encrypted_by })
    }
}

/// The outcome of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferOutcome {
    /// The secret waits for its first code.
    Added,
    /// The owner may not add it any more.
    NoOwner,
    /// The mailed code is no valid one of this user, or was used concurrently.
    NoCode,
}

/// Stores a secret that waits for its first code, and uses the mailed code up, if it takes one.
///
/// # Errors
/// [`DbError`].
pub async fn add_pending(
    store: &Store,
    owner: FactorOwner,
    id: TotpId,
    secret: &Sealed,
    code: Option<PresentedProof>,
    request: RequestInfo<'_>,
) -> Result<OfferOutcome, DbError> {
    let insert = |sql| {
        let insert = owner.bind(query(sql), request.now).bind("totp_id", id);
        insert.bind("secret", secret.text.as_str()).bind("encrypted_by", secret.key_id.as_str())
    };
    let of_offer = |sql| of_secret(sql, owner.user_id, id);
    let mut statements = match code {
        None => vec![insert(INSERT_PENDING)],
        Some(proof) => {
            vec![bind_presented(insert(INSERT_PENDING_BY_CODE), proof), of_offer(USE_CODE).bind("proof_id", proof.id)]
        }
    };
    statements.extend([of_offer(SELECT_NEW), select_present_owner(owner, request.now)]);
    let results = store.batch_of(statements).await?;
    let [.., added, present] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    Ok(match (added.all::<IdRow>()?.is_empty(), present.all::<IdRow>()?.is_empty()) {
        (false, _) => OfferOutcome::Added,
        (true, true) => OfferOutcome::NoOwner,
        (true, false) => OfferOutcome::NoCode,
    })
}

fn of_secret(sql: &'static str, user_id: UserId, id: TotpId) -> Statement {
    query(sql).bind("user_id", user_id).bind("totp_id", id)
}

/// Reads the secret that waits for its first code.
#[must_use]
pub fn pending(user_id: UserId, now: Timestamp) -> Read<Option<SealedTotp>> {
    let select = query(SELECT_PENDING).bind("user_id", user_id).bind("offered_after", offered_after(now));
    Read::of(select, Rows::first)
}

/// The step-up of an offer was at most ten minutes before it. An older offer may be that of a thief, with another session.
const fn offered_after(now: Timestamp) -> Timestamp {
    now.plus_seconds(-MAX_AGE_SECONDS)
}

/// Confirms a pending secret by its first code, which is used thereby. It replaces the former secret and the recovery codes,
/// and ends all other sessions. `None` if the secret was replaced or the session ended concurrently; otherwise perhaps the
/// notice.
///
/// # Errors
/// [`DbError`].
pub async fn confirm(
    store: &Store,
    owner: FactorOwner,
    (id, step): (TotpId, TimeStep),
    code_hashes: &str,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<Option<QueuedMail>>, DbError> {
    let (user_id, nonce) = (owner.user_id, request.stamp.nonce());
    let of_offer = |sql| {
        let of_owner = owner.bind(query(sql), request.now).bind("totp_id", id);
        of_owner.bind("offered_after", offered_after(request.now))
    };
    let event = Event::of(EventType::FactorAdded, user_id).because(Reason::Totp).within(owner.session_id);
    let end = of_secret(END_OTHERS, user_id, id).bind("confirmed_by", nonce).bind("kept_id", owner.session_id);
    let mut statements = vec![
        of_offer(DELETE_FORMER),
        of_offer(CONFIRM).bind("step", step.get()).bind("confirmed_by", nonce),
        record_if_changed(request, event),
        recorded(request, EventType::FactorAdded),
        recovery_codes::give_with_totp(user_id, (id, nonce), code_hashes, request.now),
        end,
    ];
    statements.extend(event_notice(notice, user_id, EventType::FactorAdded, request));
    let results = store.batch_of(statements).await?;
    let [_, confirmed, _, recorded, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    Ok(is_done(confirmed, recorded)?.then_some(mail))
}

/// Reads secrets that the next or the previous `SECRET_KEY` has encrypted.
#[must_use]
pub fn outdated(next: Option<&str>, previous: Option<&str>, limit: i64) -> Read<Vec<SealedTotp>> {
    let select = query(SELECT_OUTDATED).bind("next", next).bind("previous", previous);
    Read::of(select.bind("limit", limit), Rows::all)
}

/// Counts the secrets of another key.
pub(in crate::store) fn count_outdated(current_key: &str) -> Statement {
    query(COUNT_OUTDATED).bind("current", current_key)
}

/// Replaces an encrypted secret by the same one under another key.
///
/// # Errors
/// [`DbError`].
pub async fn encrypt_anew(store: &Store, id: TotpId, former: &Sealed, sealed: &Sealed) -> Result<(), DbError> {
    let update = query(ENCRYPT_ANEW)
        .bind("totp_id", id)
        .bind("former", former.text.as_str())
        .bind("secret", sealed.text.as_str())
        .bind("encrypted_by", sealed.key_id.as_str());
    let [_] = store.batch([update]).await?;
    Ok(())
}
