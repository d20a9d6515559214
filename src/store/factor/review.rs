//! Second factors and identities after a new password by mail. The young ones are suspended, since a thief of the mailbox, or of the account
//! before, may have added them; the owner confirms them after signing in.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::domain::time::{DAY, Timestamp};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::{self, RequestInfo, insert_event, recorded};
use crate::store::factor::changes::{FactorOwner, owner_is_present, select_present_owner};
use crate::store::factor::due::codes_hold;
use crate::store::mail::notices::{Notice, event_notice, queued};
use crate::store::mail::outbox::QueuedMail;
use crate::store::mail::proofs::{PresentedProof, bind_if_presented, proof_holds};
use crate::store::password::new_hash::is_set;
use crate::store::{IdRow, Store, boolean};

/// Factors that are younger are suspended, in milliseconds: 7 days.
pub(in crate::store) const YOUNG_MS: i64 = 7 * DAY * 1000;

const DELETE_PENDING: &str =
    concat!("DELETE FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 0 AND ", is_set!());

const SUSPEND_TOTP: &str = concat!(
    "UPDATE totp_secrets SET suspended_at = :now
     WHERE user_id = :user_id AND is_confirmed = 1 AND suspended_at IS NULL AND created_at > :now - :young AND ",
    is_set!()
);

const SUSPEND_PASSKEYS: &str = concat!(
    "UPDATE passkeys SET suspended_at = :now
     WHERE user_id = :user_id AND suspended_at IS NULL AND created_at > :now - :young AND ",
    is_set!()
);

const SUSPEND_IDENTITIES: &str = concat!(
    "UPDATE identities SET suspended_at = :now
     WHERE user_id = :user_id AND suspended_at IS NULL AND created_at > :now - :young AND ",
    is_set!()
);

/// A thief of an older factor's session may have replaced the codes. Those that a suspended factor withholds wait for the owner's confirmation.
const DELETE_YOUNG_CODES: &str = concat!(
    "DELETE FROM recovery_codes AS r WHERE user_id = :user_id AND created_at > :now - :young AND ",
    codes_hold!("<="),
    " AND ",
    is_set!()
);

const SELECT_REVIEW: &str = concat!(
    "SELECT created_at, suspended_at IS NOT NULL AS is_suspended FROM totp_secrets
     WHERE user_id = :user_id AND is_confirmed = 1 AND ",
    is_set!()
);

const SELECT_REVIEWED_PASSKEYS: &str = concat!(
    "SELECT id, name, created_at, suspended_at IS NOT NULL AS is_suspended FROM passkeys WHERE user_id = :user_id AND ",
    is_set!(),
    " ORDER BY id"
);

const SELECT_REVIEWED_IDENTITIES: &str = concat!(
    "SELECT id, provider, email, created_at, suspended_at IS NOT NULL AS is_suspended FROM identities WHERE user_id = :user_id AND ",
    is_set!(),
    " ORDER BY id"
);

/// The mailed code is valid, if the confirmation needs one.
macro_rules! code_holds {
    () => {
        concat!("(:proof_id IS NULL OR ", proof_holds!(), ")")
    };
}

/// A reset ends the sessions of a thief, so one that ended concurrently confirms nothing.
macro_rules! confirm {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET suspended_at = NULL WHERE user_id = :user_id AND suspended_at IS NOT NULL AND ",
            owner_is_present!(),
            " AND ",
            code_holds!()
        )
    };
}

const CONFIRM_PASSKEYS: &str = confirm!("passkeys");
const CONFIRM_TOTP: &str = confirm!("totp_secrets");
const CONFIRM_IDENTITIES: &str = confirm!("identities");
/// Precedes the statements that confirm.
const RECORD_CONFIRMATION: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: ":session_id", actor_id: "NULL", university_id: "NULL",
    from: concat!(
        "WHERE (EXISTS (SELECT 1 FROM passkeys WHERE user_id = :user_id AND suspended_at IS NOT NULL)
                OR EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND suspended_at IS NOT NULL)
                OR EXISTS (SELECT 1 FROM identities WHERE user_id = :user_id AND suspended_at IS NOT NULL)) AND ",
        owner_is_present!(),
        " AND ",
        code_holds!()
    ),
};
/// It follows the statements that confirm.
const USE_CODE: &str =
    concat!("DELETE FROM email_proofs WHERE id = :proof_id AND user_id = :user_id AND ", owner_is_present!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    DELETE_PENDING,
    SUSPEND_TOTP,
    SUSPEND_PASSKEYS,
    SUSPEND_IDENTITIES,
    DELETE_YOUNG_CODES,
    SELECT_REVIEW,
    SELECT_REVIEWED_PASSKEYS,
    SELECT_REVIEWED_IDENTITIES,
    CONFIRM_PASSKEYS,
    CONFIRM_TOTP,
    CONFIRM_IDENTITIES,
    RECORD_CONFIRMATION,
    USE_CODE,
];

