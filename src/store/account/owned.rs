//! The register of what a user owns: every table with rows of one user, said once.
//!
//! Erasure, export and clean-up loop over it, so a new table is one entry here and one constant in the store file that
//! owns its SQL. A table whose rows are few per user and carry `ON DELETE CASCADE` needs no entry.

use crate::domain::ids::UserId;
use crate::ports::Statement;
use crate::ports::query;
use crate::store::platform::clean_up::Walk;
use crate::store::{audit, authz, password, session};

/// One table with rows of a user.
#[derive(Debug)]
pub struct Owned {
    /// The table's name.
    pub table: &'static str,
    /// The statements of one step of erasure, for an erased `:user_id` and at most `:step` rows. Their order counts: rows
    /// that refer to others go first.
    pub erase: &'static [&'static str],
    /// Queries that have a row while the erasure is unfinished. They refer to the outer `users` row.
    pub remains: &'static [&'static str],
    /// The section of the user's export, if the rows tell the user something that no other section does.
    pub export: Option<Section>,
    /// The walk of the clean-up, if rows outlive their use.
    pub walk: Option<Walk>,
}

/// A section of the export.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The member of the export that lists the rows.
    pub member: &'static str,
    /// Selects what is exported, by `:user_id` and `:limit`; a paged section also takes `:before`, an id.
    pub select: &'static str,
    /// How the section is divided into pages.
    pub paging: Paging,
}

/// How a section of the export is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// All rows stand on the first page: more than this limit cannot be on file.
    FirstPage {
        /// Rows.
        limit: i64,
    },
    /// Rows are listed by falling id over all pages. One section at most, since a page has one cursor.
    ById,
}

/// Every table, in the order of erasure.
pub static OWNED: &[Owned] = &[
    authz::grants::OWNED,
    session::rotation::OWNED,
    session::OWNED,
    #[cfg(feature = "campus")]
    crate::store::campus::enrollments::OWNED,
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

/// A condition that holds when nothing of the `users` row in question is left.
pub(in crate::store) fn nothing_remains() -> String {
    let queries = OWNED.iter().flat_map(|owned| owned.remains);
    let conditions: Vec<String> = queries.map(|query| format!("NOT EXISTS ({query})")).collect();
    conditions.join(" AND ")
}
