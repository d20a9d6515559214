//! An import in a database that fails, answers late, loses its answers or is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use edge_auth::ports::{Db, DbError, PortFuture, Rows, Statement};
use serde_json::{Value, json};

use crate::lost_answers::LostAnswers;
use crate::support::import::{
    ADMITTING, Before, DRY_RUN, HASH, IMPORT, SCOPES, body, count, events, import, importer, numbered, rows, times,
};
use crate::support::sqlite::Sqlite;
use crate::support::watched_body::Watch;
use crate::support::world::{Person, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];

fn unavailable() -> DbError {
    DbError::from_message("D1_ERROR: Internal error in D1 DB storage caused object to be reset")
}

/// Fails where a statement has this text, and perhaps after the batch was executed.
struct Failing {
    db: Arc<Sqlite>,
    at: &'static str,
    executes: bool,
    /// As often as this.
    left: AtomicI64,
}

impl Db for Failing {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let is_meant = statements.iter().any(|statement| statement.sql.contains(self.at));
        if is_meant && self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            if self.executes {
                drop(self.db.batch(statements));
            }
            return Box::pin(std::future::ready(Err(unavailable())));
        }
        self.db.batch(statements)
    }
}

fn failing(at: &'static str, executes: bool, times: i64) -> World {
    let people = PEOPLE;
    World::through(&people, &ADMITTING, |db| Arc::new(Failing { db, at, executes, left: AtomicI64::new(times) }))
}

#[tokio::test]
async fn without_the_facts_the_request_fails() {
    let world = failing("AS is_known", false, 2);
    let root = world.sign_in("root").await;
    let before = rows(&world.service.db);
    for request in [DRY_RUN, IMPORT] {
        let reply = root.ask(&format!("{request} {}", body(&numbered(60)))).await;
        reply.expect_error(503, "SERVICE_UNAVAILABLE");
        assert_eq!(rows(&world.service.db), before);
    }
    assert_eq!(import(&root, &numbered(60)).await, times(&[(60, "created")]));
}

#[tokio::test]
async fn after_a_batch_that_fails_none_begins_and_sending_again_completes() {
    for failing in 1..=3 {
        let world =
            Before::world(&PEOPLE, &[], move |_, number| if number == failing { Err(unavailable()) } else { Ok(()) });
        let root = world.sign_in("root").await;
        let mut lines = numbered(130);
        lines[60] = json!({"email": "ada"});
        let done = 50 * (failing - 1);
        let words = import(&root, &lines).await;
        let mut expected = times(&[(done.min(130), "created"), (130 - done.min(130), "failed unavailable")]);
        if done >= 60 {
            expected.insert(60, "refused email_invalid".to_owned());
            expected.pop();
        } else {
            expected[60] = "refused email_invalid".to_owned();
        }
        assert_eq!(words, expected, "batch {failing}");
        assert_eq!(world.service.last_d1_calls(), 2 + u64::try_from(failing).unwrap());
        assert_eq!(world.service.logs("Import interrupted").len(), 1);
        let made = words.iter().filter(|word| *word == "created").count();
        assert_eq!(count(&world.service.db, "users"), 1 + i64::try_from(made).unwrap());
        let again = import(&root, &lines).await;
        let counted = |word: &str| again.iter().filter(|other| *other == word).count();
        assert_eq!((counted("exists"), counted("created"), counted("refused email_invalid")), (made, 129 - made, 1));
        assert_eq!(events(&world.service.db).len(), 129, "each account has one event");
    }
}

/// The batch was executed, and its answer did not come.
#[tokio::test]
async fn accounts_of_a_lost_answer_are_there_when_it_is_sent_again() {
    let world = failing("imported_by, external_id, import_id)", true, 1);
    let root = world.sign_in("root").await;
    assert_eq!(import(&root, &numbered(3)).await, ["failed unavailable"; 3]);
    assert_eq!(import(&root, &numbered(3)).await, ["exists"; 3]);
    assert_eq!(events(&world.service.db).len(), 3);
}

