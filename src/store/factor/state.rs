//! The second factors of an account, read for a check.

use serde::Deserialize;

use crate::domain::factor::pending::MAX_WRONG_ANSWERS;
use crate::domain::factor::totp::TimeStep;
use crate::domain::ids::{ChallengeId, PasskeyId, TotpId, UserId};
use crate::domain::limits::throttle::{DAY_MS, MAX_FAILURES};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, query};
use crate::store::factor::due::codes_hold;
use crate::store::factor::passkeys::MAX_PASSKEYS;
use crate::store::factor::usage::codes_wait;
use crate::store::read::Read;
use crate::store::{boolean, optional_boolean};

/// The columns of a passkey that its check needs.
macro_rules! passkey_columns {
    () => {
        "p.id AS passkey_id, p.credential_id, p.algorithm, p.public_key, p.sign_count, p.is_backup_eligible"
    };
}

const SELECT_STATE: &str = concat!(
    "SELECT u.id AS user_id, u.is_active, u.password_version, u.passkey_handle, t.id AS totp_id, t.secret, t.encrypted_by, t.used_step,
            coalesce(r.hashes, '') AS recovery_hashes, ",
    codes_wait!(),
    " AS codes_wait, EXISTS (
         SELECT 1 FROM used_challenges AS c
         WHERE c.id = :challenge_id AND (c.used_at IS NOT NULL OR c.failures >= :max_wrong)
     ) AS is_answered, ",
    passkey_columns!(),
    " FROM users AS u
     LEFT JOIN totp_secrets AS t ON t.user_id = u.id AND t.is_confirmed = 1 AND t.suspended_at IS NULL
     LEFT JOIN recovery_codes AS r ON r.user_id = u.id AND ",
    codes_hold!(),
    " LEFT JOIN passkeys AS p ON p.credential_id = :credential_id AND p.user_id = u.id AND p.suspended_at IS NULL
     WHERE u.id = :user_id AND u.erasure_cursor IS NULL"
);

/// The owner of a passkey, for a sign-in without an address.
const SELECT_OWNER: &str = concat!(
    "SELECT u.id AS user_id, u.is_active, u.password_version, u.passkey_handle, NULL AS totp_id, NULL AS secret, NULL AS encrypted_by,
            NULL AS used_step, '' AS recovery_hashes, 0 AS codes_wait, EXISTS (
                SELECT 1 FROM used_challenges AS c WHERE c.id = :challenge_id AND c.used_at IS NOT NULL
            ) AS is_answered, ",
    passkey_columns!(),
    " FROM passkeys AS p JOIN users AS u ON u.id = p.user_id
     WHERE p.credential_id = :credential_id AND p.suspended_at IS NULL AND u.erasure_cursor IS NULL"
);

/// All passkeys of a user.
const SELECT_PASSKEYS: &str = concat!(
    "SELECT ",
    passkey_columns!(),
    ", (SELECT u.passkey_handle FROM users AS u WHERE u.id = p.user_id) AS user_handle
     FROM passkeys AS p WHERE p.user_id = :user_id AND p.suspended_at IS NULL ORDER BY p.id LIMIT :limit"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_STATE, SELECT_OWNER, SELECT_PASSKEYS];

/// The stored secret of an authenticator app.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct StoredTotp {
    pub id: TotpId,
    pub secret: String,
    pub encrypted_by: String,
    pub used_step: Option<TimeStep>,
}

/// A passkey as it is stored.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct StoredPasskeyRow {
    #[serde(rename = "passkey_id")]
    pub id: PasskeyId,
    pub credential_id: String,
    pub algorithm: String,
    pub public_key: String,
    pub sign_count: u32,
    #[serde(deserialize_with = "boolean")]
    pub is_backup_eligible: bool,
    pub user_handle: Option<String>,
}

