//! The second factors that an account is asked for after its first one.

use serde::Deserialize;

use crate::domain::ids::UserId;
use crate::domain::limits::standing::Counter;
use crate::domain::password::verified::VerifiedPassword;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::boolean;
use crate::store::names;
use crate::store::password::throttle;
use crate::store::read::Read;

/// The user `:user_id` has a second factor. Recovery codes alone are none, and a suspended factor is not asked for.
macro_rules! has_factor {
    () => {
        "(EXISTS (
              SELECT 1 FROM totp_secrets WHERE user_id = :user_id AND is_confirmed = 1 AND suspended_at IS NULL
          ) OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = :user_id AND suspended_at IS NULL))"
    };
}
pub(in crate::store) use has_factor;

/// The recovery codes `r` were not given while a factor was there that is suspended now: a thief that added it may have seen
/// them.
macro_rules! codes_hold {
    () => {
        $crate::store::factor::due::codes_hold!("<")
    };
    ($before:literal) => {
        concat!(
            "NOT EXISTS (
                 SELECT 1 FROM totp_secrets AS x
                 WHERE x.user_id = r.user_id AND x.suspended_at IS NOT NULL AND x.created_at <= r.created_at
                   AND r.created_at ",
            $before,
            " x.suspended_at
             ) AND NOT EXISTS (
                 SELECT 1 FROM passkeys AS x
                 WHERE x.user_id = r.user_id AND x.suspended_at IS NOT NULL AND x.created_at <= r.created_at
                   AND r.created_at ",
            $before,
            " x.suspended_at
             )"
        )
    };
}
pub(in crate::store) use codes_hold;

/// The passkeys of the user `u` under a condition: of each its id and its list of transports, with a blank between.
macro_rules! passkey_list {
    ($condition:literal) => {
        concat!(
            "(SELECT json_group_array(p.credential_id || ' ' || p.transports) FROM passkeys AS p WHERE p.user_id = u.id AND ",
            $condition,
            ")"
        )
    };
}
pub(in crate::store) use passkey_list;

/// The columns of [`DueFactors`], of the user `u`.
macro_rules! due_columns {
    () => {
        concat!(
            "u.password_version, EXISTS (
                 SELECT 1 FROM totp_secrets AS t WHERE t.user_id = u.id AND t.is_confirmed = 1 AND t.suspended_at IS NULL
             ) AS has_totp, EXISTS (SELECT 1 FROM recovery_codes AS r WHERE r.user_id = u.id AND r.hashes <> '' AND ",
            $crate::store::factor::due::codes_hold!(),
            ") AS has_recovery_codes, ",
            $crate::store::factor::due::passkey_list!("p.suspended_at IS NULL"),
            " AS passkeys"
        )
    };
}
pub(in crate::store) use due_columns;

/// A condition that holds if the verified password still counts, and a second factor is due.
macro_rules! is_due {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM users WHERE id = :user_id AND password_version = :version) AND ",
            $crate::store::factor::due::has_factor!(),
            " AND ",
            $crate::store::password::throttle::no_wait!()
        )
    };
}
pub(in crate::store) use is_due;

const SELECT_DUE: &str = concat!("SELECT ", due_columns!(), " FROM users AS u WHERE u.id = :user_id AND ", is_due!());

const SELECT_OF_USER: &str =
    concat!("SELECT ", due_columns!(), " FROM users AS u WHERE u.id = :user_id AND ", has_factor!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_DUE, SELECT_OF_USER];

/// A passkey that may answer a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct AllowedPasskey {
    pub credential_id: String,
    pub transports: Vec<String>,
}

/// Reads the column of a `passkey_list!`.
pub(super) fn read_list(text: &str) -> Result<Vec<AllowedPasskey>, DbError> {
    let passkey = |passkey: String| {
        let (id, transports) = passkey.split_once(' ').unwrap_or_default();
        Ok(AllowedPasskey { credential_id: id.to_owned(), transports: names::parse(transports)? })
    };
    names::parse(text)?.into_iter().map(passkey).collect()
}

/// The second factors of an account.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DueFactors {
    pub password_version: i64,
    pub has_totp: bool,
    pub has_recovery_codes: bool,
    pub passkeys: Vec<AllowedPasskey>,
}

#[derive(Deserialize)]
struct DueRow {
    password_version: i64,
    #[serde(deserialize_with = "boolean")]
    has_totp: bool,
    #[serde(deserialize_with = "boolean")]
    has_recovery_codes: bool,
    passkeys: String,
}

impl DueFactors {
    /// Reads the columns of the first row; `None` if there is no row.
    pub(in crate::store) fn read(rows: &Rows) -> Result<Option<Self>, DbError> {
        let Some(row) = rows.first::<DueRow>()? else { return Ok(None) };
        let DueRow { password_version, has_totp, has_recovery_codes, passkeys } = row;
        let passkeys = read_list(&passkeys)?;
        Ok(Some(Self { password_version, has_totp, has_recovery_codes, passkeys }))
    }
}

/// Reads the second factors of a signed-in user; `None` without any.
#[must_use]
pub fn of_user(user_id: UserId) -> Read<Option<DueFactors>> {
    Read::of(query(SELECT_OF_USER).bind("user_id", user_id), DueFactors::read)
}

/// Selects the factors that are due after a right password.
pub(in crate::store) fn select(verified: VerifiedPassword, counter: &Counter, request: RequestInfo<'_>) -> Statement {
    bind(query(SELECT_DUE), verified, counter).bind("now", request.now)
}

/// Binds the values of [`is_due`], apart from `:now`.
pub(in crate::store) fn bind(statement: Statement, verified: VerifiedPassword, counter: &Counter) -> Statement {
    throttle::bind_guard(statement, counter).bind("user_id", verified.user_id).bind("version", verified.version)
}
