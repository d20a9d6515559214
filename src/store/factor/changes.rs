//! The statements that several changes of second factors share.

use serde::Deserialize;

use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{Rows, Statement, query};
use crate::store::boolean;
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;

/// The owner that adds a factor: active, with a live session, and with a proven address where `:needs_proof`. A factor
/// outlives its session, so the session must not have ended concurrently.
macro_rules! owner_is_present {
    () => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM users WHERE id = :user_id AND is_active = 1
                   AND (:needs_proof = 0 OR email_verified_at IS NOT NULL)
             ) AND ",
            $crate::store::session::liveness::session_is_live!()
        )
    };
}
pub(in crate::store) use owner_is_present;

/// The owner of a factor, for `owner_is_present!`.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FactorOwner {
    pub user_id: UserId,
    pub session_id: Option<SessionId>,
    pub needs_proof: bool,
}

impl FactorOwner {
    /// Binds the values of [`owner_is_present`].
    pub(in crate::store) fn bind(self, statement: Statement, now: Timestamp) -> Statement {
        statement
            .bind("user_id", self.user_id)
            .bind("session_id", self.session_id)
            .bind("needs_proof", self.needs_proof)
            .bind("now", now)
    }
}

const SELECT_PRESENT_OWNER: &str = concat!("SELECT :user_id AS id WHERE ", owner_is_present!());

/// Has a row if the owner may still add a factor.
pub(in crate::store) fn select_present_owner(owner: FactorOwner, now: Timestamp) -> Statement {
    owner.bind(query(SELECT_PRESENT_OWNER), now)
}

/// Ends every session of the user but one, under a condition.
macro_rules! end_others_if {
    ($condition:expr) => {
        concat!("DELETE FROM sessions WHERE user_id = :user_id AND id IS NOT :kept_id AND ", $condition)
    };
}
pub(in crate::store) use end_others_if;

/// This request has confirmed the secret, perhaps by an earlier execution of its batch.
macro_rules! is_confirmed {
    () => {
        "EXISTS (
             SELECT 1 FROM totp_secrets
             WHERE id = :totp_id AND user_id = :user_id AND is_confirmed = 1 AND nonce = :confirmed_by
         )"
    };
}
pub(super) use is_confirmed;

/// Recovery codes without a second factor are of no use. It follows the removal of a factor.
const DELETE_USELESS_CODES: &str = "
    DELETE FROM recovery_codes
    WHERE user_id = :user_id AND NOT EXISTS (SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1)
      AND NOT EXISTS (SELECT 1 FROM passkeys WHERE user_id = :user_id)";

const SELECT_FACTORS: &str = concat!(
    "SELECT (SELECT t.created_at FROM totp_secrets AS t WHERE t.user_id = u.id AND t.is_confirmed = 1) AS totp_created_at,
            EXISTS (
                SELECT 1 FROM totp_secrets AS t WHERE t.user_id = u.id AND t.is_confirmed = 1 AND t.suspended_at IS NOT NULL
            ) AS is_totp_suspended,
            coalesce((SELECT length(r.hashes) / 65 FROM recovery_codes AS r WHERE r.user_id = u.id), 0) AS recovery_codes_left
     FROM users AS u WHERE u.id = :user_id AND ",
    session_is_live!()
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_PRESENT_OWNER, DELETE_USELESS_CODES, SELECT_FACTORS];

pub(super) fn delete_useless_codes(user_id: UserId) -> Statement {
    query(DELETE_USELESS_CODES).bind("user_id", user_id)
}

/// The second factors of a user beside the passkeys.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FactorsRow {
    pub totp_created_at: Option<Timestamp>,
    #[serde(deserialize_with = "boolean")]
    pub is_totp_suspended: bool,
    pub recovery_codes_left: i64,
}

/// Reads them; `None` if the session has ended.
#[must_use]
pub fn factors(user_id: UserId, session_id: SessionId, now: Timestamp) -> Read<Option<FactorsRow>> {
    let select = query(SELECT_FACTORS).bind("user_id", user_id).bind("session_id", session_id).bind("now", now);
    Read::of(select, Rows::first)
}
