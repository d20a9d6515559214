//! The batch that writes lines of an import. Executed twice, it changes nothing more: each line has an id of its own.

use serde::{Deserialize, Serialize};

use crate::domain::account::import::line::{ImportLine, ImportedRole};
use crate::domain::audit::{EventType, Reason};
use crate::domain::ids::{DepartmentId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::account::import::facts::text;
use crate::store::account::import::{Importer, importer_may};
use crate::store::audit::{self, RequestInfo, insert_events, is_recorded};
use crate::store::federation::facts::administers;
use crate::store::mail::taken::address_is_taken;
use crate::store::{Store, boolean};

/// A line that the batch writes, as the statements read it: `d.value ->> 0` is the first member.
#[derive(Serialize)]
struct LineRow<'a>(
    /// 0: the id of the line.
    i64,
    /// 1: the address.
    &'a str,
    /// 2: the hash.
    &'a str,
    /// 3: a password signs in.
    i64,
    /// 4: the name.
    Option<&'a str>,
    /// 5: the account is active.
    i64,
    /// 6: its time of registration.
    i64,
    /// 7: the time at which its address was proven.
    Option<i64>,
    /// 8: the external id.
    Option<&'a str>,
    /// 9: an account with the address is emptied.
    i64,
    /// 10: the roles.
    Vec<RoleRow>,
);

/// Name, university and department.
#[derive(Serialize)]
struct RoleRow(&'static str, i64, Option<i64>);

/// The importer may write the line `d`, its external id is free, and the places of its roles exist.
macro_rules! line_holds {
    () => {
        concat!(
            $crate::store::account::import::importer_may!("users:import"),
            " AND (d.value ->> 10 = '[]' OR ",
            $crate::store::account::import::importer_may!("roles:grant"),
            ") AND NOT EXISTS (
                 SELECT 1 FROM users AS x WHERE x.imported_by = :importer AND x.external_id = d.value ->> 8
             ) AND NOT EXISTS (
                 SELECT 1 FROM json_each(d.value -> 10) AS r
                 WHERE NOT EXISTS (SELECT 1 FROM universities WHERE id = r.value ->> 1)
                    OR r.value ->> 2 IS NOT NULL AND NOT EXISTS (
                        SELECT 1 FROM departments WHERE id = r.value ->> 2 AND university_id = r.value ->> 1
                    )
             )"
        )
    };
}

/// The users that the lines have made. Those of emptied accounts alone, with a condition on `d`.
macro_rules! made {
    ($condition:literal) => {
        concat!(
            "json_each(:lines) AS d JOIN users AS u ON u.email = d.value ->> 1
             WHERE u.import_id = d.value ->> 0",
            $condition
        )
    };
}

const INSERT: &str = concat!(
    "INSERT INTO users (email, password_hash, has_password, full_name, is_active, created_at, email_verified_at,
                        imported_by, external_id, import_id)
     SELECT d.value ->> 1, d.value ->> 2, d.value ->> 3, d.value ->> 4, d.value ->> 5, d.value ->> 6, d.value ->> 7,
            :importer, d.value ->> 8, d.value ->> 0
     FROM json_each(:lines) AS d
     WHERE d.value ->> 9 = 0 AND NOT ",
    address_is_taken!("(d.value ->> 1)", "NULL"),
    " AND ",
    line_holds!(),
    " ON CONFLICT DO NOTHING"
);

/// Nothing of a registration by a stranger is the owner's. Triggers of the schema remove its factors and identities.
const EMPTY: &str = concat!(
    "UPDATE users AS u
     SET password_hash = d.value ->> 2, has_password = d.value ->> 3, password_version = password_version + 1,
         full_name = d.value ->> 4, is_active = d.value ->> 5, created_at = d.value ->> 6, email_verified_at = d.value ->> 7,
         mail_refused_at = NULL, registered_network = NULL,
         imported_by = :importer, external_id = d.value ->> 8, import_id = d.value ->> 0
     FROM json_each(:lines) AS d
     WHERE d.value ->> 9 = 1 AND u.email = d.value ->> 1 AND u.email_verified_at IS NULL AND u.erasure_cursor IS NULL
       AND NOT ",
    administers!(),
    " AND ",
    line_holds!()
);

