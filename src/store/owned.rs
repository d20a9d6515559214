//! The type of an entry in the register of user-owned data (`store/account/user_data.rs`). Each corridor describes its
//! tables with this type, beside their SQL.

use crate::domain::audit::EventType;
use crate::store::platform::clean_up::Walk;

/// One table with rows of a user.
#[derive(Debug)]
pub struct Owned {
    /// Name of the table in the schema.
    pub table: &'static str,
    /// The statements of one step of erasure, for an erased `:user_id` and at most `:step` rows. Order matters:
    /// referring rows are deleted before the rows they refer to.
    pub erase: &'static [&'static str],
    /// Queries that have a row while the erasure is unfinished. They refer to the outer `users` row.
    pub remains: &'static [&'static str],
    /// The section of the user's export; absent if other sections contain the same information.
    pub export: Option<Section>,
    /// The walk of the clean-up; absent if rows never become outdated.
    pub walk: Option<Walk>,
}

/// A section of the export.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The member of the export that lists the rows.
    pub member: &'static str,
    /// Selects the exported rows, by `:user_id` and `:limit`; a paged section also takes `:before`, a key. It selects
    /// nothing unless `:session_id` is live at `:now`, because it runs before access is decided.
    pub select: &'static str,
    /// How the section is divided into pages.
    pub paging: Paging,
}

/// How a section of the export is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// All rows are on the first page, since a user cannot have more of them than this limit.
    FirstPage {
        /// Maximum number of rows.
        limit: i64,
    },
    /// Rows are listed by this descending key over all pages: an exported column, unique among the rows of the user. For
    /// tables that have no maximum of rows per user.
    ByKey {
        /// Name of the column in a row.
        key: &'static str,
        /// The type of an event that the export itself adds to the rows: it is left out by `:own_nonce`.
        own_event: Option<EventType>,
    },
}
