//! The batch that writes lines of an import. Executed twice, it changes nothing more: each line has an id of its own.

use serde::{Deserialize, Serialize};

use crate::domain::account::full_name::FullName;
use crate::domain::account::import::line::{ImportLine, ImportedRole};
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::DepartmentId;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::account::import::facts::text;
use crate::store::account::import::renaming::{self, NewName};
use crate::store::account::import::{Importer, importer_may, line_holds, made, replacing};
use crate::store::audit::{self, RequestInfo, insert_events, is_recorded};
use crate::store::mail::taken::address_is_taken;
use crate::store::{Store, boolean};

/// A line that the batch writes, as the statements read it.
#[derive(Serialize)]
struct LineRow<'a> {
    id: i64,
    email: &'a str,
    hash: &'a str,
    has_password: i64,
    full_name: Option<&'a str>,
    is_active: i64,
    created_at: i64,
    verified_at: Option<i64>,
    external_id: Option<&'a str>,
    /// An account that has the address is erased.
    replaces: i64,
    roles: Vec<RoleRow>,
}

#[derive(Serialize)]
struct RoleRow {
    role: &'static str,
    university_id: i64,
    department_id: Option<i64>,
}

const INSERT: &str = concat!(
    "INSERT INTO users (email, password_hash, has_password, full_name, is_active, created_at, email_verified_at,
                        imported_by, external_id, import_id)
     SELECT d.value ->> 'email', d.value ->> 'hash', d.value ->> 'has_password', d.value ->> 'full_name',
            d.value ->> 'is_active', d.value ->> 'created_at', d.value ->> 'verified_at',
            :importer, d.value ->> 'external_id', d.value ->> 'id'
     FROM json_each(:lines) AS d
     WHERE NOT ",
    address_is_taken!("(d.value ->> 'email')", "NULL"),
    " AND ",
    line_holds!(),
    " ON CONFLICT DO NOTHING"
);

const INSERT_ROLES: &str = concat!(
    "INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
     SELECT m.id, r.value ->> 'university_id', r.value ->> 'role', r.value ->> 'department_id', :now
     FROM (SELECT u.id, d.value -> 'roles' AS roles FROM ",
    made!(),
    ") AS m CROSS JOIN json_each(m.roles) AS r
     WHERE NOT EXISTS (
         SELECT 1 FROM user_university_roles AS h
         WHERE h.user_id = m.id AND coalesce(h.university_id, 0) = r.value ->> 'university_id' AND h.role = r.value ->> 'role'
           AND h.department_id IS r.value ->> 'department_id'
     )"
);

const RECORD: &str = insert_events! {
    type: ":type", reason: "(SELECT client_id FROM service_accounts WHERE id = :service_id)", user_id: "u.id",
    session_id: "NULL", actor_id: ":actor_id", university_id: "NULL", object_id: ":service_id",
    from: concat!("FROM ", made!(), " AND NOT ", is_recorded!()),
};

const RECORD_ROLES: &str = insert_events! {
    type: ":type", reason: "r.value ->> 'role'", user_id: "m.id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "r.value ->> 'university_id'", object_id: ":service_id",
    from: concat!(
        "FROM (SELECT u.id, d.value -> 'roles' AS roles FROM ",
        made!(),
        ") AS m CROSS JOIN json_each(m.roles) AS r WHERE NOT ",
        is_recorded!()
    ),
};

const SELECT_MADE: &str = concat!("SELECT d.key AS line FROM ", made!());

const SELECT_RIGHT: &str = concat!("SELECT ", importer_may!("users:import"), " AS may");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, INSERT_ROLES, RECORD, RECORD_ROLES, SELECT_MADE, SELECT_RIGHT];

/// A line to be written.
#[allow(missing_docs, reason = "the names say it")]
pub struct NewLine<'a> {
    /// Drawn for the line.
    pub id: i64,
    pub line: &'a ImportLine,
    /// The hash of the line, or one that no password matches.
    pub password_hash: &'a str,
    /// An account that has the address is erased.
    pub replaces: bool,
}

/// The result of a batch. Places are those in the lists that were written.
pub struct Written {
    /// The lines that made an account.
    pub made: Vec<usize>,
    /// The names that are on file.
    pub renamed: Vec<usize>,
    /// The importer still had the right.
    pub may: bool,
}

