//! The database port on `SQLite` itself: the second real implementation beside D1.

use std::sync::{LazyLock, Mutex};

use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction, params_from_iter, types};
use serde_json::{Map, Value as Json};

pub struct Sqlite(Mutex<Connection>);

impl Sqlite {
    /// An empty database.
    pub fn empty() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        // As in D1.
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        Self(Mutex::new(connection))
    }

    /// A database with every migration applied: a copy, since applying them takes longer than most tests.
    pub fn migrated() -> Self {
        static MIGRATED: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let db = Sqlite::empty();
            for (_, sql) in migrations() {
                db.execute(&sql);
            }
            db.0.lock().unwrap().serialize("main").unwrap().to_vec()
        });
        let db = Self::empty();
        let copied = db.0.lock().unwrap().deserialize_read_exact("main", &**MIGRATED, MIGRATED.len(), false);
        copied.unwrap();
        db
    }

    /// Becomes a copy of another database.
    pub fn copy(&self, other: &Self) {
        let bytes = other.0.lock().unwrap().serialize("main").unwrap().to_vec();
        let mut connection = self.0.lock().unwrap();
        connection.deserialize_read_exact("main", &*bytes, bytes.len(), false).unwrap();
    }

    /// Runs SQL.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap();
    }

    /// Runs SQL that may be refused; the error is the engine's message.
    pub fn try_execute(&self, sql: &str) -> Result<(), String> {
        self.0.lock().unwrap().execute_batch(sql).map_err(|error| error.to_string())
    }

    /// The single value that a query selects.
    pub fn one<T: types::FromSql>(&self, sql: &str) -> T {
        self.0.lock().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Notes from now on which event was written or counted last: the rows of counted refusals are in no order.
    /// The texts of a column.
    pub fn column(&self, sql: &str) -> Vec<String> {
        let text = |row: Map<String, Json>| row.values().next().and_then(Json::as_str).unwrap_or_default().to_owned();
        self.rows(sql).into_iter().map(text).collect()
    }

    pub fn watch_events(&self) {
        self.execute(
            "CREATE TEMP TABLE latest (event INTEGER);
             INSERT INTO latest VALUES (0);
             CREATE TEMP TRIGGER written AFTER INSERT ON main.audit_events
             BEGIN UPDATE latest SET event = NEW.id; END;
             CREATE TEMP TRIGGER counted AFTER UPDATE OF count ON main.audit_events
             BEGIN UPDATE latest SET event = NEW.id; END;",
        );
    }

    /// The event that was written or counted last.
    pub fn latest_event(&self) -> Map<String, Json> {
        self.rows("SELECT * FROM audit_events WHERE id = (SELECT event FROM latest)").remove(0)
    }

    /// The engine's plan for a statement: the lines of EXPLAIN QUERY PLAN.
    pub fn plan(&self, sql: &str) -> Vec<String> {
        let connection = self.0.lock().unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nulls = vec![types::Value::Null; statement.parameter_count()];
        let details = statement.query_map(params_from_iter(nulls), |row| row.get("detail")).unwrap();
        details.map(Result::unwrap).collect()
    }

    /// Every row, as JSON objects.
    pub fn rows(&self, sql: &str) -> Vec<Map<String, Json>> {
        let mut connection = self.0.lock().unwrap();
        run(&connection.transaction().unwrap(), sql, &[]).unwrap()
    }
}

impl Db for Sqlite {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let mut connection = self.0.lock().unwrap();
        let transaction = connection.transaction().unwrap();
        let results = statements.iter().map(|Statement { sql, values }| {
            let rows = run(&transaction, sql, values).map_err(|error| DbError::from_message(&error.to_string()))?;
            Ok(Rows::new(serde_json::value::to_raw_value(&rows).unwrap()))
        });
        let results: Result<Vec<Rows>, DbError> = results.collect();
        if results.is_ok() {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        Box::pin(std::future::ready(results))
    }
}

fn run(transaction: &Transaction<'_>, sql: &str, values: &[(&str, Value)]) -> rusqlite::Result<Vec<Map<String, Json>>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    // D1's adapter refuses a call whose values do not match the names in the text; this one fails the test.
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    assert_eq!(values.len(), statement.parameter_count(), "{names:?} for {sql}");
    for (name, value) in values {
        let index = statement.parameter_index(&format!(":{name}")).unwrap();
        let value = match value {
            Value::Null => types::Value::Null,
            // D1 binds the numbers of JavaScript, so every integer arrives as a REAL.
            Value::Integer(integer) => types::Value::Real(number(*integer)),
            Value::Text(text) => types::Value::Text(text.clone()),
        };
        statement.raw_bind_parameter(index.unwrap_or_else(|| panic!("no :{name} in {sql}")), value)?;
    }
    let mut rows = statement.raw_query();
    let mut objects = Vec::new();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (index, name) in columns.iter().enumerate() {
            object.insert(name.clone(), json(row.get_ref(index)?));
        }
        objects.push(object);
    }
    Ok(objects)
}

#[expect(clippy::cast_precision_loss, reason = "as JavaScript does it; the schema has integers of 53 bits at most")]
const fn number(integer: i64) -> f64 {
    integer as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the same the other way round")]
const fn integer(number: f64) -> i64 {
    number as i64
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(integer) => integer.into(),
        // JavaScript writes a whole REAL without a fraction.
        ValueRef::Real(real) if real.fract() == 0.0 => integer(real).into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap().into(),
        ValueRef::Blob(_) => panic!("the schema has no blobs"),
    }
}

/// Name and text of every migration, in order.
pub fn migrations() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}
