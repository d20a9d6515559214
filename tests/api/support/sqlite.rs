//! The database port on `SQLite` itself: the second real implementation beside D1. `make test-shards` puts a Durable Object
//! in its place.

#[path = "../../../benches/shards/slice.rs"]
mod slice;

use std::sync::{LazyLock, Mutex, MutexGuard};

use edge_auth::ports::{Db, DbError, NumberedSql, PortFuture, Rows, Statement, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction, params_from_iter, types};
use serde_json::{Map, Value as Json};
use slice::Slice;

pub struct Sqlite(Engine);

enum Engine {
    Native(Mutex<Connection>),
    Slice(Slice),
}

impl Sqlite {
    /// An empty database.
    pub fn empty() -> Self {
        if let Some(slice) = Slice::if_asked() {
            return Self(Engine::Slice(slice));
        }
        Self(Engine::Native(Mutex::new(opened())))
    }

    /// A database with every migration applied: a copy, since applying them takes longer than most tests.
    pub fn migrated() -> Self {
        static MIGRATED: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let mut connection = opened();
            for (_, sql) in migrations() {
                connection.execute_batch(&sql).unwrap();
            }
            connection.serialize("main").unwrap().to_vec()
        });
        let db = Self::empty();
        match &db.0 {
            Engine::Native(connection) => {
                let mut connection = connection.lock().unwrap();
                connection.deserialize_read_exact("main", &**MIGRATED, MIGRATED.len(), false).unwrap();
            }
            Engine::Slice(slice) => slice.migrate(),
        }
        db
    }

    /// Becomes a copy of another database, both of which are native.
    pub fn copy(&self, other: &Self) {
        let bytes = other.native().serialize("main").unwrap().to_vec();
        self.native().deserialize_read_exact("main", &*bytes, bytes.len(), false).unwrap();
    }

    fn native(&self) -> MutexGuard<'_, Connection> {
        match &self.0 {
            Engine::Native(connection) => connection.lock().unwrap(),
            Engine::Slice(_) => panic!("a Durable Object cannot be copied"),
        }
    }

    /// Runs SQL.
    pub fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap();
    }

    /// Runs SQL that may be refused; the error is the engine's message.
    pub fn try_execute(&self, sql: &str) -> Result<(), String> {
        match &self.0 {
            Engine::Native(connection) => {
                connection.lock().unwrap().execute_batch(sql).map_err(|error| error.to_string())
            }
            Engine::Slice(slice) => slice.run(sql, Vec::new()).map(drop),
        }
    }

    /// The single value that a query selects.
    pub fn one<T: types::FromSql>(&self, sql: &str) -> T {
        match &self.0 {
            Engine::Native(connection) => connection.lock().unwrap().query_row(sql, [], |row| row.get(0)).unwrap(),
            Engine::Slice(_) => {
                let row = self.rows(sql).remove(0);
                let value = stored(row.values().next().unwrap());
                T::column_result(ValueRef::from(&value)).unwrap()
            }
        }
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
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let connection = match &self.0 {
            Engine::Native(connection) => connection.lock().unwrap(),
            Engine::Slice(slice) => {
                let nulls = vec![Json::Null; NumberedSql::parse(sql.clone().leak()).names.len()];
                let lines = slice.run(&sql, nulls).unwrap();
                return lines.iter().map(|line| line["detail"].as_str().unwrap().to_owned()).collect();
            }
        };
        let mut statement = connection.prepare(&sql).unwrap();
        let nulls = vec![types::Value::Null; statement.parameter_count()];
        let details = statement.query_map(params_from_iter(nulls), |row| row.get("detail")).unwrap();
        details.map(Result::unwrap).collect()
    }

    /// Every row, as JSON objects.
    pub fn rows(&self, sql: &str) -> Vec<Map<String, Json>> {
        match &self.0 {
            Engine::Native(connection) => run(&connection.lock().unwrap().transaction().unwrap(), sql, &[]).unwrap(),
            Engine::Slice(slice) => slice.run(sql, Vec::new()).unwrap(),
        }
    }

    fn answers(&self, statements: &[Statement]) -> Result<Vec<Vec<Map<String, Json>>>, String> {
        let mut connection = match &self.0 {
            Engine::Native(connection) => connection.lock().unwrap(),
            Engine::Slice(slice) => return slice.batch(&statements.iter().map(numbered).collect::<Vec<_>>()),
        };
        let transaction = connection.transaction().unwrap();
        let answers = statements
            .iter()
            .map(|Statement { sql, values }| run(&transaction, sql, values).map_err(|error| error.to_string()));
        let answers: Result<Vec<_>, String> = answers.collect();
        if answers.is_ok() {
            transaction.commit().unwrap();
        } else {
            transaction.rollback().unwrap();
        }
        answers
    }
}

impl Db for Sqlite {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let answers = self.answers(statements).map_err(|message| DbError::from_message(&message));
        let rows = |rows: &Vec<_>| Rows::new(serde_json::value::to_raw_value(rows).unwrap());
        Box::pin(std::future::ready(answers.map(|answers| answers.iter().map(rows).collect())))
    }
}

fn opened() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    // As in D1.
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    // Most of the time of a short statement goes into its preparation.
    connection.set_prepared_statement_cache_capacity(500);
    connection
}

/// A statement as D1's adapter passes it on.
fn numbered(statement: &Statement) -> (String, Vec<Json>) {
    let sql = NumberedSql::parse(statement.sql);
    let values = sql.order(statement).unwrap();
    let values = values.into_iter().map(|value| match value {
        Value::Null => Json::Null,
        Value::Integer(integer) => (*integer).into(),
        Value::Text(text) => text.as_str().into(),
    });
    (sql.text, values.collect())
}

/// A value of a row as `SQLite` has it.
fn stored(value: &Json) -> types::Value {
    match value {
        Json::Null => types::Value::Null,
        Json::String(text) => types::Value::Text(text.clone()),
        value => value.as_i64().map_or_else(|| types::Value::Real(value.as_f64().unwrap()), types::Value::Integer),
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
