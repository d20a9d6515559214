//! A database with a replica, which lags behind it as a test wants.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use edge_auth::domain::replica::Bookmark;
use edge_auth::ports::{Db, DbError, DbErrorKind, NearRows, PortFuture, Rows, Statement};

use super::sqlite::Sqlite;
use super::world::{Person, Visitor, World};

/// The setting that reads at replicas.
pub const ON: (&str, &str) = ("READ_REPLICATION", "on");

const PEOPLE: [Person; 5] =
    [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("stu", "STUDENT@1"), ("bob", ""), ("eve", "")];
/// One batch at the replica, none at the primary.
pub const NEAR: (usize, usize) = (1, 0);
/// One batch at the primary only.
pub const FAR: (usize, usize) = (0, 1);
/// The replica was asked first.
pub const BOTH: (usize, usize) = (1, 1);

pub struct Replicated {
    primary: Arc<Sqlite>,
    replica: Sqlite,
    /// The number of batches that the primary ran, which is its state.
    state: AtomicI64,
    /// The state of the replica.
    copied: AtomicI64,
    /// The replica copies the primary before each read.
    follows: AtomicBool,
    replica_fails: AtomicBool,
    primary_fails: AtomicBool,
    /// The primary has no space for events.
    is_full: AtomicBool,
    /// Each batch that writes is executed twice at the primary: the first answer is lost.
    loses_answers: AtomicBool,
    near_batches: AtomicUsize,
    batches: AtomicUsize,
    /// The statements that the replica ran.
    near_statements: Mutex<Vec<&'static str>>,
}

impl Replicated {
    /// A primary and an exact copy, which stands still from now on.
    pub fn of(primary: Arc<Sqlite>) -> Arc<Self> {
        let replica = Sqlite::empty();
        replica.copy(&primary);
        Arc::new(Self {
            primary,
            replica,
            state: AtomicI64::new(1000),
            copied: AtomicI64::new(1000),
            follows: false.into(),
            replica_fails: false.into(),
            primary_fails: false.into(),
            is_full: false.into(),
            loses_answers: false.into(),
            near_batches: 0.into(),
            batches: 0.into(),
            near_statements: Mutex::default(),
        })
    }

    /// The replica has the state of the primary.
    pub fn catch_up(&self) {
        self.replica.copy(&self.primary);
        self.copied.store(self.state.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// From now on the replica has the state of the primary with each read, or stands still.
    pub fn follow(&self, follows: bool) {
        self.follows.store(follows, Ordering::Relaxed);
    }

    pub fn fail_replica(&self, fails: bool) {
        self.replica_fails.store(fails, Ordering::Relaxed);
    }

    pub fn lose_answers(&self) {
        self.loses_answers.store(true, Ordering::Relaxed);
    }

    pub fn fail_primary(&self, fails: bool) {
        self.primary_fails.store(fails, Ordering::Relaxed);
    }

    pub fn fill_primary(&self) {
        self.is_full.store(true, Ordering::Relaxed);
    }

    /// The state goes back by some batches, as D1 Time Travel does it; bookmarks of before lie in the future.
    pub fn travel_back(&self, batches: i64) {
        self.state.fetch_sub(batches, Ordering::Relaxed);
        self.catch_up();
    }

    /// Batches at the replica and at the primary since the last call.
    pub fn asked(&self) -> (usize, usize) {
        (self.near_batches.swap(0, Ordering::Relaxed), self.batches.swap(0, Ordering::Relaxed))
    }

    /// The statements that the replica has run.
    pub fn near_statements(&self) -> Vec<&'static str> {
        self.near_statements.lock().unwrap().clone()
    }

    fn unavailable() -> DbError {
        DbErrorKind::Unavailable("Network connection lost.".to_owned()).into()
    }
}

/// A state as D1 names it: greater texts are later.
pub fn bookmark(state: i64) -> Bookmark {
    Bookmark::parse(&format!("{state:08x}-00000000-00004e2a-0c3e87bb37b3db5cc52eedb93cd3b896")).unwrap()
}

impl Db for Replicated {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<Vec<Rows>, DbError>> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        if self.primary_fails.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(Self::unavailable())));
        }
        let adds = statements.iter().any(|statement| statement.sql.contains("INSERT INTO audit_events"));
        if adds && self.is_full.load(Ordering::Relaxed) {
            let full = DbError::from_message("D1_ERROR: Exceeded maximum DB size");
            return Box::pin(std::future::ready(Err(full)));
        }
        self.state.fetch_add(1, Ordering::Relaxed);
        if self.loses_answers.load(Ordering::Relaxed) {
            drop(self.primary.batch(statements));
        }
        self.primary.batch(statements)
    }

    fn read_near<'a>(&'a self, statements: &'a [Statement]) -> PortFuture<'a, Result<NearRows, DbError>> {
        self.near_batches.fetch_add(1, Ordering::Relaxed);
        self.near_statements.lock().unwrap().extend(statements.iter().map(|statement| statement.sql));
        if self.replica_fails.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(Self::unavailable())));
        }
        if self.follows.load(Ordering::Relaxed) {
            self.catch_up();
        }
        let state = bookmark(self.copied.load(Ordering::Relaxed));
        Box::pin(async move { Ok(NearRows { rows: self.replica.batch(statements).await?, bookmark: Some(state) }) })
    }

    fn bookmark(&self) -> Option<Bookmark> {
        Some(bookmark(self.state.load(Ordering::Relaxed)))
    }
}

/// A world whose replica has the heartbeat of this minute.
pub async fn replicated_world() -> (World, Arc<Replicated>) {
    replicated_world_with(&[]).await
}

pub async fn replicated_world_with(settings: &[(&str, &str)]) -> (World, Arc<Replicated>) {
    let mut db = None;
    let settings: Vec<_> = settings.iter().copied().chain([ON]).collect();
    let world = World::through(&PEOPLE, &settings, |primary| {
        let replicated = Replicated::of(primary);
        db = Some(Arc::clone(&replicated));
        replicated
    });
    let db = db.unwrap();
    world.service.send_mails().await;
    db.catch_up();
    db.asked();
    (world, db)
}

/// A signed-in user, whose sign-in the replica has.
pub async fn signed_in<'a>(world: &'a World, db: &Replicated, name: &str) -> Visitor<'a> {
    let visitor = world.sign_in(name).await;
    db.catch_up();
    db.asked();
    visitor
}
