//! A world of two small universities, for tests of access rules.
//!
//! University 1 has the departments 1, 2 and 3, which is empty; university 2 has department 4. Courses:
//!
//! | id | university | department | public |
//! |----|------------|------------|--------|
//! | 1  | 1          | 1          | yes    |
//! | 2  | 1          | 1          | no     |
//! | 3  | 1          | none       | yes    |
//! | 4  | 2          | 4          | yes    |
//! | 5  | 2          | none       | no     |
//!
//! The service account 1 has a key whose secret nothing matches.
//!
//! Users go by name, and their roles are written `ROLE`, `ROLE@university` or `ROLE@university/department`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::Value;

use super::factors::complete;
use super::machine;
use super::machine::media_type;
use super::sqlite::Sqlite;
use super::{PASSWORD, Reply, Service};

/// [`PASSWORD`], hashed in ten rounds.
const HASH: &str = "$pbkdf2-sha256$i=10,l=32$c2FsdC1vZi10aGUtdGVzdA$dA4YaBnakANOrNEvFi1MRZTpAzd+BV0qvIsp7vunnR8";

const PLACES: &str = "
    INSERT INTO universities (name, slug, created_at) VALUES ('Here', 'here', 1), ('There', 'there', 1);
    INSERT INTO departments (university_id, name, created_at)
    VALUES (1, 'Physics', 1), (1, 'History', 1), (1, 'Empty', 1), (2, 'Physics', 1);
    INSERT INTO courses (university_id, department_id, title, code, is_public, created_at)
    VALUES (1, 1, 'Optics', 'P1', 1, 1), (1, 1, 'Quanta', 'P2', 0, 1), (1, NULL, 'Rhetoric', 'R1', 1, 1),
           (2, 4, 'Optics', 'P1', 1, 1), (2, NULL, 'Secrets', 'S1', 0, 1);
    INSERT INTO service_accounts (id, client_id, name, scopes, created_at, updated_at)
    VALUES (1, 'sa_00000000000000000000000000000001', 'Gateway', '[\"authz:check\"]', 1, 1);
    INSERT INTO api_keys (id, service_account_id, secret_hash, created_at)
    VALUES (1, 1, printf('%064d', 0), 1);";

/// A user's name, and the user's roles separated by spaces.
pub type Person = (&'static str, &'static str);

pub struct World {
    pub service: Service,
    people: Vec<Person>,
    /// The concurrent writer of this world, if it has one.
    writer: Option<Arc<ConcurrentWriter>>,
}

impl World {
    /// A world with these users.
    pub fn of(people: &[Person]) -> Self {
        let db = filled(people);
        Self { service: Service::on(Arc::clone(&db), db, &[]), people: people.to_vec(), writer: None }
    }

    /// The same, with these settings and a port of the test in front of the database.
    pub fn through(
        people: &[Person],
        settings: &[(&str, &str)],
        port: impl FnOnce(Arc<Sqlite>) -> Arc<dyn Db>,
    ) -> Self {
        let db = filled(people);
        Self { service: Service::on(Arc::clone(&db), port(db), settings), people: people.to_vec(), writer: None }
    }

    /// The same, with a concurrent writer: it runs `sql` once, right before the first batch with a statement that
    /// contains `statement`, so between a request's read and its write. The test fails if that batch never came.
    pub fn overtaken(people: &[Person], statement: &'static str, sql: &'static str) -> Self {
        Self::overtaken_with(people, &[], statement, sql)
    }

    /// The same, with these settings.
    pub fn overtaken_with(
        people: &[Person],
        settings: &[(&str, &str)],
        statement: &'static str,
        sql: &'static str,
    ) -> Self {
        let db = filled(people);
        let writer = Arc::new(ConcurrentWriter { db: Arc::clone(&db), statement, sql, batches: AtomicUsize::new(0) });
        let service = Service::on(db, Arc::clone(&writer) as Arc<dyn Db>, settings);
        Self { service, people: people.to_vec(), writer: Some(writer) }
    }

