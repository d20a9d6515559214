//! A small world of two universities, to ask in it who may do what.
//!
//! University 1 has the departments 1 and 2, and 3 in which nothing is; university 2 has department 4. Courses:
//!
//! | id | university | department | public |
//! |----|------------|------------|--------|
//! | 1  | 1          | 1          | yes    |
//! | 2  | 1          | 1          | no     |
//! | 3  | 1          | none       | yes    |
//! | 4  | 2          | 4          | yes    |
//! | 5  | 2          | none       | no     |
//!
//! People are known by their names, and their roles by `ROLE`, `ROLE@university` or `ROLE@university/department`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::Request;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::Value;

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
           (2, 4, 'Optics', 'P1', 1, 1), (2, NULL, 'Secrets', 'S1', 0, 1);";

/// Somebody's name, and their roles with blanks between them.
pub type Person = (&'static str, &'static str);

pub struct World {
    pub service: Service,
    people: Vec<Person>,
}

impl World {
    /// With these people in it.
    pub fn of(people: &[Person]) -> Self {
        let db = filled(people);
        Self { service: Service::on(Arc::clone(&db), db, &[]), people: people.to_vec() }
    }

    /// The same, but others run this SQL, once, right before the first batch that has a statement with these words:
    /// between what a request reads and what it writes.
    pub fn overtaken(people: &[Person], words: &'static str, sql: &'static str) -> Self {
        let db = filled(people);
        let port = Overtaken { db: Arc::clone(&db), words, sql, is_over: AtomicBool::new(false) };
        Self { service: Service::on(db, Arc::new(port), &[]), people: people.to_vec() }
    }

    /// The id of somebody.
    pub fn id(&self, name: &str) -> i64 {
        let index = self.people.iter().position(|(known, _)| *known == name).unwrap();
        i64::try_from(index + 1).unwrap()
    }

    /// The id of a role of somebody.
    pub fn grant(&self, name: &str, role: &str) -> i64 {
        let (role, university, department) = parts(role);
        self.service.db.one(&format!(
            "SELECT id FROM user_university_roles WHERE user_id = {} AND role = '{role}'
             AND university_id IS {university} AND department_id IS {department}",
            self.id(name)
        ))
    }

    /// Enrols somebody, whoever they are; the id of the enrolment.
    pub fn enroll(&self, name: &str, course: i64) -> i64 {
        let user = self.id(name);
        self.service
            .db
            .execute(&format!("INSERT INTO enrollments (course_id, user_id, created_at) VALUES ({course}, {user}, 1)"));
        self.service.db.one("SELECT max(id) FROM enrollments")
    }

    /// Says whether somebody may sign in.
    pub fn set_active(&self, name: &str, active: bool) {
        self.service.db.execute(&format!("UPDATE users SET is_active = {active} WHERE id = {}", self.id(name)));
    }

    /// Somebody, with a session of their own.
    pub async fn sign_in(&self, name: &str) -> Visitor<'_> {
        let tokens = self.service.login(&address(name), PASSWORD).await.expect(200).tokens();
        Visitor { service: &self.service, authorization: Some(format!("Bearer {}", tokens.access)) }
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Visitor<'_> {
        Visitor { service: &self.service, authorization: None }
    }

    /// Somebody with whatever this is.
    pub fn with_token(&self, token: &str) -> Visitor<'_> {
        Visitor { service: &self.service, authorization: Some(format!("Bearer {token}")) }
    }

    /// Everything that roles are about, and who there is, as text.
    pub fn dump(&self) -> String {
        let tables = ["users", "user_university_roles", "universities", "departments", "courses", "enrollments"];
        let rows = tables.map(|table| self.service.db.rows(&format!("SELECT * FROM {table} ORDER BY id")));
        serde_json::to_string_pretty(&rows).unwrap()
    }
}

/// A database with the places and these people in it.
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

struct Overtaken {
    db: Arc<Sqlite>,
    words: &'static str,
    sql: &'static str,
    is_over: AtomicBool,
}

impl Db for Overtaken {
    fn batch(&self, statements: Vec<Statement>) -> PortFuture<'_, Result<Vec<Rows>, DbError>> {
        let is_now = statements.iter().any(|statement| statement.sql.contains(self.words));
        if is_now && !self.is_over.swap(true, Ordering::Relaxed) {
            self.db.execute(self.sql);
        }
        self.db.batch(statements)
    }
}

/// The address of somebody.
pub fn address(name: &str) -> String {
    format!("{}@example.com", name.to_lowercase())
}

/// Role, university and department, the latter as SQL.
fn parts(role: &str) -> (&str, &str, &str) {
    let (role, place) = role.split_once('@').unwrap_or((role, "NULL"));
    let (university, department) = place.split_once('/').unwrap_or((place, "NULL"));
    (role, university, department)
}

/// Somebody who asks.
pub struct Visitor<'a> {
    service: &'a Service,
    authorization: Option<String>,
}

impl Visitor<'_> {
    /// Asks for something: `METHOD /path`, and a JSON body after it where one is wanted.
    pub async fn ask(&self, request: &str) -> Reply {
        let mut words = request.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default();
        let mut builder = Request::builder().method(next()).uri(next());
        if let Some(authorization) = &self.authorization {
            builder = builder.header("Authorization", authorization);
        }
        let body = next().to_owned();
        if !body.is_empty() {
            builder = builder.header("Content-Type", "application/json");
        }
        self.service.send(builder.body(Body::from(body)).unwrap()).await
    }

    /// Follows a list to its end, page by page; every item of it.
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
