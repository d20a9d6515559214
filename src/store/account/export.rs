//! The export of a user's data, page by page: the sections of the register, in its order.
//!
//! Rows are generic lists of columns, not one struct per table. The SELECT of a section alone defines the exported
//! columns, and a new table needs no code here.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::domain::audit::EventType;
use crate::domain::ids::{EventId, UserId};
use crate::ports::{DbError, Statement, query};
use crate::store::Store;
use crate::store::account::user_data::OWNED;
use crate::store::audit::{Event, RequestInfo, record};
use crate::store::owned::{Paging, Section};

/// Rows of the paged section on one page.
pub const PAGE: usize = 1000;

/// A value of an exported row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the variants are SQL's types")]
pub enum ExportValue {
    Null,
    /// Columns that end in `_at` are milliseconds since the Unix epoch.
    Integer(i64),
    Text(String),
}

/// An exported row: names and values of its columns, in the order of the SELECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRow(pub Vec<(String, ExportValue)>);

impl<'de> Deserialize<'de> for ExportRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;

        impl<'de> Visitor<'de> for Columns {
            type Value = ExportRow;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a row object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExportRow, A::Error> {
                let mut columns = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(ExportRow(columns))
            }
        }

        deserializer.deserialize_map(Columns)
    }
}

impl ExportRow {
    fn id(&self) -> Option<EventId> {
        let id = self.0.iter().find(|(name, _)| name == "id");
        id.and_then(|(_, value)| match value {
            ExportValue::Integer(id) => EventId::new(*id),
            ExportValue::Null | ExportValue::Text(_) => None,
        })
    }
}

/// One page of an export.
#[derive(Debug)]
pub struct ExportPage {
    /// The rows of each section, by the name of its member. Sections that are not paged are empty after the first page.
    pub sections: Vec<(&'static str, Vec<ExportRow>)>,
    /// The next page begins below this id; absent on the last page.
    pub next: Option<EventId>,
}

/// Reads one page. The first page, without `before`, records that the export was requested.
///
/// # Errors
/// [`DbError`].
pub async fn page(
    store: &Store,
    user_id: UserId,
    before: Option<EventId>,
    request: RequestInfo<'_>,
) -> Result<ExportPage, DbError> {
    let sections: Vec<Section> = OWNED.iter().filter_map(|owned| owned.export).collect();
    let is_read = |section: &&Section| before.is_none() || section.paging == Paging::ById;
    let mut statements: Vec<Statement> =
        sections.iter().filter(is_read).map(|section| select(section, user_id, before)).collect();
    if before.is_none() {
        statements.push(record(request, Event::of(EventType::Exported, user_id)));
    }
    let mut results = store.batch_of(statements).await?.into_iter();
    let mut page = ExportPage { sections: Vec::with_capacity(sections.len()), next: None };
    for section in &sections {
        let rows = if is_read(&section) { results.next() } else { None };
        let mut rows: Vec<ExportRow> = rows.map(|rows| rows.all()).transpose()?.unwrap_or_default();
        if section.paging == Paging::ById && rows.len() > PAGE {
            rows.truncate(PAGE);
            page.next = rows.last().and_then(ExportRow::id);
        }
        page.sections.push((section.member, rows));
    }
    Ok(page)
}

/// Selects one row more than fits from a paged section, which shows whether another page follows.
fn select(section: &Section, user_id: UserId, before: Option<EventId>) -> Statement {
    let select = query(section.select).bind("user_id", user_id);
    match section.paging {
        Paging::FirstPage { limit } => select.bind("limit", limit),
        Paging::ById => {
            let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
            select.bind("limit", limit).bind("before", before.unwrap_or(EventId::END))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_row_keeps_the_order_of_its_columns() {
        let row: ExportRow = serde_json::from_str(r#"{"id":7,"created_at":1,"ip":null,"a":"b"}"#).unwrap();
        let names: Vec<&str> = row.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["id", "created_at", "ip", "a"]);
        assert_eq!(row.id(), EventId::new(7));
    }

    /// A page has one cursor.
    #[test]
    fn one_section_is_paged() {
        let sections = OWNED.iter().filter_map(|owned| owned.export);
        assert_eq!(sections.filter(|section| section.paging == Paging::ById).count(), 1);
    }
}
