//! The move of audit events to the archive: the events that are due, the register of objects, and the salts of users.
//!
//! An event is deleted in the batch that registers its object, and never without it. The guard of both is the hash of the
//! head, so of several runs at once one registers an object.

use serde::Deserialize;

use crate::domain::audit::archive::{Entry, Head, Kept, MAX_EVENTS, ORIGIN};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::authz::grants::caller_administers_or_has;
use crate::store::authz::viewer::Viewer;
use crate::store::read::Read;
use crate::store::{IdRow, Store};

/// Objects that the retention examines in one step.
const EXAMINED: i64 = 100;
/// Statements of [`due`], [`add_salts`] and [`register`].
pub const STATEMENTS_PER_STEP: usize = 3 + 2 + 3;

/// The salts are a JSON list of [`Salt`]. A user whose erasure has begun gets none.
const INSERT_SALTS: &str = "
    INSERT INTO audit_salts (user_id, salt)
    SELECT u.id, d.value ->> 'salt'
    FROM json_each(:salts) AS d CROSS JOIN users AS u ON u.id = d.value ->> 'user_id'
    WHERE u.erasure_cursor IS NULL
    ON CONFLICT (user_id) DO NOTHING";

const SELECT_SALTS: &str = "
    SELECT s.user_id, s.salt FROM json_each(:salts) AS d CROSS JOIN audit_salts AS s ON s.user_id = d.value ->> 'user_id'";

const SELECT_HEAD: &str = "SELECT object, sha256, first_kept, total FROM audit_objects ORDER BY object DESC LIMIT 1";

const SELECT_KEPT: &str = "
    SELECT object, newest_at FROM audit_objects
    WHERE object >= (SELECT first_kept FROM audit_objects ORDER BY object DESC LIMIT 1)
    ORDER BY object LIMIT :limit";

/// Ids grow with time, so the oldest events have the lowest ids. If the first is not due, no other one is read. The order of the
/// members is part of the format of an object.
const SELECT_DUE: &str = "
    SELECT e.id, e.created_at, e.user_id, e.actor_id, s.salt AS subject_salt, a.salt AS actor_salt,
           json_object('id', e.id, 'created_at', e.created_at, 'type', e.type, 'reason', e.reason,
                       'count', coalesce(e.count, 1), 'last_at', coalesce(e.last_at, e.created_at), 'user_id', e.user_id,
                       'session_id', e.session_id, 'actor_id', e.actor_id, 'university_id', e.university_id,
                       'object_id', e.object_id) AS columns,
           CASE WHEN coalesce(e.ip, e.user_agent, e.ray) IS NOT NULL OR e.request_id <> '' THEN
               json_object('ip', e.ip, 'user_agent', e.user_agent, 'request_id', e.request_id, 'ray', e.ray)
           END AS personal
    FROM (
        SELECT * FROM audit_events ORDER BY id
        LIMIT :step * coalesce((SELECT created_at < :cutoff FROM audit_events ORDER BY id LIMIT 1), 0)
    ) AS e
    LEFT JOIN audit_salts AS s ON s.user_id = e.user_id
    LEFT JOIN audit_salts AS a ON a.user_id = e.actor_id
    WHERE e.created_at < :cutoff ORDER BY e.created_at, e.id";

/// The head has the hash `:previous`. A hash belongs to one object.
macro_rules! is_next {
    () => {
        "coalesce((SELECT sha256 FROM audit_objects ORDER BY object DESC LIMIT 1), :origin) = :previous"
    };
}

