//! Pages of a list, by keyset: a page begins behind the id at which the last one ended, never at an offset, so
//! that a page costs the same wherever it is, and nothing is shown twice when rows come and go.

use crate::ports::{Statement, query};

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// At most so many items.
    pub limit: usize,
    /// Behind the item with this id; from the beginning, if there is none.
    pub after: Option<i64>,
}

impl PageRequest {
    /// A statement that selects one page in ascending order: rows whose id is greater than `:after`, at most `:limit`.
    pub(super) fn query(self, sql: &'static str) -> Statement {
        query(sql).bind("after", self.after.unwrap_or(0)).bind("limit", self.rows())
    }

    /// One row more than the page holds tells whether there is another page.
    pub(super) fn rows(self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX - 1) + 1
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The id behind which the next page begins; none on the last page.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    pub(super) fn new(mut items: Vec<T>, request: PageRequest, id: impl Fn(&T) -> i64) -> Self {
        let has_more = items.len() > request.limit;
        items.truncate(request.limit);
        let next = items.last().map(id).filter(|_| has_more);
        Self { items, next }
    }
}
