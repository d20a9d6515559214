//! The accounts and the universities that the lines of an import meet, in one read for all lines of a request. `CROSS JOIN` keeps
//! the order of the tables: otherwise `SQLite` may look through the list for each account of the importer.

use serde::Deserialize;

use crate::domain::account::import::decision::{LineFacts, MetAccount};
use crate::domain::account::import::line::{ImportLine, ImportedRole};
use crate::domain::ids::{DepartmentId, UniversityId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, DbErrorKind, query};
use crate::store::account::import::Importer;
use crate::store::federation::facts::administers;
use crate::store::{Store, boolean};

/// One row for each account that a line meets.
const SELECT_ACCOUNTS: &str = concat!(
    "SELECT d.key AS line, 1 AS is_known, u.id, u.full_name, u.import_id IS NOT NULL AS is_untouched,
            u.email_verified_at IS NOT NULL AS is_verified, 0 AS is_administrator
     FROM json_each(:lines) AS d CROSS JOIN users AS u ON u.imported_by = :importer AND u.external_id = d.value ->> 1
     UNION ALL
     SELECT d.key, 0, u.id, u.full_name, u.import_id IS NOT NULL AND u.imported_by = :importer,
            u.email_verified_at IS NOT NULL, ",
    administers!(),
    " FROM json_each(:lines) AS d CROSS JOIN users AS u ON u.email = d.value ->> 0"
);

/// The lines whose address a former holder can get back.
const SELECT_RESERVED: &str = "
    SELECT d.key AS line FROM json_each(:lines) AS d
    WHERE EXISTS (
        SELECT 1 FROM email_proofs AS r
        WHERE r.purpose = 'undo' AND r.address = d.value ->> 0 AND r.expires_at > :now
    )";

/// The places of roles that exist: universities, and departments of them.
const SELECT_PLACES: &str = "
    SELECT d.value ->> 0 AS university_id, d.value ->> 1 AS department_id FROM json_each(:places) AS d
    WHERE EXISTS (SELECT 1 FROM universities WHERE id = d.value ->> 0)
      AND (d.value ->> 1 IS NULL
           OR EXISTS (SELECT 1 FROM departments WHERE id = d.value ->> 1 AND university_id = d.value ->> 0))";

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
    is_untouched: bool,
    #[serde(deserialize_with = "boolean")]
    is_verified: bool,
    #[serde(deserialize_with = "boolean")]
    is_administrator: bool,
}

#[derive(Deserialize)]
struct LineRow {
    line: usize,
}

#[derive(PartialEq, Eq, Deserialize)]
struct Place {
    university_id: UniversityId,
    department_id: Option<DepartmentId>,
}

/// The facts about the lines of a request.
pub struct Facts {
    /// The facts of each line, in their order.
    pub lines: Vec<LineFacts>,
    places: Vec<Place>,
}

impl Facts {
    /// Do the universities and departments of these roles exist?
    #[must_use]
    pub fn have_places_of(&self, roles: &[ImportedRole]) -> bool {
        roles.iter().all(|role| self.places.contains(&Place::of(role)))
    }
}

impl Place {
    const fn of(role: &ImportedRole) -> Self {
        Self { university_id: role.university_id, department_id: role.department_id }
    }
}

/// Reads the facts about lines, in one round trip.
///
/// # Errors
/// [`DbError`].
pub async fn read(store: &Store, importer: Importer, lines: &[&ImportLine], now: Timestamp) -> Result<Facts, DbError> {
    let keys: Vec<_> = lines.iter().map(|line| (line.email.as_str(), line.external_id.as_deref())).collect();
    let keys = text(&keys)?;
    let mut places: Vec<_> = Vec::new();
    for role in lines.iter().flat_map(|line| &line.roles) {
        let place = (role.university_id.get(), role.department_id.map(DepartmentId::get));
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let [accounts, reserved, places] = store
        .batch([
            query(SELECT_ACCOUNTS).bind("lines", keys.as_str()).bind("importer", importer.text()),
            query(SELECT_RESERVED).bind("lines", keys.as_str()).bind("now", now),
            query(SELECT_PLACES).bind("places", text(&places)?),
        ])
        .await?;
    let mut facts = vec![LineFacts::default(); lines.len()];
    for row in accounts.all::<AccountRow>()? {
        let AccountRow { line, is_known, id, full_name, is_untouched, is_verified, is_administrator } = row;
        let account = Some(MetAccount { id, full_name, is_untouched, is_verified, is_administrator });
        if let Some(facts) = facts.get_mut(line) {
            *(if is_known { &mut facts.known } else { &mut facts.holder }) = account;
        }
    }
    for LineRow { line } in reserved.all()? {
        if let Some(facts) = facts.get_mut(line) {
            facts.is_reserved = true;
        }
    }
    Ok(Facts { lines: facts, places: places.all()? })
}

/// A list as JSON, for a parameter.
pub(super) fn text(list: &impl serde::Serialize) -> Result<String, DbError> {
    serde_json::to_string(list).map_err(|error| DbErrorKind::Unreadable(error.to_string()).into())
}