    /// The id of a user.
    pub fn id(&self, name: &str) -> i64 {
        let index = self.people.iter().position(|(known, _)| *known == name).unwrap();
        i64::try_from(index + 1).unwrap()
    }

    /// The id of a user's role grant.
    pub fn grant(&self, name: &str, role: &str) -> i64 {
        let (role, university, department) = parts(role);
        self.service.db.one(&format!(
            "SELECT id FROM user_university_roles WHERE user_id = {} AND role = '{role}'
             AND university_id IS {university} AND department_id IS {department}",
            self.id(name)
        ))
    }

    /// Enrols a user without any check; returns the id of the enrolment.
    pub fn enroll(&self, name: &str, course: i64) -> i64 {
        let user = self.id(name);
        self.service
            .db
            .execute(&format!("INSERT INTO enrollments (course_id, user_id, created_at) VALUES ({course}, {user}, 1)"));
        self.service.db.one("SELECT max(id) FROM enrollments")
    }

    /// Adds a key of a user, whose secret nothing matches.
    pub fn add_key(&self, name: &str, id: i64) {
        let user = self.id(name);
        self.service.db.execute(&format!(
            "INSERT INTO api_keys (id, user_id, name, permissions, secret_hash, created_at)
             VALUES ({id}, {user}, 'Key', '[\"universities:view\"]', printf('%064d', 0), 1)"
        ));
    }

    /// The request with the newest ids in the places of `{api_key}`, `{account}`, `{service_key}` and `{invitation}`.
    pub fn with_newest(&self, request: &str) -> String {
        let newest = |request: String, place: &str, rows: &str| {
            if !request.contains(place) {
                return request;
            }
            let id: i64 = self.service.db.one(&format!("SELECT coalesce(max(id), 1) FROM {rows}"));
            request.replace(place, &id.to_string())
        };
        let request = newest(request.to_owned(), "{api_key}", "api_keys WHERE user_id IS NOT NULL");
        let request = newest(request, "{service_key}", "api_keys WHERE service_account_id IS NOT NULL");
        let request = newest(request, "{invitation}", "invitations");
        newest(request, "{account}", "service_accounts")
    }

    /// Notes that a user has proven the address.
    pub fn verify(&self, name: &str) {
        self.service.db.execute(&format!("UPDATE users SET email_verified_at = 1 WHERE id = {}", self.id(name)));
    }

    /// Enables or disables a user.
    pub fn set_active(&self, name: &str, active: bool) {
        self.service.db.execute(&format!("UPDATE users SET is_active = {active} WHERE id = {}", self.id(name)));
    }

    /// A user with a new session, which was opened with a second factor if the user has one.
    pub async fn sign_in(&self, name: &str) -> Visitor<'_> {
        let reply = self.service.login(&address(name), PASSWORD).await;
        let tokens = complete(&self.service, name, reply).await.expect(200).tokens();
        Visitor { service: &self.service, authorization: Some(format!("Bearer {}", tokens.access)) }
    }

    /// The service account of the tests, by its key.
    pub fn machine(&self) -> Visitor<'_> {
        machine::add(&self.service.db);
        self.with_token(&machine::key())
    }

    /// A caller without a token.
    pub fn anonymous(&self) -> Visitor<'_> {
        Visitor { service: &self.service, authorization: None }
    }

    /// A caller with this text as its token.
    pub fn with_token(&self, token: &str) -> Visitor<'_> {
        Visitor { service: &self.service, authorization: Some(format!("Bearer {token}")) }
    }

    /// All users, roles, places, courses, enrolments, service accounts, keys, proofs, invitations, second factors and identities,
    /// as text.
    pub fn dump(&self) -> String {
        let tables = ["users", "user_university_roles", "universities", "departments", "courses", "enrollments"]
            .into_iter()
            .chain([
                "service_accounts",
                "api_keys",
                "email_proofs",
                "invitations",
                "totp_secrets",
                "passkeys",
                "identities",
            ]);
        let rows: Vec<_> =
            tables.map(|table| self.service.db.rows(&format!("SELECT * FROM {table} ORDER BY id"))).collect();
        serde_json::to_string_pretty(&rows).unwrap()
    }
}

