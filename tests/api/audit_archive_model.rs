//! The audit archive under random interleavings of several runs, of which some end anywhere, with faults of the bucket, lost
//! answers of the database, erasures and new events.
//!
//! The model is a set of ids. At any moment each event is in the database or in exactly one object, the objects form a chain,
//! and nothing personal of an erased user can be read.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use edge_auth::domain::time::DAY;
use edge_auth::ports::{Archive, ArchiveError, Db, DbError, PortFuture, Rows, Statement};

use crate::support::archive::{Bucket, Fault, add_events, personal, stored, verified};
use crate::support::sqlite::Sqlite;
use crate::support::{SECRET, Service};

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// A number below this one, from a seeded generator (`SplitMix64`).
fn random(below: u64) -> u64 {
    STATE.set(STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mixed = (STATE.get() ^ (STATE.get() >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 31)) % below
}

/// Is pending a few times, so that other runs come in between.
async fn wait() {
    for _ in 0..random(4) {
        tokio::task::yield_now().await;
    }
}

/// A database that answers late, and loses an answer now and then, so that the batch is executed again.
struct Slow(Arc<Sqlite>);

impl Db for Slow {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        Box::pin(async move {
            wait().await;
            if random(8) == 0 {
                let _lost = self.0.batch(statements).await;
                wait().await;
            }
            let answer = self.0.batch(statements).await;
            wait().await;
            if random(20) == 0 { Err(DbError::from_message("D1_ERROR: Network connection lost.")) } else { answer }
        })
    }
}

/// A bucket that answers late.
struct SlowBucket(Arc<Bucket>);

impl Archive for SlowBucket {
    fn put_if_absent<'a>(
        &'a self,
        name: &'a str,
        text: &'a str,
        sha256: &'a str,
    ) -> PortFuture<'a, Result<bool, ArchiveError>> {
        Box::pin(async move {
            wait().await;
            let answer = self.0.put_if_absent(name, text, sha256).await;
            wait().await;
            answer
        })
    }

    fn get<'a>(&'a self, name: &'a str, max_bytes: usize) -> PortFuture<'a, Result<Option<Vec<u8>>, ArchiveError>> {
        Box::pin(async move {
            wait().await;
            self.0.get(name, max_bytes).await
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> PortFuture<'a, Result<(), ArchiveError>> {
        Box::pin(async move {
            wait().await;
            self.0.delete(name).await
        })
    }
}

/// A run, and the number of polls after which it ends.
type Run<'a> = (u64, Pin<Box<dyn Future<Output = ()> + 'a>>);

/// Polls the runs in random order; each ends after its number of polls, wherever it is.
async fn interleave(runs: Vec<Run<'_>>) {
    let mut runs = runs;
    while !runs.is_empty() {
        let index = usize::try_from(random(runs.len() as u64)).unwrap();
        let (polls, run) = &mut runs[index];
        *polls = polls.saturating_sub(1);
        let is_over = matches!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        if is_over || *polls == 0 {
            drop(runs.swap_remove(index));
        }
        tokio::task::yield_now().await;
    }
}

struct Model {
    service: Service,
    bucket: Arc<Bucket>,
    events: BTreeSet<i64>,
    erased: BTreeSet<i64>,
    next: i64,
}

impl Model {
    fn new(settings: &[(&str, &str)]) -> Self {
        let db = Arc::new(Sqlite::migrated());
        let mut service = Service::on(Arc::clone(&db), Arc::new(Slow(Arc::clone(&db))), settings);
        for id in 1..=6 {
            db.execute(&format!(
                "INSERT INTO users (id, email, password_hash, created_at) VALUES ({id}, 'u{id}@example.com', 'x', 1)"
            ));
        }
        let bucket = Arc::new(Bucket::default());
        service.archive = Some(Arc::new(SlowBucket(Arc::clone(&bucket))));
        Self { service, bucket, events: BTreeSet::new(), erased: BTreeSet::new(), next: 1 }
    }

    fn add_events(&mut self) {
        for _ in 0..random(4) {
            let count = 1 + i64::try_from(random(50)).unwrap();
            let user = 1 + random(6);
            add_events(&self.service.db, (self.next, count), &user.to_string(), 0, 1000);
            self.events.extend(self.next..self.next + count);
            self.next += count;
        }
    }

