//! Faults of the audit archive: whatever fails, an event leaves the database only with a registered object in the bucket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use edge_auth::domain::audit::archive::{Entry, Head, ORIGIN};
use edge_auth::ports::{Archive, Db, DbError, PortFuture, Rows, Statement};
use edge_auth::store::Store;
use edge_auth::store::audit::archive;
use serde_json::Value;

use crate::lost_answers::LostAnswers;
use crate::support::archive::{Bucket, Fault, add_events, archiving, stored, verified};
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service, clock};

const FIRST: &str = "audit/0000000001.ndjson";
const SECOND: &str = "audit/0000000002.ndjson";
const NOT_ARCHIVED: &str = "Audit events were not archived, the next run continues";

/// Refuses the batches that register an object, and counts those that read the key.
struct Refusing {
    db: Arc<Sqlite>,
    refuses: AtomicBool,
    reads_of_key: AtomicUsize,
}

impl Refusing {
    fn service(refuses: bool) -> (Service, Arc<Self>, Arc<Bucket>) {
        let db = Arc::new(Sqlite::migrated());
        let (refuses, reads_of_key) = (AtomicBool::new(refuses), AtomicUsize::new(0));
        let port = Arc::new(Self { db: Arc::clone(&db), refuses, reads_of_key });
        let mut service = Service::on(db, Arc::clone(&port) as Arc<dyn Db>, &[]);
        let bucket = Arc::new(Bucket::default());
        service.archive = Some(Arc::clone(&bucket) as Arc<dyn Archive>);
        (service, port, bucket)
    }
}

impl Db for Refusing {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        let reads_key = statements.iter().any(|statement| statement.sql.contains("FROM audit_keys"));
        self.reads_of_key.fetch_add(usize::from(reads_key), Ordering::Relaxed);
        let registers = statements.iter().any(|statement| statement.sql.contains("INSERT INTO audit_objects"));
        if registers && self.refuses.load(Ordering::Relaxed) {
            let error = DbError::from_message("D1_ERROR: Network connection lost.");
            return Box::pin(std::future::ready(Err(error)));
        }
        self.db.batch(statements)
    }
}

/// The heads in the log, without the id of the key.
fn heads(service: &Service) -> Vec<String> {
    let lines = service.logs("Audit events archived");
    lines.iter().map(|line| line["head"].as_str().unwrap().rsplit_once(':').unwrap().0.to_owned()).collect()
}

