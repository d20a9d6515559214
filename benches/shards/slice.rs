//! A Durable Object as the database of one API test: `make test-shards`. Each batch is one request over HTTP to workerd on this
//! machine, where `server.mjs` runs it in one transaction of `ctx.storage.sql`.
//!
//! It blocks, as rusqlite does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value as Json, json};

/// The address of the objects, as host and port. Without it, tests run on rusqlite.
const ADDRESS: &str = "SLICES";

static MADE: AtomicU32 = AtomicU32::new(0);

pub type Row = Map<String, Json>;
/// The error is the engine's message.
pub type Answer<T> = Result<T, String>;

/// One object, emptied when the test ends.
pub struct Slice {
    host: String,
    path: String,
    connection: Mutex<BufReader<TcpStream>>,
}

impl Slice {
    /// A new object, if the tests shall run on objects.
    pub fn if_asked() -> Option<Self> {
        let host = std::env::var(ADDRESS).ok()?;
        let connection = Mutex::new(BufReader::new(TcpStream::connect(&host).unwrap()));
        let path = format!("/{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        Some(Self { host, path, connection })
    }

    /// Applies every migration.
    pub fn migrate(&self) {
        self.ask("POST", "?migrated", "[]").unwrap();
    }

    /// Runs the SQL of a test.
    pub fn run(&self, sql: &str, values: Vec<Json>) -> Answer<Vec<Row>> {
        Ok(self.send("", &[(sql.to_owned(), values)])?.remove(0))
    }

    /// Runs a batch of the port with its values, in one transaction.
    pub fn batch(&self, statements: &[(String, Vec<Json>)]) -> Answer<Vec<Vec<Row>>> {
        self.send("?port", statements)
    }

    fn send(&self, query: &str, statements: &[(String, Vec<Json>)]) -> Answer<Vec<Vec<Row>>> {
        let text = self.ask("POST", query, &json!(statements).to_string())?;
        Ok(serde_json::from_str(&text).unwrap())
    }

    fn ask(&self, method: &str, query: &str, body: &str) -> Answer<String> {
        let Self { host, path, connection } = self;
        let head = format!("{method} {path}{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut connection = connection.lock().unwrap();
        connection.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut bytes = vec![0; length];
        connection.read_exact(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        match text.strip_prefix(r#"{"message":"#) {
            Some(_) => Err(serde_json::from_str::<Json>(&text).unwrap()["message"].as_str().unwrap().to_owned()),
            None => Ok(text),
        }
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        // After a failed request there may be no connection left.
        if !std::thread::panicking() {
            let _ = self.ask("DELETE", "", "");
        }
    }
}