    fn erase(&mut self) {
        let user = 1 + i64::try_from(random(6)).unwrap();
        if random(4) == 0 && self.erased.len() < 4 {
            self.service.db.execute(&format!("UPDATE users SET is_active = 0, erasure_cursor = 0 WHERE id = {user}"));
            self.erased.insert(user);
        }
    }

    fn check(&self, removed: bool) {
        let objects = verified(&self.bucket);
        let mut places: BTreeMap<i64, usize> = BTreeMap::new();
        for id in objects.iter().flat_map(crate::support::archive::Object::ids) {
            *places.entry(id).or_default() += 1;
        }
        assert!(places.values().all(|count| *count == 1), "an event is in two objects");
        let head: i64 = self.service.db.one("SELECT coalesce(max(object), 0) FROM audit_objects");
        let last = objects.last().map_or(0, |object| object.header["object"].as_i64().unwrap());
        assert!(last == head || last == head + 1, "{last} {head}");
        let stored: BTreeSet<i64> = stored(&self.service.db).into_iter().collect();
        let both: Vec<_> = stored.iter().filter(|id| places.contains_key(id)).collect();
        let pending = objects.iter().filter(|object| object.header["object"].as_i64().unwrap() > head);
        let pending: BTreeSet<i64> = pending.flat_map(crate::support::archive::Object::ids).collect();
        assert!(both.into_iter().all(|id| pending.contains(id)), "a registered event is still in the database");
        if !removed {
            let lines = self.service.logs("Audit events archived");
            let logged: BTreeSet<_> =
                lines.iter().map(|line| line["head"].as_str().unwrap().split(':').nth(1).unwrap()).collect();
            let written: BTreeSet<_> = objects.iter().map(|object| object.sha256.as_str()).collect();
            assert!(logged.is_subset(&written), "the head of an object that lost the race is in the log");
            let unlogged = written.difference(&logged).count();
            assert!(
                i64::try_from(unlogged).unwrap() <= last - head,
                "the head of a registered object is not in the log"
            );
            let all: BTreeSet<i64> = stored.into_iter().chain(places.into_keys()).collect();
            assert_eq!(all, self.events, "lost events");
        }
    }

    async fn check_personal(&self) {
        for event in verified(&self.bucket).iter().flat_map(|object| &object.events).step_by(5) {
            let is_erased = self.erased.contains(&event["user_id"].as_i64().unwrap());
            assert_eq!(personal(&self.service.db, SECRET, event).await.is_err(), is_erased, "{event}");
        }
    }
}

/// Rounds with so many days between them. The retention removes objects, or there is none.
async fn live(seed: u64, days: i64, settings: &[(&str, &str)], removes: bool) {
    STATE.set(seed);
    let mut model = Model::new(settings);
    for _ in 0..12 {
        model.add_events();
        model.service.advance(days * DAY);
        let faults = [Fault::None, Fault::None, Fault::None, Fault::Down, Fault::LosesAnswers, Fault::Locked];
        model.bucket.fail(faults[usize::try_from(random(6)).unwrap()]);
        let runs = (0..=random(3)).map(|_| {
            let polls = if random(2) == 0 { u64::MAX } else { 1 + random(120) };
            let run: Run<'_> = (polls, Box::pin(model.service.tend()));
            run
        });
        interleave(runs.collect()).await;
        model.check(removes);
        model.erase();
    }
    model.bucket.fail(Fault::None);
    model.service.advance(2 * DAY);
    for _ in 0..20 {
        model.service.tend().await;
        model.check(removes);
    }
    assert_eq!(stored(&model.service.db), Vec::<i64>::new(), "seed {seed}");
    model.check_personal().await;
}

#[tokio::test]
async fn no_event_is_lost_or_archived_twice() {
    for seed in 0..12 {
        live(seed, 1, &[("AUDIT_ARCHIVE_DAYS", "1")], false).await;
    }
}

#[tokio::test]
async fn the_same_holds_while_the_retention_removes_objects() {
    for seed in 100..106 {
        live(seed, 8, &[("AUDIT_RETENTION_DAYS", "1"), ("AUDIT_ARCHIVE_RETENTION_DAYS", "32")], true).await;
    }
}
