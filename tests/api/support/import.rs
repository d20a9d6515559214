//! Imports as a client sends them, and the rows that they leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::{Value, json};

use super::Reply;
use super::sqlite::Sqlite;
use super::world::{Person, Visitor, World};
use crate::service_accounts::add;

pub const IMPORT: &str = "POST /admin/users/import";
pub const DRY_RUN: &str = "POST /admin/users/import?dry_run=true";
/// Of [`super::PASSWORD`] with 10,000 rounds, by passlib 1.7.4.
pub const HASH: &str = "$pbkdf2-sha256$10000$c2l4dGVlbiBvZiBieXRlcw$8ycNiT5P9clvgGVeeVNDmYnxKg6Thix2F47VKRc9nyc";
/// Admits the hash, which costs a thousand times as much as those of the tests.
pub const ADMITTING: [(&str, &str); 1] = [("IMPORT_MAX_HASH_COST", "1200000")];
/// Both scopes of an importer that gives roles.
pub const SCOPES: [&str; 2] = ["users:import", "roles:grant"];

/// A new service account with these scopes, and a caller with its key. The world has root.
pub async fn importer<'a>(world: &'a World, scopes: &[&str]) -> (Value, Visitor<'a>) {
    let root = world.sign_in("root").await;
    let (account, key) = add(&root, scopes).await;
    (account, world.with_token(&key))
}

/// The lines as a body.
pub fn body(lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

/// The lines of a reply.
pub fn read(reply: Reply) -> Vec<Value> {
    reply.expect(200).text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The outcome of an answer, with its code behind it.
pub fn word(answer: &Value) -> String {
    let code = answer["code"].as_str().map(|code| format!(" {code}")).unwrap_or_default();
    format!("{}{code}", answer["outcome"].as_str().unwrap())
}

/// Imports a text; returns the answers.
pub async fn answers(visitor: &Visitor<'_>, text: &str) -> Vec<Value> {
    read(visitor.ask(&format!("{IMPORT} {text}")).await)
}

/// Imports lines; returns the outcomes.
pub async fn import(visitor: &Visitor<'_>, lines: &[Value]) -> Vec<String> {
    answers(visitor, &body(lines)).await.iter().map(word).collect()
}

/// Imports a line that nothing hinders; returns the id of the user.
pub async fn created(world: &World, visitor: &Visitor<'_>, line: &Value) -> i64 {
    assert_eq!(import(visitor, std::slice::from_ref(line)).await, ["created"], "{line}");
    world.service.db.one("SELECT id FROM users WHERE import_id IS NOT NULL ORDER BY id DESC LIMIT 1")
}

/// The same after a dry run, which writes nothing and foresees every outcome.
pub async fn foreseen_import(world: &World, visitor: &Visitor<'_>, lines: &[Value]) -> Vec<String> {
    let text = body(lines);
    let dry = || async { read(visitor.ask(&format!("{DRY_RUN} {text}")).await) };
    // The first use of a key in a minute is noted.
    dry().await;
    let before = rows(&world.service.db);
    let foreseen = dry().await;
    assert_eq!(rows(&world.service.db), before, "{text}");
    let answers = answers(visitor, &text).await;
    assert_eq!(foreseen, answers, "{text}");
    answers.iter().map(word).collect()
}

/// Sends any bytes as an import.
pub async fn import_bytes(world: &World, visitor: &Visitor<'_>, bytes: impl Into<Body>) -> Reply {
    let (head, _) = visitor.request(&format!("{IMPORT} x"));
    world.service.send(head.body(bytes.into()).unwrap()).await
}

/// Every row of every table, as text.
pub fn rows(db: &Sqlite) -> String {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let dump = |table: String| json!({"rows": db.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2")), "of": table});
    serde_json::to_string_pretty(&db.column(tables).into_iter().map(dump).collect::<Vec<_>>()).unwrap()
}

/// The account with this address as its importer made it, without the columns that are drawn.
pub fn account(db: &Sqlite, email: &str) -> Value {
    let rows = db.rows(&format!(
        "SELECT email, full_name, is_active, created_at, email_verified_at, has_password, imported_by, external_id,
                import_id IS NOT NULL AS untouched, mail_refused_at, registered_network,
                (SELECT json_group_array(role || '@' || university_id || coalesce('/' || department_id, ''))
                 FROM (SELECT * FROM user_university_roles AS g WHERE g.user_id = u.id ORDER BY role, university_id)) AS roles
         FROM users AS u WHERE email = '{email}'"
    ));
    rows.into_iter().next().map_or(Value::Null, Value::from)
}

/// Type, user, actor and reason of the events of an import, in their order.
pub fn events(db: &Sqlite) -> Vec<Value> {
    let rows = db.rows(
        "SELECT type, user_id, actor_id, reason FROM audit_events
         WHERE type IN ('imported', 'deleted', 'email_verified', 'role_granted', 'profile_changed') ORDER BY id",
    );
    rows.iter().map(|row| json!([row["type"], row["user_id"], row["actor_id"], row["reason"]])).collect()
}

pub fn count(db: &Sqlite, rows: &str) -> i64 {
    db.one(&format!("SELECT count(*) FROM {rows}"))
}

/// The insertion of users, which each batch of an import has and nothing else.
const INSERTION: &str = "imported_by, external_id, import_id)";

type Act = Box<dyn Fn(&Sqlite, usize) -> Result<(), DbError> + Send + Sync>;

/// Acts before each batch of an import, which gets its number from 1 on; perhaps the batch fails instead.
pub struct Before {
    db: Arc<Sqlite>,
    act: Act,
    batches: AtomicUsize,
}

impl Before {
    /// A world with such a database, and these settings.
    pub fn world(
        people: &[Person],
        settings: &[(&'static str, &'static str)],
        act: impl Fn(&Sqlite, usize) -> Result<(), DbError> + Send + Sync + 'static,
    ) -> World {
        let settings = [settings, &ADMITTING].concat();
        World::through(people, &settings, |db| Arc::new(Self { db, act: Box::new(act), batches: AtomicUsize::new(0) }))
    }
}

impl Db for Before {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        if statements.iter().any(|statement| statement.sql.contains(INSERTION)) {
            let number = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
            if let Err(error) = (self.act)(&self.db, number) {
                return Box::pin(std::future::ready(Err(error)));
            }
        }
        self.db.batch(statements)
    }
}

/// Lines with ids and addresses of their numbers.
pub fn numbered(count: usize) -> Vec<Value> {
    let line =
        |number: usize| json!({"email": format!("user-{number}@example.com"), "external_id": number.to_string()});
    (1..=count).map(line).collect()
}

/// Each word so many times.
pub fn times(words: &[(usize, &str)]) -> Vec<String> {
    words.iter().flat_map(|(number, word)| vec![(*word).to_owned(); *number]).collect()
}
