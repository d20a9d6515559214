//! The Durable Object of the circuit breaker on `SQLite`: every change is stored before it is answered.

use std::cell::RefCell;

use edge_auth::shell::breaker_object::{Storage, answer};
use edge_auth::shell::{clock, requests};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value, json};

use crate::support::{SECRET, START};

struct Sql(RefCell<Connection>);

impl Storage for Sql {
    fn run(&self, statement: &str, values: &str) -> Result<String, String> {
        let values: Vec<Value> = serde_json::from_str(values).unwrap();
        let values = values.into_iter().map(|value| match value {
            Value::Number(number) => rusqlite::types::Value::from(number.as_i64().unwrap()),
            value => value.as_str().unwrap().to_owned().into(),
        });
        let connection = self.0.borrow();
        let mut statement = connection.prepare(statement).map_err(|error| error.to_string())?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let rows = statement.query_map(params_from_iter(values), |row| {
            let cells = columns.iter().map(|name| {
                let cell = match row.get_ref(name.as_str())? {
                    ValueRef::Integer(integer) => json!(integer),
                    cell => json!(cell.as_str()?),
                };
                Ok((name.clone(), cell))
            });
            cells.collect::<rusqlite::Result<Map<_, _>>>()
        });
        let rows: Result<Vec<_>, _> = rows.and_then(Iterator::collect);
        rows.map(|rows| json!(rows).to_string()).map_err(|error| error.to_string())
    }
}

struct Object(Sql);

impl Object {
    fn new() -> Self {
        let bindings: [&str; 0] = [];
        requests::configure(&json!({ "variables": { "SECRET_KEY": SECRET }, "bindings": bindings }).to_string());
        clock::set(START);
        Self(Sql(RefCell::new(Connection::open_in_memory().unwrap())))
    }

    /// Asks a question, and returns the status and the body of the response.
    fn ask(&self, question: &str) -> (String, String) {
        let response = answer(&format!("https://circuit-breaker.invalid/{question}?abc"), &self.0);
        let (head, body) = response.split_once("\n\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    fn view(&self, question: &str) -> Value {
        let (status, body) = self.ask(question);
        assert_eq!(status, "R200", "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["view"].clone()
    }
}

#[test]
fn each_answer_follows_from_the_stored_state() {
    let object = Object::new();
    assert_eq!(object.view("inspect")["state"], "closed");
    for failures in 1..=5 {
        assert_eq!(object.view("failed")["failure_count"], failures);
    }
    assert_eq!(object.view("inspect")["state"], "open");
    clock::set(START.plus_seconds(3600));
    let (_, body) = object.ask("admit");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["admission"], json!({ "probe": 1 }), "{body}");
    assert_eq!(object.view("inspect")["state"], "half_open");
    assert_eq!(object.view("probe-succeeded/1")["state"], "closed");
}

#[test]
fn the_calls_around_a_failure_decide_and_are_stored() {
    let object = Object::new();
    for failures in 1..=20 {
        assert_eq!(object.view("failed/7.1.99")["failure_count"], failures);
    }
    assert_eq!(object.view("inspect")["state"], "closed", "one per cent");
    clock::set(START.plus_seconds(60));
    for isolate in [7, 8, 7, 8] {
        assert_eq!(object.view(&format!("failed/{isolate}.1.1"))["state"], "closed");
    }
    assert_eq!(object.view("failed/7.1.1")["state"], "open");
}

#[test]
fn an_isolate_of_an_earlier_version_is_understood_by_this_object() {
    let object = Object::new();
    for _ in 0..5 {
        object.view("failed");
    }
    assert_eq!(object.view("inspect")["state"], "open");
    clock::set(START.plus_seconds(30));
    object.view("admit");
    assert_eq!(object.view("probe-succeeded/1")["state"], "closed");
}

#[test]
fn a_question_of_a_later_version_changes_nothing_and_is_called_unknown() {
    let object = Object::new();
    object.view("failed");
    for question in ["failed/7.1.2.3", "probe-forgotten/1", "nonsense"] {
        let (status, body) = object.ask(question);
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status.as_str(), &answer["is_unknown"]), ("R200", &json!(true)), "{body}");
        assert_eq!((&answer["view"]["state"], &answer["view"]["failure_count"]), (&json!("closed"), &json!(1)));
    }
}

#[test]
fn a_stored_state_of_another_version_starts_a_closed_breaker() {
    let object = Object::new();
    object.view("command/open");
    object.0.0.borrow().execute("UPDATE breaker SET machine = '{}'", []).unwrap();
    assert_eq!(object.view("inspect")["state"], "closed");
}

#[test]
fn a_storage_that_fails_and_a_url_that_is_no_question_are_errors() {
    let object = Object::new();
    let elsewhere = answer("https://elsewhere.invalid/admit?abc", &object.0);
    assert_eq!(elsewhere, "R500\ncontent-type: text/plain\n\n", "the cause is logged, not told");
    object.view("inspect");
    object
        .0
        .0
        .borrow()
        .execute_batch("DROP TABLE breaker; CREATE VIEW breaker AS SELECT 1 AS id, 'x' AS machine")
        .unwrap();
    assert_eq!(object.ask("failed").0, "R500");
}
