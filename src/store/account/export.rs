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
use crate::store::IdRow;
use crate::store::account::import;
use crate::store::account::user_data::OWNED;
use crate::store::audit::refusals::{self, count_refusal};
use crate::store::audit::{Event, RequestInfo};
use crate::store::owned::{Paging, Section};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;

/// Rows of each paged section on one page. A row is at most 1.5 kB, so a page is at most half a megabyte. It is in memory
/// several times, and the memory of an isolate serves many requests at once.
pub const PAGE: usize = 250;

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
    fn integer(&self, column: &str) -> Option<i64> {
        let value = self.0.iter().find(|(name, _)| name == column);
        value.and_then(|(_, value)| match value {
            ExportValue::Integer(integer) => Some(*integer),
            ExportValue::Null | ExportValue::Text(_) => None,
        })
    }
}

/// The position of a page: for each paged section, in the order of the register, the key below which the page begins. 0
/// marks a finished section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportCursor(Vec<i64>);

impl ExportCursor {
    fn start() -> Self {
        Self(paged().map(|_| EventId::END.get()).collect())
    }

    /// Parses the text of a cursor. Only the text that [`fmt::Display`] writes is accepted.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let read = |part: &str| if part == "0" { Some(0) } else { EventId::parse(part).map(EventId::get) };
        let given: Vec<i64> = text.split('-').map(read).collect::<Option<_>>()?;
        let finished = paged().count().checked_sub(given.len())?;
        let cursor = Self(std::iter::repeat_n(0, finished).chain(given).collect());
        (cursor.has_more() && cursor.to_string() == text).then_some(cursor)
    }

    fn has_more(&self) -> bool {
        self.0.iter().any(|before| *before > 0)
    }
}

/// The positions, separated by `-`. Leading finished sections are left out, so most cursors are the id of an event.
impl fmt::Display for ExportCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest: Vec<String> = self.0.iter().skip_while(|before| **before == 0).map(ToString::to_string).collect();
        formatter.write_str(&rest.join("-"))
    }
}

