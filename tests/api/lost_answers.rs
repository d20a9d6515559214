//! Every operation once as it is, and once with each of its writing batches executed twice: the first answer was lost.
//! Status, body and the rows of all tables must be the same. Both services draw the same values, so nothing is excepted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use edge_auth::http::routes::ROUTES;
use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use edge_auth::service::platform::clean_up::clean_up;
use edge_auth::store::Store;
use serde_json::Value;

use crate::lost_answers_requests::OPERATIONS;
use crate::support::contract::is_built;
use crate::support::factors::{MIA, are_due, with_factors_of};
use crate::support::federation::joined;
use crate::support::identities::FAY;
use crate::support::machine;
use crate::support::machine::media_type;
use crate::support::mail::{settle, with_links};
use crate::support::sqlite::Sqlite;
use crate::support::world::{Person, World, address};
use crate::support::{PASSWORD, Reply, clock, draw_from};

const PEOPLE: [Person; 10] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("stu", "STUDENT@1"),
    ("bob", ""),
    ("eve", ""),
    ("pat", ""),
    ("second", "PLATFORM_ADMIN"),
    ("mia", ""),
    ("fay", ""),
];

const OPERATOR_KEY: &str = "an-operator-key-of-32-characters";

/// Executes each batch that writes twice, and returns the second result.
pub struct LostAnswers(pub Arc<Sqlite>);

impl Db for LostAnswers {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            let writes = statements.iter().any(|statement| !statement.sql.trim_start().starts_with("SELECT"));
            if writes {
                let _lost = self.0.batch(statements).await;
            }
            self.0.batch(statements).await
        })
    }
}

/// Two services with the same users, one of which loses answers.
struct Pair {
    plain: World,
    lossy: World,
    seed: Cell<u64>,
    done: RefCell<BTreeSet<&'static str>>,
}

/// Every row of every table.
fn dump(world: &World) -> Vec<(String, Vec<serde_json::Map<String, Value>>)> {
    let db = &world.service.db;
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let names = db.rows(tables);
    let names = names.iter().map(|row| row["name"].as_str().unwrap().to_owned());
    names.map(|name| (name.clone(), db.rows(&format!("SELECT * FROM {name} ORDER BY 1, 2")))).collect()
}

fn route_of(method: &str, path: &str) -> &'static str {
    let path = path.split('?').next().unwrap();
    let fits = |pattern: &str| {
        let (mut given, mut wanted) = (path.split('/'), pattern.split('/'));
        given.clone().count() == wanted.clone().count()
            && wanted.all(|part| given.next().is_some_and(|text| part.starts_with('{') || part == text))
    };
    ROUTES.iter().find(|route| route.method == method && fits(route.path)).unwrap().operation_id
}

impl Pair {
    fn new() -> Self {
        let settings: [_; 19] = joined([
            ("RATE_LIMITING", "on"),
            ("REGISTRATIONS_PER_HOUR", "2"),
            ("PASSWORD_ITERATIONS", "10"),
            ("ALGORITHM", "EdDSA"),
            ("SIGNING_KEY_AHEAD_HOURS", "0"),
            ("OPERATOR_KEY", OPERATOR_KEY),
            ("MAIL", "binding"),
            ("MAIL_FROM", "login@example.com"),
            ("EMAIL_SIGN_IN", "on"),
        ]);
        let plain = World::through(&PEOPLE, &settings, |db| db);
        let lossy = World::through(&PEOPLE, &settings, |db| Arc::new(LostAnswers(db)));
        Self { plain, lossy, seed: Cell::new(1), done: RefCell::default() }
    }