/// A test cannot pass without its concurrent write, for instance because the text of a statement has changed.
impl Drop for World {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.as_ref().filter(|_| !std::thread::panicking()) {
            let batches = writer.batches.load(Ordering::Relaxed);
            assert!(batches >= 1, "no batch has a statement with {:?}", writer.statement);
        }
    }
}

/// A database with the places and these users.
fn filled(people: &[Person]) -> Arc<Sqlite> {
    let db = Arc::new(Sqlite::migrated());
    db.execute(PLACES);
    for (id, (name, roles)) in (1..).zip(people) {
        db.execute(&format!(
            "INSERT INTO users (id, email, password_hash, created_at) VALUES ({id}, '{}', '{HASH}', 1)",
            address(name)
        ));
        for role in roles.split_whitespace() {
            let (role, university, department) = parts(role);
            db.execute(&format!(
                "INSERT INTO user_university_roles (user_id, role, university_id, department_id, created_at)
                 VALUES ({id}, '{role}', {university}, {department}, 1)"
            ));
        }
    }
    db
}

struct ConcurrentWriter {
    db: Arc<Sqlite>,
    statement: &'static str,
    sql: &'static str,
    /// The number of batches with the statement so far; `sql` runs before the first.
    batches: AtomicUsize,
}

impl Db for ConcurrentWriter {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let is_awaited = statements.iter().any(|statement| statement.sql.contains(self.statement));
        if is_awaited && self.batches.fetch_add(1, Ordering::Relaxed) == 0 {
            self.db.execute(self.sql);
        }
        self.db.batch(statements)
    }
}

/// The e-mail address of a user.
pub fn address(name: &str) -> String {
    format!("{}@example.com", name.to_lowercase())
}

/// Role, university and department, the latter as SQL.
fn parts(role: &str) -> (&str, &str, &str) {
    let (role, place) = role.split_once('@').unwrap_or((role, "NULL"));
    let (university, department) = place.split_once('/').unwrap_or((place, "NULL"));
    (role, university, department)
}

/// A caller, with or without a token.
pub struct Visitor<'a> {
    service: &'a Service,
    authorization: Option<String>,
}

impl Visitor<'_> {
    /// The `Authorization` header.
    pub fn token(&self) -> &str {
        self.authorization.as_deref().unwrap_or_default()
    }

    /// Sends a request, written as `METHOD /path` and optionally a JSON body.
    pub async fn ask(&self, request: &str) -> Reply {
        let (head, body) = self.request(request);
        self.service.send(head.body(Body::from(body)).unwrap()).await
    }

    /// The head of a request, to be sent otherwise, and the text of its body.
    pub fn request(&self, request: &str) -> (Builder, String) {
        let mut words = request.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (method, path) = (next(), next());
        let mut builder = Request::builder().method(method).uri(path);
        if let Some(authorization) = &self.authorization {
            builder = builder.header("Authorization", authorization);
        }
        let body = next().to_owned();
        if !body.is_empty() {
            builder = builder.header("Content-Type", media_type(path));
        }
        (builder, body)
    }

    /// Every item of a list, followed page by page to its end.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut page = self.ask(&format!("GET {path}{cursor}")).await.expect(200).body;
            items.append(page["items"].as_array_mut().unwrap());
            let Some(next) = page["next_cursor"].as_str() else { return items };
            let separator = if path.contains('?') { '&' } else { '?' };
            cursor = format!("{separator}cursor={next}");
        }
    }
}
