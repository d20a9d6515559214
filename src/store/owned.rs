//! The shape of an entry in the register of what a user owns (`store/account/register.rs`). Each corridor describes its
//! tables in this shape, beside their SQL.

use crate::store::platform::clean_up::Walk;

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