    /// Sends a request, written as `METHOD /path` and perhaps a body, to both services, and compares them.
    async fn send(&self, token: &str, status: u16, request: &str) -> Reply {
        let mut words = request.splitn(3, ' ');
        let (method, path, body) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
        self.done.borrow_mut().insert(route_of(method, path));
        let seed = self.seed.replace(self.seed.get() + 1);
        let mut replies = Vec::new();
        for world in [&self.plain, &self.lossy] {
            world.service.limiter.open();
            draw_from(seed);
            let target = with_links(&world.service.db, path);
            let mut builder = Request::builder().method(method).uri(target);
            builder = builder.header("CF-Connecting-IP", format!("192.{}.{}.1", seed / 250, seed % 250));
            if !token.is_empty() {
                builder = builder.header("Authorization", format!("Bearer {token}"));
            }
            if !body.is_empty() {
                builder = builder.header("Content-Type", media_type(path));
            }
            let body = body.replace("PASSWORD", PASSWORD);
            let body = with_links(&world.service.db, &body);
            replies.push(world.service.send(builder.body(Body::from(body)).unwrap()).await);
            settle().await;
        }
        let lossy = replies.pop().unwrap();
        let plain = replies.pop().unwrap().expect(status);
        assert_eq!((lossy.status, &lossy.body), (plain.status, &plain.body), "{request}");
        for (one, other) in dump(&self.lossy).iter().zip(&dump(&self.plain)) {
            assert_eq!(one, other, "{request}");
        }
        plain
    }