/// One page of an export.
#[derive(Debug)]
pub struct ExportPage {
    /// The rows of each section, by the name of its member. Finished sections are empty.
    pub sections: Vec<(&'static str, Vec<ExportRow>)>,
    /// The position of the next page; absent on the last page.
    pub next: Option<ExportCursor>,
}

/// Guarded like the sections: a session that has ended concurrently must leave no event. Counted like a refusal, because it is no change, and a user can repeat it without end.
const COUNT: &str = count_refusal!(user_id: ":user_id", if: concat!(
    "EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 1) AND ",
    session_is_live!()
));

/// Has a row if the session is live.
const SELECT_LIVE: &str = concat!("SELECT :user_id AS id WHERE ", session_is_live!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[COUNT, SELECT_LIVE];

/// Reads one page for the user of a live session; `None` if the session has ended. The first page, without `cursor`, records
/// that the export was requested.
#[must_use]
pub fn page(
    user_id: UserId,
    session_id: SessionId,
    cursor: Option<ExportCursor>,
    request: RequestInfo<'_>,
) -> Read<Option<ExportPage>> {
    let guarded = |statement: Statement| statement.bind("user_id", user_id).bind("session_id", session_id);
    let is_first = cursor.is_none();
    let places = places(is_first, &cursor.unwrap_or_else(ExportCursor::start));
    let selects = places.iter().filter_map(|(section, place)| select(section, *place, request));
    let statements = std::iter::once(query(SELECT_LIVE)).chain(selects);
    let mut statements: Vec<Statement> = statements.map(|select| guarded(select).bind("now", request.now)).collect();
    if is_first {
        let event = Event::of(EventType::Exported, user_id).in_session(session_id);
        statements.extend(refusals::of_user_if_recorded(request, COUNT, event));
    }
    Read::of_all(statements, move |results| decode(results, places))
}

fn sections() -> impl Iterator<Item = Section> {
    [import::EXPORTED].into_iter().chain(OWNED.iter().filter_map(|owned| owned.export))
}

fn paged() -> impl Iterator<Item = Section> {
    sections().filter(|section| matches!(section.paging, Paging::ByKey { .. }))
}

/// The part of a section that a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// All rows, at most this number.
    All(i64),
    /// The next rows below this key.
    Below(i64, &'static str),
    Finished,
}

/// Every section, with its part of the page.
fn places(is_first: bool, cursor: &ExportCursor) -> Vec<(Section, Place)> {
    let mut positions = cursor.0.iter().copied();
    let place = |section: Section| {
        let place = match section.paging {
            Paging::FirstPage { limit } if is_first => Place::All(limit),
            Paging::FirstPage { .. } => Place::Finished,
            Paging::ByKey { key, .. } => match positions.next() {
                Some(before) if before > 0 => Place::Below(before, key),
                _ => Place::Finished,
            },
        };
        (section, place)
    };
    sections().map(place).collect()
}

/// Selects one row more than fits from a paged section, which shows whether more rows follow.
fn select(section: &Section, place: Place, request: RequestInfo<'_>) -> Option<Statement> {
    match place {
        Place::All(limit) => Some(query(section.select).bind("limit", limit)),
        Place::Below(before, _) => {
            let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
            let select = query(section.select).bind("limit", limit).bind("before", before);
            Some(match section.paging {
                Paging::ByKey { own_event: Some(event), .. } => select.bind("own_nonce", request.stamp.nonce_of(event)),
                Paging::ByKey { .. } | Paging::FirstPage { .. } => select,
            })
        }
        Place::Finished => None,
    }
}

fn decode(results: Vec<Rows>, places: Vec<(Section, Place)>) -> Result<Option<ExportPage>, DbError> {
    let mut results = results.into_iter();
    // Of a session that has ended, every section is empty.
    if results.next().map(|live| live.all::<IdRow>()).transpose()?.is_none_or(|live| live.is_empty()) {
        return Ok(None);
    }
    let mut next = ExportCursor(Vec::new());
    let mut page = ExportPage { sections: Vec::new(), next: None };
    for (section, place) in places {
        let rows = if place == Place::Finished { None } else { results.next() };
        let mut rows: Vec<ExportRow> = rows.map(|rows| rows.all()).transpose()?.unwrap_or_default();
        let has_more = rows.len() > PAGE;
        if let (Place::Below(_, key), true) = (place, has_more) {
            rows.truncate(PAGE);
            let last = rows.last().and_then(|row| row.integer(key));
            next.0.push(last.ok_or_else(|| DbError::unreadable(format!("no {key} in an exported row")))?);
        } else if matches!(section.paging, Paging::ByKey { .. }) {
            next.0.push(0);
        }
        page.sections.push((section.member, rows));
    }
    page.next = Some(next).filter(ExportCursor::has_more);
    Ok(Some(page))
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
        assert_eq!(row.integer("id"), Some(7));
        assert_eq!((row.integer("a"), row.integer("ip"), row.integer("b")), (None, None, None));
    }

    #[test]
    fn a_cursor_has_one_text() {
        let events_only = ExportCursor::parse("4711").unwrap();
        assert_eq!((events_only.0.last(), events_only.to_string().as_str()), (Some(&4711), "4711"));
        for text in ["", "0", "-", "1-", "-1", "0-1", "0-0", "01", "1-01", "1-2-3", "1--2", "+1", "1-x", "1 -2"] {
            assert_eq!(ExportCursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_cursor_says_which_sections_are_finished() {
        for positions in [[17, 4711], [17, 0], [0, 4711]] {
            // A build has as many positions as it has paged sections.
            let positions: Vec<i64> = positions.into_iter().cycle().take(paged().count()).collect();
            let cursor = ExportCursor(positions.clone());
            let text = cursor.to_string();
            assert_eq!(ExportCursor::parse(&text), cursor.has_more().then_some(cursor.clone()), "{text}");
            let read = places(false, &cursor).iter().filter(|(_, place)| *place != Place::Finished).count();
            assert_eq!(read, positions.iter().filter(|position| **position > 0).count(), "{text}");
        }
    }
}