const DELETE_ROLES: &str = concat!(
    "DELETE FROM user_university_roles WHERE user_id IN (SELECT u.id FROM ",
    made!(" AND d.value ->> 9 = 1"),
    ")"
);
const DELETE_KEYS: &str =
    concat!("DELETE FROM api_keys WHERE user_id IN (SELECT u.id FROM ", made!(" AND d.value ->> 9 = 1"), ")");
const DELETE_SESSIONS: &str =
    concat!("DELETE FROM sessions WHERE user_id IN (SELECT u.id FROM ", made!(" AND d.value ->> 9 = 1"), ")");
const DELETE_PROOFS: &str = concat!(
    "DELETE FROM email_proofs WHERE purpose <> 'undo' AND user_id IN (SELECT u.id FROM ",
    made!(" AND d.value ->> 9 = 1"),
    ")"
);
/// Networks and devices of the stranger, and the waits that the stranger caused.
const DELETE_THROTTLES: &str = concat!(
    "DELETE FROM throttles WHERE key IN (
         SELECT t.key FROM (SELECT u.id FROM ",
    made!(" AND d.value ->> 9 = 1"),
    ") AS m JOIN throttles AS t ON t.key > 'user/' || m.id || '/' AND t.key < 'user/' || m.id || '0'
     )"
);

const INSERT_ROLES: &str = concat!(
    "INSERT INTO user_university_roles (user_id, university_id, role, department_id, created_at)
     SELECT m.id, r.value ->> 1, r.value ->> 0, r.value ->> 2, :now
     FROM (SELECT u.id, d.value -> 10 AS roles FROM ",
    made!(""),
    ") AS m JOIN json_each(m.roles) AS r
     WHERE NOT EXISTS (
         SELECT 1 FROM user_university_roles AS h
         WHERE h.user_id = m.id AND coalesce(h.university_id, 0) = r.value ->> 1 AND h.role = r.value ->> 0
           AND h.department_id IS r.value ->> 2
     )"
);

const RECORD: &str = insert_events! {
    type: ":type", reason: "(SELECT client_id FROM service_accounts WHERE id = :service_id)", user_id: "u.id",
    session_id: "NULL", actor_id: ":actor_id", university_id: "NULL",
    from: concat!("FROM ", made!(""), " AND NOT ", is_recorded!()),
};

const RECORD_EMPTIED: &str = insert_events! {
    type: ":type", reason: ":reason", user_id: "u.id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL",
    from: concat!("FROM ", made!(" AND d.value ->> 9 = 1"), " AND NOT ", is_recorded!()),
};

const RECORD_ROLES: &str = insert_events! {
    type: ":type", reason: "r.value ->> 0", user_id: "m.id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "r.value ->> 1",
    from: concat!(
        "FROM (SELECT u.id, d.value -> 10 AS roles FROM ",
        made!(""),
        ") AS m JOIN json_each(m.roles) AS r WHERE NOT ",
        is_recorded!()
    ),
};

/// The account `u` that the line `d` of `:names` renames: id and name.
macro_rules! is_renamed {
    () => {
        concat!(
            "u.id = d.value ->> 0 AND u.imported_by = :importer AND u.import_id IS NOT NULL AND ",
            $crate::store::account::import::importer_may!("users:import")
        )
    };
}

const RECORD_NAMES: &str = insert_events! {
    type: ":type", reason: "NULL", user_id: "u.id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL",
    from: concat!(
        "FROM json_each(:names) AS d JOIN users AS u ON ", is_renamed!(), " AND u.full_name IS NOT d.value ->> 1"
    ),
};

const RENAME: &str = concat!(
    "UPDATE users AS u SET full_name = d.value ->> 1 FROM json_each(:names) AS d WHERE ",
    is_renamed!(),
    " AND u.full_name IS NOT d.value ->> 1"
);

const SELECT_MADE: &str = concat!("SELECT d.key AS line FROM ", made!(""));

const SELECT_RENAMED: &str = concat!(
    "SELECT d.key AS line FROM json_each(:names) AS d JOIN users AS u ON ",
    is_renamed!(),
    " AND u.full_name IS d.value ->> 1"
);

const SELECT_RIGHT: &str = concat!("SELECT ", importer_may!("users:import"), " AS may");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    EMPTY,
    DELETE_ROLES,
    DELETE_KEYS,
    DELETE_SESSIONS,
    DELETE_PROOFS,
    DELETE_THROTTLES,
    INSERT_ROLES,
    RECORD,
    RECORD_EMPTIED,
    RECORD_ROLES,
    RECORD_NAMES,
    RENAME,
    SELECT_MADE,
    SELECT_RENAMED,
    SELECT_RIGHT,
];

