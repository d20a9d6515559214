//! The register of user data: every table with rows of one user, said once.
//!
//! Erasure, export and clean-up loop over it. A new table is one entry here, and one constant in the store file that owns
//! its SQL. `tests/api/migrations.rs` compares the register with the foreign keys of the schema.

use crate::domain::ids::UserId;
use crate::ports::{Statement, query};
use crate::store::owned::Owned;
use crate::store::{audit, authz, campus, factor, federation, machine, mail, password, session};

/// Every table, in the order of erasure.
pub static OWNED: &[Owned] = &[
    authz::grants::OWNED,
    session::OWNED,
    machine::user_keys::OWNED,
    factor::totp::OWNED,
    factor::recovery_codes::OWNED,
    factor::passkeys::OWNED,
    factor::challenges::OWNED,
    federation::identities::OWNED,
    mail::proofs::OWNED,
    mail::outbox::OWNED,
    mail::notices::OWNED,
    campus::owned::OWNED,
    password::throttle::OWNED,
    audit::OWNED,
];

/// Rows of each table in one step of an erasure. D1 runs one statement at a time, so a statement must stay short.
pub const STEP: i64 = 1000;

/// The statements of one step of an erasure, table by table.
pub(in crate::store) fn erasure_steps(user_id: UserId) -> impl Iterator<Item = Statement> {
    let statements = OWNED.iter().flat_map(|owned| owned.erase.iter().copied());
    statements.map(move |sql| query(sql).bind("user_id", user_id).bind("step", STEP))
}

/// A condition that holds if no table has rows left that belong to the row of `users`.
pub(in crate::store) fn nothing_remains() -> String {
    let queries = OWNED.iter().flat_map(|owned| owned.remains);
    let conditions: Vec<String> = queries.map(|query| format!("NOT EXISTS ({query})")).collect();
    conditions.join(" AND ")
}
