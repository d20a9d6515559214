//! Keyset pagination: a page begins after the last id of the previous page, not at an offset. Every page costs the
//! same, and concurrent inserts and deletions duplicate no row.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ports::{Rows, Statement, query};
use crate::store::read::Read;

/// Rows that one page examines at most, if no index serves its filter.
const EXAMINED: i64 = 1000;

/// A table `merged (place, id)`: the next `:limit` ids behind `:after` among the rows of several places, each of which has an
/// index of its own. `rows` ends in the column that is the place of a row; `places` selects the places, as `place`.
///
/// `SQLite` extracts the rows of an ordered recursion least first. So this is a merge with a priority queue: it begins with
/// the next row of each place, and replaces each extracted row by the next one of its place. It reads a row per place and
/// one per item of the page. A place without a further row has the id NULL, at the end.
macro_rules! merged {
    (rows: $rows:literal, places: $places:expr) => {
        concat!(
            "WITH RECURSIVE merged (place, id) AS (
                 SELECT places.place, (SELECT id FROM ",
            $rows,
            " = places.place AND id > :after ORDER BY id LIMIT 1)
                 FROM (",
            $places,
            ") AS places
                 UNION ALL
                 SELECT place, (SELECT id FROM ",
            $rows,
            " = merged.place AND id > merged.id ORDER BY id LIMIT 1)
                 FROM merged WHERE id IS NOT NULL
                 ORDER BY 2 NULLS LAST LIMIT :limit
             ) "
        )
    };
}
pub(super) use merged;

/// The position and the size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Maximum number of items.
    pub limit: usize,
    /// The page begins after the item with this id; `None` is the first page.
    pub after: Option<i64>,
}

impl PageRequest {
    /// A statement that selects one page in ascending order: rows whose id is greater than `:after`, at most `:limit`.
    pub(super) fn query(self, sql: &'static str) -> Statement {
        query(sql).bind("after", self.after.unwrap_or(0)).bind("limit", self.rows())
    }

    /// One row more than the page holds shows whether another page follows.
    pub(super) fn rows(self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX - 1) + 1
    }

    /// A page of the rows that match a filter among the next `:examined` rows. It may have fewer items than the limit, or
    /// none, although another page follows. The second statement selects the last examined row: only if there are that
    /// many, and the page is not full.
    pub(super) fn examined<T: DeserializeOwned + 'static>(
        self,
        statements: [Statement; 2],
        id: fn(&T) -> i64,
    ) -> Read<Page<T>> {
        let limit = self.rows();
        let [select, last] = statements.map(|sql| sql.bind("limit", limit).bind("examined", EXAMINED));
        let page = Read::of(select, move |rows| Ok(Page::new(rows.all()?, self, id)));
        page.and(Read::of(last, Rows::first::<LastRow>)).map(|(mut page, last)| {
            page.next = page.next.or(last.map(|row| row.id));
            page
        })
    }
}

#[derive(Deserialize)]
struct LastRow {
    id: i64,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// At most [`PageRequest::limit`] items.
    pub items: Vec<T>,
    /// [`PageRequest::after`] of the next page; `None` on the last page.
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