    async fn sign_in(&self, name: &str) -> (String, String) {
        let body = format!(r#"{{"email": "{}", "password": "PASSWORD"}}"#, address(name));
        let login = format!("POST /auth/login {body}");
        let tokens = if name == MIA && are_due(&self.plain.service.db) {
            let asked = self.send("", 401, &login).await.body;
            let token = &asked["error"]["details"]["mfa_token"];
            let second = format!(r#"POST /auth/mfa {{"mfa_token": {token}, "recovery_code": "RECOVERY_CODE"}}"#);
            self.send("", 200, &second).await.tokens()
        } else {
            self.send("", 200, &login).await.tokens()
        };
        (tokens.access, tokens.refresh)
    }

    /// Each line is a caller, a status and a request. A caller has a new session for each.
    async fn all(&self, lines: &str) {
        for line in lines.lines().filter(|line| !line.is_empty() && is_built(line)) {
            let (caller, rest) = line.split_once(' ').unwrap();
            let (status, request) = rest.trim_start().split_once(' ').unwrap();
            let token = if caller == "anyone" { String::new() } else { self.sign_in(caller).await.0 };
            let request = self.plain.with_newest(request);
            self.send(&token, status.parse().unwrap(), &request).await;
        }
    }
}

async fn use_sessions(pair: &Pair) {
    let of_token = |path: &str, token: &str| format!(r#"POST {path} {{"refresh_token": "{token}"}}"#);
    let (access, refresh) = pair.sign_in("stu").await;
    let next = pair.send("", 200, &of_token("/auth/refresh", &refresh)).await.tokens().refresh;
    pair.plain.service.advance(60);
    pair.send("", 401, &of_token("/auth/refresh", &refresh)).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(pair.lossy.service.logs("Refresh token reuse detected: session ended").len(), 2, "one of each service");
    for _ in 0..2 {
        pair.send("", 401, &of_token("/auth/refresh", &next)).await;
    }
    pair.send(&access, 401, "POST /auth/logout-all").await;
    let (access, _) = pair.sign_in("stu").await;
    let (_, other) = pair.sign_in("stu").await;
    let sessions = pair.send(&access, 200, "GET /auth/sessions").await.body;
    let is_other = |session: &&Value| session["current"] == false;
    let id = sessions["sessions"].as_array().unwrap().iter().find(is_other).unwrap()["id"].clone();
    pair.send(&access, 204, &format!("DELETE /auth/sessions/{id}")).await;
    pair.send(&access, 404, &format!("DELETE /auth/sessions/{id}")).await;
    let (_, refresh) = pair.sign_in("stu").await;
    for token in [&refresh, &refresh, &other] {
        pair.send("", 200, &of_token("/auth/logout", token)).await;
    }
    for _ in 0..101 {
        pair.sign_in("stu").await;
    }
}

async fn use_machine(pair: &Pair) {
    for world in [&pair.plain, &pair.lossy] {
        machine::add(&world.service.db);
    }
    let client = format!("client_id={}&client_secret={}", machine::CLIENT_ID, machine::key());
    pair.send("", 200, &format!("POST /oauth/token grant_type=client_credentials&{client}")).await;
    let (access, refresh) = pair.sign_in("stu").await;
    for token in [&refresh, &access, &refresh, &machine::key()] {
        pair.send(&machine::key(), 200, &format!("POST /oauth/introspect token={token}")).await;
    }
    for token in [&refresh, &access, &machine::key()] {
        pair.send(&machine::key(), 200, &format!("POST /oauth/revoke token={token}")).await;
    }
    pair.send(&machine::key(), 401, "POST /oauth/revoke token=nonsense").await;
}

/// An identity that joins an account by a mailed code and, behind it, a second factor.
async fn join_behind_a_factor(pair: &Pair) {
    for world in [&pair.plain, &pair.lossy] {
        draw_from(0);
        with_factors_of(&world.service.db, FAY, "TOTP_CODE RECOVERY_CODE");
    }
    let due = pair.send("", 401, "POST /auth/federated/confirm CONFIRMATION_OF_OWNER").await.body;
    let token = &due["error"]["details"]["mfa_token"];
    let code = with_factors_of(&pair.plain.service.db, FAY, "RECOVERY_CODE");
    let second = format!(r#"POST /auth/mfa {{"mfa_token": {token}, "recovery_code": "{code}"}}"#);
    let before: i64 = pair.plain.service.db.one("SELECT count(*) FROM identities");
    pair.send("", 200, &second).await;
    pair.send("", 401, &second).await;
    assert_eq!(pair.plain.service.db.one::<i64>("SELECT count(*) FROM identities"), before + 1);
}

const KEY_COMMANDS: [(u16, &str); 3] = [
    (200, r#"{"action": "rotate"}"#),
    (200, r#"{"action": "rotate"}"#),
    (404, r#"{"action": "revoke", "kid": "00000000000000000000000000000000"}"#),
];

#[tokio::test]
async fn a_batch_that_is_executed_twice_has_the_effect_and_the_answer_of_one() {
    let pair = Pair::new();
    use_sessions(&pair).await;
    pair.all(OPERATIONS).await;
    join_behind_a_factor(&pair).await;
    for (status, body) in KEY_COMMANDS {
        pair.send(OPERATOR_KEY, status, &format!("POST /operator/signing-keys {body}")).await;
    }
    use_machine(&pair).await;
    for _ in 0..8 {
        let wrong = r#"POST /auth/login {"email": "ulla@example.com", "password": "a wrong password"}"#;
        pair.send("", 401, wrong).await;
    }
    let changing = ROUTES.iter().filter(|route| route.method != "GET").map(|route| route.operation_id);
    let changing: BTreeSet<&str> = changing.collect();
    let left: Vec<_> = changing.difference(&pair.done.borrow()).copied().collect();
    assert_eq!(left, ["setCircuitBreaker", "startPasskeySignIn"], "they do not ask the database");
    pair.plain.service.advance(100 * 24 * 3600);
    let [plain, lossy] = [&pair.plain, &pair.lossy].map(|world| world.service.db.clone());
    let lossy: Arc<dyn Db> = Arc::new(LostAnswers(lossy));
    let mut removed = Vec::new();
    for (db, world) in [(plain as Arc<dyn Db>, &pair.plain), (lossy, &pair.lossy)] {
        let store = Store::new(db, world.service.gate());
        removed.push(clean_up(&store, clock(), world.service.settings(), false).await.unwrap());
    }
    assert!(removed[0].of("audit_events") > 100 && removed[0].of("sessions") > 30, "{removed:?}");
    assert_eq!(removed[0], removed[1]);
}