#[tokio::test]
async fn a_batch_that_is_executed_twice_creates_each_account_once() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| Arc::new(LostAnswers(db)));
    let (service, caller) = importer(&world, &SCOPES).await;
    let mut lines = numbered(60);
    for line in lines.iter_mut().step_by(2) {
        line["roles"] = json!([{"role": "TA", "university_id": 1}, {"role": "TA", "university_id": 2}]);
    }
    assert_eq!(import(&caller, &lines).await, times(&[(60, "created")]));
    let db = &world.service.db;
    assert_eq!((count(db, "users"), count(db, "user_university_roles")), (61, 1 + 60));
    let events = events(db);
    let of = |kind: &str| events.iter().filter(|event| event[0] == kind).collect::<Vec<&Value>>();
    assert_eq!((of("imported").len(), of("role_granted").len()), (60, 60));
    assert!(of("imported").iter().all(|event| event[3] == service["client_id"]));
    assert_eq!(import(&caller, &lines).await, times(&[(60, "exists")]));
}

/// Each batch takes this many seconds: the batches that begin within a minute, of ten.
#[tokio::test]
async fn after_a_minute_no_batch_begins() {
    for (seconds, batches) in [(6, 10), (7, 9), (20, 3), (59, 2), (60, 1), (3600, 1)] {
        let world = Before::world(&PEOPLE, &[], move |_, _| {
            crate::support::watched_body::pass(seconds);
            Ok(())
        });
        let root = world.sign_in("root").await;
        let lines = numbered(500);
        let done = 50 * batches;
        let words = import(&root, &lines).await;
        assert_eq!(words, times(&[(done, "created"), (500 - done, "failed out_of_time")]), "{seconds}");
        assert_eq!(world.service.last_d1_calls(), 2 + u64::try_from(batches).unwrap());
        let times_of_events = "SELECT count(DISTINCT created_at) FROM audit_events WHERE type = 'imported'";
        assert_eq!(world.service.db.one::<i64>(times_of_events), i64::try_from(batches).unwrap(), "each has its time");
        let root = world.sign_in("root").await;
        assert_eq!(import(&root, &lines[..done]).await, times(&[(done, "exists")]));
    }
}

/// Tells the size that the test has set.
struct Sized(Arc<Sqlite>, Arc<AtomicI64>);

impl Db for Sized {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        self.0.batch(statements)
    }

    fn size_bytes(&self) -> Option<i64> {
        Some(self.1.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_full_database_takes_no_users_and_waits_for_no_body() {
    let size = Arc::new(AtomicI64::new(0));
    let settings = [&ADMITTING[..], &[("D1_SIZE_LIMIT_MB", "100")]].concat();
    let world = World::through(&PEOPLE, &settings, |db| Arc::new(Sized(db, Arc::clone(&size))));
    let root = world.sign_in("root").await;
    let (_, service) = importer(&world, &SCOPES).await;
    size.store(95_000_000, Ordering::Relaxed);
    for visitor in [&root, &service] {
        for request in [DRY_RUN, IMPORT] {
            let watch = Watch::default();
            let head = visitor.request(&format!("{request} x")).0;
            let reply = world.service.send(head.body(watch.body()).unwrap()).await;
            let reply = reply.expect_error(503, "SERVICE_UNAVAILABLE");
            assert_eq!((reply.header("retry-after"), watch.was_asked()), (Some("3600"), false));
        }
    }
    size.store(94_999_999, Ordering::Relaxed);
    assert_eq!(import(&root, &numbered(1)).await, ["created"]);
}

/// A batch finds no space for its rows.
#[tokio::test]
async fn a_database_that_is_full_in_the_middle_leaves_the_rest() {
    let world = Before::world(&PEOPLE, &[], |_, number| {
        let full = || DbError::from_message("D1_ERROR: Exceeded maximum DB size");
        if number >= 2 { Err(full()) } else { Ok(()) }
    });
    let root = world.sign_in("root").await;
    assert_eq!(import(&root, &numbered(120)).await, times(&[(50, "created"), (70, "failed unavailable")]));
    assert_eq!(count(&world.service.db, "users"), 51);
    world.service.login("root@example.com", crate::support::PASSWORD).await.expect(200);
}

/// The breaker opens after failures of the database, and an import does not wear it out.
#[tokio::test]
async fn an_import_that_fails_counts_as_one_failure() {
    let world = Before::world(&PEOPLE, &[], |_, _| Err(unavailable()));
    let root = world.sign_in("root").await;
    let mut lines = numbered(500);
    lines[0]["password_hash"] = json!(HASH);
    assert_eq!(import(&root, &lines).await, times(&[(500, "failed unavailable")]));
    assert_eq!(world.service.gate().inspect().await.view.failure_count, 1);
}
