//! The accounts and the universities that the lines of an import meet, in one read for all lines of a request. `CROSS JOIN` keeps
//! the order of the tables: otherwise `SQLite` may look through the list for each account of the importer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::account::import::decision::{LineFacts, MetAccount};
use crate::domain::account::import::line::{ImportLine, ImportedRole};
use crate::domain::ids::{DepartmentId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, DbErrorKind, query};
use crate::store::account::import::{Importer, is_replaceable, place_exists};
use crate::store::{Store, boolean};

/// One row for each account that a line meets.
const SELECT_ACCOUNTS: &str = concat!(
    "SELECT d.key AS line, 1 AS is_known, u.id, u.full_name, 1 AS is_of_line, u.import_id IS NOT NULL AS is_untouched,
            0 AS is_replaceable
     FROM json_each(:lines) AS d CROSS JOIN users AS u ON u.imported_by = :importer AND u.external_id = d.value ->> 'external_id'
     UNION ALL
     SELECT d.key, 0, u.id, u.full_name,
            coalesce(u.imported_by = :importer AND (
                u.external_id IS NULL OR d.value ->> 'external_id' IS NULL OR u.external_id = d.value ->> 'external_id'
            ), 0),
            u.import_id IS NOT NULL,
            ",
    is_replaceable!(),
    " FROM json_each(:lines) AS d CROSS JOIN users AS u ON u.email = d.value ->> 'email'"
);

/// The lines whose address a former holder can get back.
const SELECT_RESERVED: &str = "
    SELECT d.key AS line FROM json_each(:lines) AS d
    WHERE EXISTS (
        SELECT 1 FROM email_proofs AS r
        WHERE r.purpose = 'undo' AND r.address = d.value ->> 'email' AND r.expires_at > :now
    )";

/// The places of roles that exist: universities, and departments of them.
const SELECT_PLACES: &str = concat!(
    "SELECT d.value ->> 'university_id' AS university_id, d.value ->> 'department_id' AS department_id
     FROM json_each(:places) AS d WHERE ",
    place_exists!("d")
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_ACCOUNTS, SELECT_RESERVED, SELECT_PLACES];

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of the query")]
struct AccountRow {
    line: usize,
    #[serde(deserialize_with = "boolean")]
    is_known: bool,
    id: UserId,
    full_name: Option<String>,
    #[serde(deserialize_with = "boolean")]
    is_of_line: bool,
    #[serde(deserialize_with = "boolean")]
    is_untouched: bool,
    #[serde(deserialize_with = "boolean")]
    is_replaceable: bool,
}

#[derive(Deserialize)]
struct LineRow {
    line: usize,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    university_id: i64,
    department_id: Option<i64>,
}

/// A line, as the statements read it.
#[derive(Serialize)]
struct KeyRow<'a> {
    email: &'a str,
    external_id: Option<&'a str>,
}

impl<'a> KeyRow<'a> {
    fn of(line: &'a ImportLine) -> Self {
        Self { email: line.email.as_str(), external_id: line.external_id.as_deref() }
    }
}

/// The facts about the lines of a request.
pub struct Facts {
    /// The facts of each line, in their order.
    pub lines: Vec<LineFacts>,
    places: BTreeSet<Place>,
}

impl Facts {
    /// Do the universities and departments of these roles exist?
    #[must_use]
    pub fn have_places_of(&self, roles: &[ImportedRole]) -> bool {
        roles.iter().all(|role| self.places.contains(&Place::of(role)))
    }
}

impl Place {
    fn of(role: &ImportedRole) -> Self {
        let department_id = role.department_id.map(DepartmentId::get);
        Self { university_id: role.university_id.get(), department_id }
    }
}

/// Reads the facts about lines, in one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn read(store: &Store, importer: Importer, lines: &[&ImportLine], now: Timestamp) -> Result<Facts, DbError> {
    let keys = text(&lines.iter().map(|line| KeyRow::of(line)).collect::<Vec<_>>())?;
    let places: BTreeSet<Place> = lines.iter().flat_map(|line| &line.roles).map(Place::of).collect();
    let [accounts, reserved, places] = store
        .batch([
            query(SELECT_ACCOUNTS).bind("lines", keys.as_str()).bind("importer", importer.text()),
            query(SELECT_RESERVED).bind("lines", keys.as_str()).bind("now", now),
            query(SELECT_PLACES).bind("places", text(&places)?),
        ])
        .await?;
    let mut facts = vec![LineFacts::default(); lines.len()];
    for row in accounts.all::<AccountRow>()? {
        let AccountRow { line, is_known, id, full_name, is_of_line, is_untouched, is_replaceable } = row;
        let account = Some(MetAccount { id, full_name, is_of_line, is_untouched, is_replaceable });
        if let Some(facts) = facts.get_mut(line) {
            *(if is_known { &mut facts.known } else { &mut facts.holder }) = account;
        }
    }
    for LineRow { line } in reserved.all()? {
        if let Some(facts) = facts.get_mut(line) {
            facts.is_reserved = true;
        }
    }
    Ok(Facts { lines: facts, places: places.all()?.into_iter().collect() })
}

/// A list as JSON, for a parameter.
pub(super) fn text(list: &impl serde::Serialize) -> Result<String, DbError> {
    serde_json::to_string(list).map_err(|error| DbErrorKind::Unreadable(error.to_string()).into())
}
