//! Emptying an account whose address was never proven, for the line that proves it.

use crate::store::account::import::{line_holds, made};
use crate::store::audit::{insert_events, is_recorded};
use crate::store::federation::facts::administers;

/// Nothing of a registration by a stranger is the owner's. Triggers of the schema remove its factors and identities.
pub(super) const EMPTY: &str = concat!(
    "UPDATE users AS u
     SET password_hash = d.value ->> 2, has_password = d.value ->> 3, password_version = password_version + 1,
         full_name = d.value ->> 4, is_active = d.value ->> 5, created_at = d.value ->> 6, email_verified_at = d.value ->> 7,
         mail_refused_at = NULL, registered_network = NULL,
         imported_by = :importer, external_id = d.value ->> 8, import_id = d.value ->> 0
     FROM json_each(:lines) AS d
     WHERE d.value ->> 9 = 1 AND u.email = d.value ->> 1 AND u.email_verified_at IS NULL AND u.erasure_cursor IS NULL
       AND NOT ",
    administers!(),
    " AND ",
    line_holds!()
);

const DELETE_ROLES: &str = concat!(
    "DELETE FROM user_university_roles WHERE user_id IN (SELECT u.id FROM ",
    made!(" AND d.value ->> 9 = 1"),
    ")"
);
const DELETE_KEYS: &str =
    concat!("DELETE FROM api_keys WHERE user_id IN (SELECT u.id FROM ", made!(" AND d.value ->> 9 = 1"), ")");
const DELETE_SESSIONS: &str =
    concat!("DELETE FROM sessions WHERE user_id IN (SELECT u.id FROM ", made!(" AND d.value ->> 9 = 1"), ")");
const DELETE_PROOFS: &str = concat!(
    "DELETE FROM email_proofs WHERE purpose <> 'undo' AND user_id IN (SELECT u.id FROM ",
    made!(" AND d.value ->> 9 = 1"),
    ")"
);
/// Networks and devices of the stranger, and the waits that the stranger caused.
const DELETE_THROTTLES: &str = concat!(
    "DELETE FROM throttles WHERE key IN (
         SELECT t.key FROM (SELECT u.id FROM ",
    made!(" AND d.value ->> 9 = 1"),
    ") AS m CROSS JOIN throttles AS t ON t.key > 'user/' || m.id || '/' AND t.key < 'user/' || m.id || '0'
     )"
);

pub(super) const RECORD: &str = insert_events! {
    type: ":type", reason: ":reason", user_id: "u.id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL",
    from: concat!("FROM ", made!(" AND d.value ->> 9 = 1"), " AND NOT ", is_recorded!()),
};

/// Removes everything else of the accounts that the batch has emptied.
pub(super) const DELETIONS: &[&str] = &[DELETE_ROLES, DELETE_KEYS, DELETE_SESSIONS, DELETE_PROOFS, DELETE_THROTTLES];

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[EMPTY, DELETE_ROLES, DELETE_KEYS, DELETE_SESSIONS, DELETE_PROOFS, DELETE_THROTTLES, RECORD];