fn causes(service: &Service) -> Vec<String> {
    let lines = service.logs(NOT_ARCHIVED);
    lines.iter().map(|line| line["cause"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_run_that_ends_before_it_registers_its_object_is_continued_by_the_next() {
    let (service, port, bucket) = Refusing::service(true);
    add_events(&service.db, (1, 5), "NULL", 40, 1000);
    service.tend().await;
    let first = bucket.text(FIRST);
    assert_eq!((stored(&service.db).len(), service.db.one::<i64>("SELECT count(*) FROM audit_objects")), (5, 0));
    let head = format!("1:{}", verified(&bucket)[0].sha256);
    assert_eq!(heads(&service), [head.as_str()], "the bucket has the object, so its head counts");
    // More events are due now, but an object never changes.
    add_events(&service.db, (10, 5), "NULL", 40, 1000);
    port.refuses.store(false, Ordering::Relaxed);
    service.tend().await;
    assert_eq!(bucket.text(FIRST), first);
    let ids: Vec<_> = verified(&bucket).iter().map(crate::support::archive::Object::ids).collect();
    assert_eq!(ids, [(1..=5).collect::<Vec<_>>(), (10..15).collect()]);
    assert_eq!(stored(&service.db).len(), 0);
    assert_eq!(service.logs("An audit object of an earlier run was found").len(), 1);
    assert_eq!(heads(&service), [head.clone(), head, format!("2:{}", verified(&bucket)[1].sha256)]);
}

/// A chain has one key, so a second one would end it.
#[tokio::test]
async fn without_the_row_of_its_key_the_archive_stands_still_and_makes_no_other() {
    let (service, bucket) = archiving(&[]);
    add_events(&service.db, (1, 3), "NULL", 40, 1000);
    service.tend().await;
    let row = service.db.rows("SELECT * FROM audit_keys").remove(0);
    service.db.execute("CREATE TABLE kept AS SELECT * FROM audit_keys; DELETE FROM audit_keys");
    add_events(&service.db, (10, 3), "NULL", 40, 1000);
    service.tend().await;
    assert_eq!(causes(&service), ["audit archive: the register has objects, and audit_keys has no key"]);
    assert_eq!((bucket.names().len(), stored(&service.db).len(), heads(&service).len()), (1, 3, 1));
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_keys"), 0);
    service.db.execute("INSERT INTO audit_keys SELECT * FROM kept");
    service.tend().await;
    assert_eq!((verified(&bucket).len(), stored(&service.db).len()), (2, 0));
    assert_eq!(service.db.rows("SELECT * FROM audit_keys"), [row]);
}

#[tokio::test]
async fn a_run_reads_its_key_once() {
    let (service, port, _) = Refusing::service(false);
    let mut reads = Vec::new();
    for first in [1, 10_000, 20_000] {
        add_events(&service.db, (first, 1500), "NULL", 40, 1000);
        service.tend().await;
        reads.push(port.reads_of_key.swap(0, Ordering::Relaxed));
    }
    // The first run makes it.
    assert_eq!(reads, [3, 1, 1]);
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_is_found_at_once() {
    let (service, bucket) = archiving(&[]);
    bucket.fail(Fault::LosesAnswers);
    add_events(&service.db, (1, 1200), "NULL", 40, 1000);
    service.tend().await;
    assert_eq!((verified(&bucket).len(), stored(&service.db).len()), (2, 0));
    assert!(causes(&service).is_empty());
}

#[tokio::test]
async fn while_the_bucket_is_down_events_stay_and_sign_ins_work() {
    let (service, bucket) = archiving(&[("AUDIT_RETENTION_DAYS", "30")]);
    service.register(EMAIL).await;
    add_events(&service.db, (1, 5), "1", 400, 1000);
    bucket.fail(Fault::Down);
    for _ in 0..3 {
        service.tend().await;
        service.login(EMAIL, PASSWORD).await.expect(200);
    }
    assert!(stored(&service.db).starts_with(&[1, 2, 3, 4, 5]), "not even the retention deletes them");
    assert_eq!(causes(&service), ["audit archive: down"; 3]);
    assert_eq!(service.logs(NOT_ARCHIVED)[0]["level"], "ERROR");
    bucket.fail(Fault::None);
    service.tend().await;
    assert_eq!(verified(&bucket)[0].ids(), [1, 2, 3, 4, 5]);
}

/// An object needs no space, because the events that it replaces are deleted first. The salt of a user needs some: events that
/// need a new one wait for it, and those of the same hour or before it make room.
#[tokio::test]
async fn a_full_database_loses_no_event_and_the_archive_empties_it() {
    for (others, days, moves) in [(2001, 39, true), (6, 39, true), (6, 40, true), (6, 41, false)] {
        let (service, bucket) = archiving(&[]);
        let db = &service.db;
        service.register(EMAIL).await;
        add_events(db, (1, 5), "1", 42, 1000);
        service.tend().await;
        add_events(db, (11, 1000), "1", 40, 1000);
        // User 2 has no salt yet.
        db.execute("INSERT INTO users (id, email, password_hash, created_at) VALUES (2, 'b@example.com', 'x', 1)");
        add_events(db, (others, 5), "2", days, 1000);
        db.execute("VACUUM");
        let pages: i64 = db.one("PRAGMA page_count");
        let limit = |pages: i64| assert_eq!(db.one::<i64>(&format!("PRAGMA max_page_count = {pages}")), pages);
        limit(pages);
        let filler = |id: i64| format!("INSERT INTO audit_salts (user_id, salt) VALUES ({id}, '')");
        let refused = (10_000..).find_map(|id| db.try_execute(&filler(id)).err());
        assert_eq!(refused.as_deref(), Some("database or disk is full"));
        let due = || stored(db).into_iter().filter(|id| (6..=2005).contains(id)).count();
        service.tend().await;
        let left = if moves { 0 } else { 1005 };
        assert_eq!((due(), bucket.names().len() > 1), (left, moves), "{others} {days}");
        let no_space = "audit archive: the full database has no space for new salts, which the oldest events need";
        assert_eq!(causes(&service), if moves { vec![] } else { vec![no_space] }, "{others} {days}");
        limit(pages + 10);
        service.tend().await;
        let objects = verified(&bucket);
        let mut ids: Vec<_> = objects.iter().flat_map(crate::support::archive::Object::ids).collect();
        ids.sort_unstable();
        let mut expected: Vec<_> = (1..=5).chain(11..=1010).chain(others..others + 5).collect();
        expected.sort_unstable();
        assert_eq!((due(), ids), (0, expected), "{others} {days}");
        let hour = |event: &Value| event["created_at"].as_i64().unwrap() / 3_600_000;
        let hours: Vec<_> = objects.iter().flat_map(|object| object.events.iter().map(hour)).collect();
        assert!(hours.is_sorted(), "{others} {days}: the export relies on the order of hours");
        let personal = objects.iter().flat_map(|object| &object.events).map(|event| &event["personal"]);
        assert_eq!(personal.filter(|personal| personal.is_null()).count(), 0, "{others} {days}");
    }
}

/// Objects of others in the place of the next one.
#[tokio::test]
async fn an_alien_object_stops_the_archive_and_no_event_is_deleted() {
    let (other, others) = archiving(&[]);
    add_events(&other.db, (1, 5), "NULL", 40, 1000);
    other.tend().await;
    add_events(&other.db, (10, 5), "NULL", 40, 1000);
    other.tend().await;
    let (service, bucket) = archiving(&[]);
    add_events(&service.db, (1, 5), "NULL", 40, 1000);
    service.tend().await;
    add_events(&service.db, (10, 5), "NULL", 40, 1000);
    let first = bucket.text(FIRST);
    // The same place and predecessor, signed by a stranger's key: signed text and signature are those of the other service.
    let sha256: String = service.db.one("SELECT sha256 FROM audit_objects");
    let theirs: String = other.db.one("SELECT sha256 FROM audit_objects WHERE object = 1");
    let forged = others.text(SECOND).replace(&theirs, &sha256);
    let stripped = first.lines().take(1).collect::<Vec<_>>().join("\n") + "\n";
    let aliens = [
        ("garbage", "garbage".to_owned()),
        ("nothing", String::new()),
        ("the object of another service", others.text(SECOND)),
        ("an object of another service in this chain", forged),
        ("the first object once more", first.clone()),
        ("a header", stripped),
        ("a large object", "x".repeat(4 * 1024 * 1024 + 1)),
    ];
    for (index, (name, text)) in aliens.into_iter().enumerate() {
        bucket.plant(SECOND, text.clone());
        service.tend().await;
        assert_eq!(stored(&service.db), [10, 11, 12, 13, 14], "{name}");
        assert_eq!(service.db.one::<i64>("SELECT max(object) FROM audit_objects"), 1, "{name}");
        assert_eq!((causes(&service).len(), bucket.text(SECOND)), (index + 1, text), "{name}");
        assert_eq!(heads(&service).len(), 1, "{name}");
    }
    bucket.remove(SECOND);
    service.tend().await;
    assert_eq!((verified(&bucket).len(), stored(&service.db).len()), (2, 0));
    assert_eq!(bucket.text(FIRST), first);
}

/// After a restore of the database to an earlier time, the objects behind its head are found one after another.
#[tokio::test]
async fn a_restored_database_catches_up_with_the_bucket() {
    let (service, bucket) = archiving(&[]);
    add_events(&service.db, (1, 3), "NULL", 40, 1000);
    service.tend().await;
    let mut archived = Vec::new();
    for batch in 1..4 {
        add_events(&service.db, (batch * 10, 3), "NULL", 40, 1000);
        archived.extend(service.db.rows(&format!("SELECT * FROM audit_events WHERE id >= {}", batch * 10)));
        service.tend().await;
    }
    let before: Vec<String> = bucket.names().iter().map(|name| bucket.text(name)).collect();
    let registered = service.db.rows("SELECT * FROM audit_objects");
    service.db.execute("DELETE FROM audit_objects WHERE object > 1");
    for batch in 1..4 {
        add_events(&service.db, (batch * 10, 3), "NULL", 40, 1000);
    }
    service.tend().await;
    assert_eq!(service.db.rows("SELECT * FROM audit_objects"), registered);
    let after: Vec<String> = bucket.names().iter().map(|name| bucket.text(name)).collect();
    assert_eq!((stored(&service.db).len(), after), (0, before));
}

#[tokio::test]
async fn an_object_that_does_not_follow_the_head_registers_and_deletes_nothing() {
    let (service, _) = archiving(&[]);
    add_events(&service.db, (1, 5), "NULL", 40, 1000);
    service.tend().await;
    add_events(&service.db, (10, 5), "NULL", 40, 1000);
    let store = Store::new(Arc::clone(&service.db) as Arc<dyn Db>, service.gate());
    let entry = |object| {
        let head = Head { object, sha256: "ab".repeat(32), ..Head::origin() };
        Entry { head, ids: vec![10, 11], newest_at: Some(1), made_at: clock().millis() }
    };
    for (object, previous) in [(1, ORIGIN), (2, ORIGIN), (3, "cd"), (1, "cd")] {
        let is_registered = archive::register(&store, previous, &entry(object)).await.unwrap();
        assert!(!is_registered, "{object} {previous}");
    }
    assert_eq!((stored(&service.db).len(), service.db.one::<i64>("SELECT count(*) FROM audit_objects")), (5, 1));
}

#[tokio::test]
async fn a_batch_of_the_archive_may_be_executed_twice() {
    let db = Arc::new(Sqlite::migrated());
    let mut service =
        Service::on(Arc::clone(&db), Arc::new(LostAnswers(db)), &[("AUDIT_ARCHIVE_RETENTION_DAYS", "121")]);
    let bucket = Arc::new(Bucket::default());
    service.archive = Some(Arc::clone(&bucket) as Arc<dyn Archive>);
    service.register(EMAIL).await;
    add_events(&service.db, (1, 2500), "1", 130, 1000);
    service.tend().await;
    let lines: Vec<Value> = service.logs("Audit events archived");
    let counts: Vec<_> = lines.iter().map(|line| line["events"].as_i64().unwrap()).collect();
    // The retention is over for all of them, so a last object without events says so.
    assert_eq!((counts, bucket.names()), (vec![1000, 1000, 500, 0], vec!["audit/0000000004.ndjson".to_owned()]));
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_salts"), 1);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_objects"), 1);
    assert!(causes(&service).is_empty());
}
