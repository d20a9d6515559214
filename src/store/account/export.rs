//! The export of a user's data, page by page: the sections of the register, in its order.
//!
//! Rows are generic lists of columns, not one struct per table. The SELECT of a section alone defines the exported
//! columns, and a new table needs no code here.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::domain::audit::EventType;
use crate::domain::ids::{EventId, SessionId, UserId};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::account::user_data::OWNED;
use crate::store::audit::{self, RequestInfo, insert_event};
use crate::store::owned::{Paging, Section};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;

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

/// Guarded like the sections: the statement runs before access is decided, and a refused caller must leave no event.
const RECORD: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: ":user_id", session_id: "NULL", actor_id: "NULL",
    university_id: "NULL", from: concat!(
        "WHERE EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 1) AND ",
        session_is_live!()
    ),
};

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD];

/// Reads one page for the user of a live session. The first page, without `before`, records that the export was
/// requested.
#[must_use]
pub fn page(
    user_id: UserId,
    session_id: SessionId,
    before: Option<EventId>,
    request: RequestInfo<'_>,
) -> Read<ExportPage> {
    let guarded = |statement: Statement| statement.bind("user_id", user_id).bind("session_id", session_id);
    let sections = sections().filter(move |section| is_read(section, before));
    let mut statements: Vec<Statement> =
        sections.map(|section| guarded(select(&section, before, request)).bind("now", request.now)).collect();
    if before.is_none() {
        statements.push(guarded(audit::insert(RECORD, request, EventType::Exported)));
    }
    Read::of_all(statements, move |results| decode(results, before))
}

fn sections() -> impl Iterator<Item = Section> {
    OWNED.iter().filter_map(|owned| owned.export)
}

fn is_read(section: &Section, before: Option<EventId>) -> bool {
    before.is_none() || section.paging == Paging::ById
}

/// Selects one row more than fits from a paged section, which shows whether another page follows.
fn select(section: &Section, before: Option<EventId>, request: RequestInfo<'_>) -> Statement {
    let select = query(section.select);
    match section.paging {
        Paging::FirstPage { limit } => select.bind("limit", limit),
        Paging::ById => {
            let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
            let select = select.bind("own_nonce", request.stamp.nonce_of(EventType::Exported));
            select.bind("limit", limit).bind("before", before.unwrap_or(EventId::END))
        }
    }
}

fn decode(results: Vec<Rows>, before: Option<EventId>) -> Result<ExportPage, DbError> {
    let mut results = results.into_iter();
    let mut page = ExportPage { sections: Vec::new(), next: None };
    for section in sections() {
        let rows = if is_read(&section, before) { results.next() } else { None };
        let mut rows: Vec<ExportRow> = rows.map(|rows| rows.all()).transpose()?.unwrap_or_default();
        if section.paging == Paging::ById && rows.len() > PAGE {
            rows.truncate(PAGE);
            page.next = rows.last().and_then(ExportRow::id);
        }
        page.sections.push((section.member, rows));
    }
    Ok(page)
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