/// A line to be written.
#[allow(missing_docs, reason = "the names say it")]
pub struct NewLine<'a> {
    /// Drawn for the line.
    pub id: i64,
    pub line: &'a ImportLine,
    /// The hash of the line, or one that no password matches.
    pub password_hash: &'a str,
    /// An account with the address is emptied.
    pub empties: bool,
}

/// A name to be written.
#[allow(missing_docs, reason = "the names say it")]
pub struct NewName<'a> {
    pub user_id: UserId,
    pub full_name: Option<&'a str>,
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
    let names: Vec<_> = names.iter().map(|name| (name.user_id.get(), name.full_name)).collect();
    let batch = Batch { lines: rows(lines, request.now)?, names: text(&names)?, importer, request };
    let mut statements = vec![batch.guarded(INSERT)];
    if lines.iter().any(|line| line.empties) {
        statements.push(batch.guarded(EMPTY));
        let deletions = [DELETE_ROLES, DELETE_KEYS, DELETE_SESSIONS, DELETE_PROOFS, DELETE_THROTTLES];
        statements.extend(deletions.map(|sql| batch.of_lines(query(sql))));
        let record = batch.record(RECORD_EMPTIED, EventType::EmailVerified).bind("reason", Reason::Emptied);
        statements.push(batch.of_lines(record));
    }
    if lines.iter().any(|line| !line.line.roles.is_empty()) {
        statements.push(batch.of_lines(query(INSERT_ROLES)).bind("now", request.now));
        statements.push(batch.of_lines(batch.record(RECORD_ROLES, EventType::RoleGranted)));
    }
    let service_id = importer.service().map(|service| service.id);
    statements.push(batch.of_lines(batch.record(RECORD, EventType::Imported)).bind("service_id", service_id));
    if !names.is_empty() {
        statements.push(batch.of_names(batch.record(RECORD_NAMES, EventType::ProfileChanged), true));
        statements.push(batch.of_names(query(RENAME), false));
    }
    statements.extend([
        batch.of_lines(query(SELECT_MADE)),
        batch.of_names(query(SELECT_RENAMED), false),
        importer.bind(query(SELECT_RIGHT)),
    ]);
    let results = store.batch_of(statements).await?;
    let [.., made, renamed, right] = results.as_slice() else {
        return Err(DbError::Corrupt("lost results".to_owned()));
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
    names: String,
    importer: Importer,
    request: RequestInfo<'a>,
}

impl Batch<'_> {
    fn of_lines(&self, statement: Statement) -> Statement {
        statement.bind("lines", self.lines.as_str())
    }

    fn guarded(&self, sql: &'static str) -> Statement {
        let statement = self.importer.bind(self.of_lines(query(sql))).bind("importer", self.importer.text());
        if sql == INSERT { statement.bind("now", self.request.now) } else { statement }
    }

    /// An event has bound the actor.
    fn of_names(&self, statement: Statement, is_event: bool) -> Statement {
        let statement = statement.bind("names", self.names.as_str()).bind("importer", self.importer.text());
        if is_event { self.importer.bind_key(statement) } else { self.importer.bind(statement) }
    }

    fn record(&self, sql: &'static str, kind: EventType) -> Statement {
        audit::insert(sql, self.request, kind).bind("actor_id", self.importer.actor())
    }
}

fn rows(lines: &[NewLine<'_>], now: Timestamp) -> Result<String, DbError> {
    let rows: Vec<LineRow<'_>> = lines.iter().map(|new| row(new, now)).collect();
    text(&rows)
}

fn row<'a>(new: &NewLine<'a>, now: Timestamp) -> LineRow<'a> {
    let line = new.line;
    let role = |role: &ImportedRole| {
        RoleRow(role.role.as_str(), role.university_id.get(), role.department_id.map(DepartmentId::get))
    };
    LineRow(
        new.id,
        line.email.as_str(),
        new.password_hash,
        line.password_hash.is_some().into(),
        line.full_name.as_ref().map(|name| name.as_str()),
        line.is_active.into(),
        line.created_at.unwrap_or(now).millis(),
        line.is_verified.then_some(now.millis()),
        line.external_id.as_deref(),
        new.empties.into(),
        line.roles.iter().map(role).collect(),
    )
}