/// The second factors of an account, for the owner to look through.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FactorReview {
    pub totp: Option<ReviewedTotp>,
    pub passkeys: Vec<ReviewedPasskey>,
    pub identities: Vec<ReviewedIdentity>,
}

/// An authenticator app in the review.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ReviewedTotp {
    pub created_at: Timestamp,
    #[serde(deserialize_with = "boolean")]
    pub is_suspended: bool,
}

/// A passkey in the review.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ReviewedPasskey {
    pub id: i64,
    pub name: String,
    pub created_at: Timestamp,
    #[serde(deserialize_with = "boolean")]
    pub is_suspended: bool,
}

/// An identity in the review.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct ReviewedIdentity {
    pub id: i64,
    pub provider: String,
    pub email: Option<String>,
    pub created_at: Timestamp,
    #[serde(deserialize_with = "boolean")]
    pub is_suspended: bool,
}

/// The statements that suspend young factors and identities, and delete young recovery codes, if the password was set to this hash.
pub(in crate::store) fn suspend(user_id: UserId, new_hash: &str, now: Timestamp) -> [Statement; 5] {
    let of_change = |sql| query(sql).bind("user_id", user_id).bind("new_hash", new_hash);
    let young = |sql| of_change(sql).bind("now", now).bind("young", YOUNG_MS);
    let [totp, passkeys, identities, codes] =
        [SUSPEND_TOTP, SUSPEND_PASSKEYS, SUSPEND_IDENTITIES, DELETE_YOUNG_CODES].map(young);
    [of_change(DELETE_PENDING), totp, passkeys, identities, codes]
}

/// The statements that select the review, if the password was set to this hash.
pub(in crate::store) fn select(user_id: UserId, new_hash: &str) -> [Statement; 3] {
    [SELECT_REVIEW, SELECT_REVIEWED_PASSKEYS, SELECT_REVIEWED_IDENTITIES]
        .map(|sql| query(sql).bind("user_id", user_id).bind("new_hash", new_hash))
}

/// Reads the rows of the review.
pub(in crate::store) fn read([totp, passkeys, identities]: [&Rows; 3]) -> Result<FactorReview, DbError> {
    Ok(FactorReview { totp: totp.first()?, passkeys: passkeys.all()?, identities: identities.all()? })
}

/// Confirms the factors that a reset suspended, if the mailed code is valid, or none is needed. Returns whether any was, and the notice; `None`,
/// and changes nothing, if the session ended concurrently.
///
/// # Errors
/// [`DbError`].
pub async fn confirm_suspended(
    store: &Store,
    owner: FactorOwner,
    code: Option<PresentedProof>,
    notice: Option<Notice>,
    request: RequestInfo<'_>,
) -> Result<Option<(bool, Option<QueuedMail>)>, DbError> {
    let of_owner = |sql| bind_if_presented(owner.bind(query(sql), request.now), code);
    let record = audit::insert(RECORD_CONFIRMATION, request, EventType::FactorsConfirmed)
        .bind("user_id", owner.user_id)
        .bind("session_id", owner.session_id)
        .bind("needs_proof", owner.needs_proof);
    let mut statements = vec![
        bind_if_presented(record, code),
        of_owner(CONFIRM_PASSKEYS),
        of_owner(CONFIRM_TOTP),
        of_owner(CONFIRM_IDENTITIES),
        recorded(request, EventType::FactorsConfirmed),
        select_present_owner(owner, request.now),
    ];
    statements.extend(event_notice(notice, owner.user_id, EventType::FactorsConfirmed, request));
    statements.extend(code.map(|proof| owner.bind(query(USE_CODE), request.now).bind("proof_id", proof.id)));
    let results = store.batch_of(statements).await?;
    let [_, _, _, _, recorded, present, ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let mail = queued(notice, &results)?;
    let was_suspended = !recorded.all::<IdRow>()?.is_empty();
    Ok((!present.all::<IdRow>()?.is_empty()).then_some((was_suspended, mail)))
}