/// Precedes the registration, because its space is free then for the new row of a full database. A repeated batch finds the
/// row.
const DELETE_MOVED: &str = concat!(
    "DELETE FROM audit_events
     WHERE id IN (SELECT value FROM json_each(:ids)) AND (",
    is_next!(),
    " OR EXISTS (SELECT 1 FROM audit_objects WHERE object = :object AND sha256 = :sha256))"
);

const REGISTER: &str = concat!(
    "INSERT INTO audit_objects (object, sha256, first_kept, events, total, newest_at, made_at)
     SELECT :object, :sha256, :first_kept, :events, :total, :newest_at, :made_at
     WHERE ",
    is_next!(),
    " ON CONFLICT (object) DO NOTHING"
);

const SELECT_REGISTERED: &str = "SELECT object AS id FROM audit_objects WHERE object = :object AND sha256 = :sha256";

const SELECT_NOT_KEPT: &str = "
    SELECT object AS id FROM audit_objects
    WHERE object < (SELECT first_kept FROM audit_objects ORDER BY object DESC LIMIT 1)
    ORDER BY object LIMIT :limit";

const FORGET: &str = "
    DELETE FROM audit_objects
    WHERE object BETWEEN :first AND :last
      AND object < (SELECT first_kept FROM audit_objects ORDER BY object DESC LIMIT 1)";

/// The objects of the archive for a caller that may list events. Refusals of an hour have the lowest ids of it, in up to nine
/// objects. So the newest event is in one of the last ten.
const SELECT_SUMMARY: &str = concat!(
    "SELECT h.first_kept AS first_object, h.object AS last_object,
            (SELECT max(newest_at) FROM (
                SELECT newest_at FROM audit_objects WHERE newest_at IS NOT NULL AND object >= h.first_kept
                ORDER BY object DESC LIMIT 10
            )) AS events_until
     FROM (SELECT object, first_kept FROM audit_objects ORDER BY object DESC LIMIT ",
    caller_administers_or_has!("audit:read"),
    ") AS h"
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT_SALTS,
    SELECT_SALTS,
    SELECT_HEAD,
    SELECT_KEPT,
    SELECT_DUE,
    DELETE_MOVED,
    REGISTER,
    SELECT_REGISTERED,
    SELECT_NOT_KEPT,
    FORGET,
    SELECT_SUMMARY,
];

/// An event that is due, with the salts of its users.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the names of the others say it")]
pub struct DueEvent {
    pub id: i64,
    /// Its time in milliseconds.
    pub created_at: i64,
    pub user_id: Option<i64>,
    pub actor_id: Option<i64>,
    pub subject_salt: Option<String>,
    pub actor_salt: Option<String>,
    /// Its columns as JSON, except the personal ones.
    pub columns: String,
    /// The personal columns as JSON; absent if all of them are empty.
    pub personal: Option<String>,
}

#[derive(Deserialize)]
struct HeadRow {
    object: i64,
    sha256: String,
    first_kept: i64,
    total: i64,
}

impl From<HeadRow> for Head {
    fn from(HeadRow { object, sha256, first_kept, total }: HeadRow) -> Self {
        Self { object, sha256, first_kept, total }
    }
}

#[derive(Deserialize)]
struct KeptRow {
    object: i64,
    newest_at: Option<Timestamp>,
}

/// The state of the archive, and the events for its next object.
pub struct Due {
    /// The newest object of the register.
    pub head: Head,
    /// The oldest objects that are kept, with the times of their newest events.
    pub kept: Vec<Kept>,
    /// The oldest events before the cutoff, at most as many as an object has, in the order of time and id.
    pub events: Vec<DueEvent>,
}

/// Reads the state of the archive, and the events that are due.
///
/// # Errors
/// [`DbError`].
pub async fn due(store: &Store, cutoff: Timestamp) -> Result<Due, DbError> {
    let step = i64::try_from(MAX_EVENTS).unwrap_or(i64::MAX);
    let [head, kept, events] = store
        .batch([
            query(SELECT_HEAD),
            query(SELECT_KEPT).bind("limit", EXAMINED),
            query(SELECT_DUE).bind("step", step).bind("cutoff", cutoff),
        ])
        .await?;
    let kept = kept.all::<KeptRow>()?.into_iter().map(|row| (row.object, row.newest_at)).collect();
    let head = head.first::<HeadRow>()?.map_or_else(Head::origin, Head::from);
    Ok(Due { head, kept, events: events.all()? })
}

/// The salt of a user.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are the table's columns")]
pub struct Salt {
    pub user_id: i64,
    pub salt: String,
}

/// Adds the salts of users that have none. Returns those that are stored now.
///
/// # Errors
/// [`DbError`].
pub async fn add_salts(store: &Store, salts: &[Salt]) -> Result<Vec<Salt>, DbError> {
    let salts = salts.iter().map(|Salt { user_id, salt }| format!("{{\"user_id\":{user_id},\"salt\":\"{salt}\"}}"));
    let salts = list(salts);
    let [_, rows] =
        store.batch([INSERT_SALTS, SELECT_SALTS].map(|sql| query(sql).bind("salts", salts.as_str()))).await?;
    rows.all()
}

/// A JSON list of these texts, which are JSON.
fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Registers the successor of the object with the hash `previous`, and deletes its events. Returns false, and deletes
/// nothing, if another object is in its place.
///
/// # Errors
/// [`DbError`].
pub async fn register(store: &Store, previous: &str, entry: &Entry) -> Result<bool, DbError> {
    let Head { object, sha256, first_kept, total } = &entry.head;
    let of_object = |sql| query(sql).bind("object", *object).bind("sha256", sha256.as_str());
    let next = |statement: Statement| statement.bind("previous", previous).bind("origin", ORIGIN);
    let ids = list(entry.ids.iter().map(i64::to_string));
    let insert = next(of_object(REGISTER))
        .bind("first_kept", *first_kept)
        .bind("events", i64::try_from(entry.ids.len()).unwrap_or(i64::MAX))
        .bind("total", *total)
        .bind("newest_at", entry.newest_at)
        .bind("made_at", entry.made_at);
    let delete = next(of_object(DELETE_MOVED)).bind("ids", ids);
    let [_, _, registered] = store.batch([delete, insert, of_object(SELECT_REGISTERED)]).await?;
    Ok(!registered.all::<IdRow>()?.is_empty())
}

#[derive(Deserialize)]
struct ObjectRow {
    id: i64,
}

/// The oldest objects that the retention does not keep, in ascending order.
///
/// # Errors
/// [`DbError`].
pub async fn not_kept(store: &Store, limit: usize) -> Result<Vec<i64>, DbError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let [rows] = store.batch([query(SELECT_NOT_KEPT).bind("limit", limit)]).await?;
    Ok(rows.all::<ObjectRow>()?.into_iter().map(|row| row.id).collect())
}

/// Removes the rows of deleted objects.
///
/// # Errors
/// [`DbError`].
pub async fn forget(store: &Store, first: i64, last: i64) -> Result<(), DbError> {
    store.batch([query(FORGET).bind("first", first).bind("last", last)]).await.map(|[_]| ())
}

/// The objects that have the older events.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ArchiveSummary {
    pub first_object: i64,
    pub last_object: i64,
    /// The time of the newest archived event; absent if the retention has removed all of them.
    pub events_until: Option<Timestamp>,
}

/// Reads where older events are, unless the caller may not list events.
pub(in crate::store) fn summary(viewer: &Viewer) -> Read<Option<ArchiveSummary>> {
    Read::of(viewer.bind(query(SELECT_SUMMARY)), Rows::first)
}
