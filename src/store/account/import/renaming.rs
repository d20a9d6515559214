//! New names of accounts that the importer made, and that never signed in.

use serde::Serialize;

use crate::domain::ids::UserId;
use crate::ports::{DbError, Statement, query};
use crate::store::account::import::{Importer, facts};
use crate::store::audit::insert_events;

/// The account `u` that the line `d` of `:names` renames: id and name.
macro_rules! is_renamed {
    () => {
        concat!(
            "u.id = d.value ->> 'user_id' AND u.imported_by = :importer AND u.import_id IS NOT NULL AND ",
            $crate::store::account::import::importer_may!("users:import")
        )
    };
}

pub(super) const RECORD: &str = insert_events! {
    type: ":type", reason: "NULL", user_id: "u.id", session_id: "NULL", actor_id: ":actor_id", university_id: "NULL", object_id: ":service_id",
    from: concat!(
        "FROM json_each(:names) AS d CROSS JOIN users AS u ON ", is_renamed!(), " AND u.full_name IS NOT d.value ->> 'full_name'"
    ),
};

const RENAME: &str = concat!(
    "UPDATE users AS u SET full_name = d.value ->> 'full_name' FROM json_each(:names) AS d WHERE ",
    is_renamed!(),
    " AND u.full_name IS NOT d.value ->> 'full_name'"
);

const SELECT: &str = concat!(
    "SELECT d.key AS line FROM json_each(:names) AS d CROSS JOIN users AS u ON ",
    is_renamed!(),
    " AND u.full_name IS d.value ->> 'full_name'"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[RECORD, RENAME, SELECT];

/// A name to be written.
#[allow(missing_docs, reason = "the names say it")]
pub struct NewName<'a> {
    pub user_id: UserId,
    pub full_name: Option<&'a str>,
}

/// The same, as the statements read it.
#[derive(Serialize)]
struct NameRow<'a> {
    user_id: i64,
    full_name: Option<&'a str>,
}

/// The names as a parameter of the statements.
pub(super) fn text(names: &[NewName<'_>]) -> Result<String, DbError> {
    let mut rows = Vec::new();
    for NewName { user_id, full_name } in names {
        rows.push(NameRow { user_id: user_id.get(), full_name: *full_name });
    }
    facts::text(&rows)
}

/// The statements that record and write the names. `record` is the statement of the events, which has bound the actor.
pub(super) fn rename(names: &str, importer: Importer, record: Statement) -> [Statement; 2] {
    let record = importer.bind_key(record.bind("names", names).bind("importer", importer.text()));
    [record, bind(query(RENAME), names, importer)]
}

/// Selects the names that are on file.
pub(super) fn select(names: &str, importer: Importer) -> Statement {
    bind(query(SELECT), names, importer)
}

fn bind(statement: Statement, names: &str, importer: Importer) -> Statement {
    importer.bind(statement.bind("names", names).bind("importer", importer.text()))
}