/// An account with its second factors.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FactorState {
    pub user_id: UserId,
    pub is_active: bool,
    pub password_version: i64,
    pub totp: Option<StoredTotp>,
    /// The hashes of the recovery codes, as stored.
    pub recovery_hashes: String,
    /// Codes of authenticator apps are refused at present.
    pub codes_wait: bool,
    /// The challenge was answered, or has had too many wrong answers.
    pub is_answered: bool,
    /// The passkey of the answer, if it is one of the user's.
    pub passkey: Option<StoredPasskeyRow>,
}

#[derive(Deserialize)]
struct StateRow {
    user_id: UserId,
    #[serde(deserialize_with = "boolean")]
    is_active: bool,
    password_version: i64,
    passkey_handle: Option<String>,
    totp_id: Option<TotpId>,
    secret: Option<String>,
    encrypted_by: Option<String>,
    used_step: Option<i64>,
    recovery_hashes: String,
    #[serde(deserialize_with = "boolean")]
    codes_wait: bool,
    #[serde(deserialize_with = "boolean")]
    is_answered: bool,
    passkey_id: Option<PasskeyId>,
    credential_id: Option<String>,
    algorithm: Option<String>,
    public_key: Option<String>,
    sign_count: Option<u32>,
    #[serde(deserialize_with = "optional_boolean")]
    is_backup_eligible: Option<bool>,
}

impl From<StateRow> for FactorState {
    fn from(row: StateRow) -> Self {
        let totp = row.totp_id.zip(row.secret).zip(row.encrypted_by).map(|((id, secret), encrypted_by)| StoredTotp {
            id,
            secret,
            encrypted_by,
            used_step: row.used_step.map(TimeStep::new),
        });
        let key = row.algorithm.zip(row.public_key).zip(row.sign_count.zip(row.is_backup_eligible));
        let passkey = row.passkey_id.zip(row.credential_id).zip(key).map(
            |((id, credential_id), ((algorithm, public_key), (sign_count, is_backup_eligible)))| StoredPasskeyRow {
                id,
                credential_id,
                algorithm,
                public_key,
                sign_count,
                is_backup_eligible,
                user_handle: row.passkey_handle,
            },
        );
        Self {
            user_id: row.user_id,
            is_active: row.is_active,
            password_version: row.password_version,
            totp,
            recovery_hashes: row.recovery_hashes,
            codes_wait: row.codes_wait,
            is_answered: row.is_answered,
            passkey,
        }
    }
}

fn first(rows: &Rows) -> Result<Option<FactorState>, DbError> {
    Ok(rows.first::<StateRow>()?.map(FactorState::from))
}

/// Reads the factors of a user. `throttle` is the key of the counter of wrong codes, `credential_id` that of a presented
/// passkey.
#[must_use]
pub fn of_user(
    user_id: UserId,
    challenge: Option<ChallengeId>,
    credential_id: Option<&str>,
    throttle: &str,
    now: Timestamp,
) -> Read<Option<FactorState>> {
    let select = query(SELECT_STATE)
        .bind("user_id", user_id)
        .bind("challenge_id", challenge)
        .bind("credential_id", credential_id)
        .bind("throttle", throttle)
        .bind("max_failures", MAX_FAILURES)
        .bind("max_wrong", MAX_WRONG_ANSWERS)
        .bind("day", DAY_MS)
        .bind("now", now);
    Read::of(select, first)
}

/// Reads the passkeys of a user.
#[must_use]
pub fn passkeys_of(user_id: UserId) -> Read<Vec<StoredPasskeyRow>> {
    Read::of(query(SELECT_PASSKEYS).bind("user_id", user_id).bind("limit", MAX_PASSKEYS), Rows::all)
}

/// Reads the owner of a passkey.
#[must_use]
pub fn of_passkey(credential_id: &str, challenge: ChallengeId) -> Read<Option<FactorState>> {
    Read::of(query(SELECT_OWNER).bind("credential_id", credential_id).bind("challenge_id", challenge), first)
}