#[derive(Deserialize)]
struct PlaceRow {
    line: usize,
}

#[derive(Deserialize)]
struct RightRow {
    #[serde(deserialize_with = "boolean")]
    may: bool,
}

/// Writes lines and names, in one round trip. `request` has a stamp of its own.
///
/// # Errors
/// [`DbError`].
pub async fn write(
    store: &Store,
    importer: Importer,
    lines: &[NewLine<'_>],
    names: &[NewName<'_>],
    request: RequestInfo<'_>,
) -> Result<Written, DbError> {
    let has_names = !names.is_empty();
    let names = renaming::text(names)?;
    let batch = Batch { lines: rows(lines, request.now)?, importer, request };
    let mut statements = Vec::new();
    if lines.iter().any(|line| line.replaces) {
        let record = batch.record(replacing::RECORD, EventType::Deleted).bind("reason", Reason::Emptied);
        statements.push(importer.bind_key(batch.of_lines(record)).bind("importer", importer.text()));
        statements.push(batch.guarded(replacing::ERASE));
    }
    statements.push(batch.guarded(INSERT).bind("now", request.now));
    if lines.iter().any(|line| !line.line.roles.is_empty()) {
        statements.push(batch.of_lines(query(INSERT_ROLES)).bind("now", request.now));
        statements.push(batch.of_lines(batch.record(RECORD_ROLES, EventType::RoleGranted)));
    }
    statements.push(batch.of_lines(batch.record(RECORD, EventType::Imported)));
    if has_names {
        let record = batch.record(renaming::RECORD, EventType::ProfileChanged);
        statements.extend(renaming::rename(&names, importer, record));
    }
    statements.extend([
        batch.of_lines(query(SELECT_MADE)),
        renaming::select(&names, importer),
        importer.bind(query(SELECT_RIGHT)),
    ]);
    let results = store.batch_of(statements).await?;
    let [.., made, renamed, right] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    let right: Option<RightRow> = right.first()?;
    Ok(Written { made: places(made)?, renamed: places(renamed)?, may: right.is_some_and(|right| right.may) })
}

fn places(rows: &Rows) -> Result<Vec<usize>, DbError> {
    Ok(rows.all::<PlaceRow>()?.into_iter().map(|row| row.line).collect())
}

/// The values that the statements of a batch share.
struct Batch<'a> {
    lines: String,
    importer: Importer,
    request: RequestInfo<'a>,
}

impl Batch<'_> {
    fn of_lines(&self, statement: Statement) -> Statement {
        statement.bind("lines", self.lines.as_str())
    }

    fn guarded(&self, sql: &'static str) -> Statement {
        self.importer.bind(self.of_lines(query(sql))).bind("importer", self.importer.text())
    }

    fn record(&self, sql: &'static str, kind: EventType) -> Statement {
        let service_id = self.importer.service().map(|service| service.id);
        audit::insert(sql, self.request, kind).bind("actor_id", self.importer.actor()).bind("service_id", service_id)
    }
}

fn rows(lines: &[NewLine<'_>], now: Timestamp) -> Result<String, DbError> {
    let rows: Vec<LineRow<'_>> = lines.iter().map(|new| row(new, now)).collect();
    text(&rows)
}

fn row<'a>(new: &NewLine<'a>, now: Timestamp) -> LineRow<'a> {
    let line = new.line;
    LineRow {
        id: new.id,
        email: line.email.as_str(),
        hash: new.password_hash,
        has_password: line.password_hash.is_some().into(),
        full_name: line.full_name.as_ref().map(FullName::as_str),
        is_active: line.is_active.into(),
        created_at: line.created_at.unwrap_or(now).millis(),
        verified_at: line.is_verified.then_some(now.millis()),
        external_id: line.external_id.as_deref(),
        replaces: new.replaces.into(),
        roles: line.roles.iter().map(RoleRow::of).collect(),
    }
}

impl RoleRow {
    fn of(role: &ImportedRole) -> Self {
        Self {
            role: role.role.as_str(),
            university_id: role.university_id.get(),
            department_id: role.department_id.map(DepartmentId::get),
        }
    }
}
