//! Universities. Departments have their own file.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{UniversityId, UserId};
use crate::domain::tenant::label::{Label, Slug};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::Store;
use crate::store::audit;
use crate::store::audit::{Event, RequestInfo, insert_event, insert_events, is_done, record_if_changed, recorded};
use crate::store::authz::grants::caller_is_platform_admin;
use crate::store::authz::viewer::{Viewer, caller_id, role_counts};
use crate::store::outcome::DeletionOutcome;
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;

/// A row of `universities`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct UniversityRow {
    pub id: UniversityId,
    pub name: String,
    pub slug: String,
    pub created_at: Timestamp,
}

/// The columns of a [`UniversityRow`].
macro_rules! columns {
    () => {
        "id, name, slug, created_at"
    };
}

/// No course and no department belongs to the university.
macro_rules! is_empty {
    () => {
        "NOT EXISTS (SELECT 1 FROM courses WHERE university_id = :university_id)
         AND NOT EXISTS (SELECT 1 FROM departments WHERE university_id = :university_id)"
    };
}

/// The roles of an empty university that has at most a thousand of them: one statement deletes no more, so that it does
/// not block the database. The condition is in the limit, so that no role is read unless it holds. A term of WHERE would
/// be tested for each role. Roles are counted only in an empty university.
macro_rules! deletable_roles {
    () => {
        concat!(
            "(SELECT id, user_id, university_id, role FROM user_university_roles
              WHERE university_id = :university_id
              LIMIT 1000 * CASE WHEN ",
            is_empty!(),
            " THEN NOT EXISTS (
                  SELECT 1 FROM user_university_roles WHERE university_id = :university_id LIMIT 1 OFFSET 1000
              ) ELSE 0 END)"
        )
    };
}

const INSERT: &str = "
    INSERT INTO universities (name, slug, created_at, nonce) SELECT :name, :slug, :now, :nonce
    WHERE NOT EXISTS (SELECT 1 FROM universities WHERE slug = :slug)
    ON CONFLICT (slug) DO NOTHING";

/// The university that this request added.
const SELECT_NEW: &str = concat!("SELECT ", columns!(), " FROM universities WHERE slug = :slug AND nonce = :nonce");

const SELECT: &str = concat!("SELECT ", columns!(), " FROM universities WHERE id = :university_id");

const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM universities WHERE id > :after ORDER BY id LIMIT :limit * ",
    caller_is_platform_admin!()
);

const SELECT_OF_CALLER: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM universities
     WHERE id IN (SELECT university_id FROM user_university_roles WHERE user_id = ",
    caller_id!(),
    " AND ",
    role_counts!("role"),
    ") AND id > :after
     ORDER BY id LIMIT :limit"
);

const UPDATE: &str = concat!(
    "UPDATE universities SET name = coalesce(:name, name), slug = coalesce(:slug, slug) WHERE id = :university_id
     RETURNING ",
    columns!()
);

/// The row that the preceding statement added.
const RECORD_CREATION: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "id", from: "FROM universities WHERE slug = :slug AND changes() > 0",
};

/// Written before the change, because a change to the present values is none.
const RECORD_CHANGE: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "id",
    from: "FROM universities
           WHERE id = :university_id AND (name <> coalesce(:name, name) OR slug <> coalesce(:slug, slug))",
};

/// Each role is an event of its own, written before the roles are deleted.
const RECORD_ROLES: &str = insert_events! {
    type: ":type", reason: "role", user_id: "user_id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "university_id", from: concat!("FROM ", deletable_roles!()),
};

const DELETE_ROLES: &str =
    concat!("DELETE FROM user_university_roles WHERE id IN (SELECT id FROM ", deletable_roles!(), ")");

const DELETE: &str = concat!(
    "DELETE FROM universities
     WHERE id = :university_id
       AND NOT EXISTS (SELECT 1 FROM user_university_roles WHERE university_id = :university_id)
       AND ",
    is_empty!(),
    " RETURNING id"
);

const SELECT_PRESENT: &str = "SELECT id FROM universities WHERE id = :university_id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    SELECT_NEW,
    SELECT,
    SELECT_ALL,
    SELECT_OF_CALLER,
    UPDATE,
    RECORD_CREATION,
    RECORD_CHANGE,
    RECORD_ROLES,
    DELETE_ROLES,
    DELETE,
    SELECT_PRESENT,
];

/// Selects the id of a university if it exists.
pub(in crate::store) fn present(id: UniversityId) -> Statement {
    query(SELECT_PRESENT).bind("university_id", id)
}

/// Adds a university. `None` if the slug is taken.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    name: &Label,
    slug: &Slug,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<Option<UniversityRow>, DbError> {
    let [insert, select] =
        [INSERT, SELECT_NEW].map(|sql| query(sql).bind("slug", slug).bind("nonce", request.stamp.nonce()));
    let insert = insert.bind("name", name).bind("now", request.now);
    let record = audit::insert(RECORD_CREATION, request, EventType::UniversityCreated);
    let record = record.bind("slug", slug).bind("actor_id", actor);
    let [_, _, rows] = store.batch([insert, record, select]).await?;
    rows.first()
}

/// Finds a university by its id.
#[must_use]
pub fn find(id: UniversityId) -> Read<Option<UniversityRow>> {
    Read::of(query(SELECT).bind("university_id", id), Rows::first)
}

/// Two lists of universities. The caller's roles decide which of them the caller may see.
pub struct UniversityPages {
    /// All universities. Empty unless the caller administers the platform.
    pub all: Page<UniversityRow>,
    /// The universities in which the caller has a role.
    pub own: Page<UniversityRow>,
}

/// Lists universities for a caller.
#[must_use]
pub fn list(viewer: &Viewer, page: PageRequest) -> Read<UniversityPages> {
    let list = |sql| {
        let select = viewer.bind(page.query(sql));
        Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &UniversityRow| row.id.get())))
    };
    list(SELECT_ALL).and(list(SELECT_OF_CALLER)).map(|(all, own)| UniversityPages { all, own })
}

/// Changes the columns that are given. `None` if there is no such university.
///
/// # Errors
/// [`DbError`] if the slug is taken; [`DbError`] otherwise.
pub async fn update(
    store: &Store,
    id: UniversityId,
    name: Option<&Label>,
    slug: Option<&Slug>,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<Option<UniversityRow>, DbError> {
    let change = |statement: Statement| statement.bind("university_id", id).bind("name", name).bind("slug", slug);
    let record = change(audit::insert(RECORD_CHANGE, request, EventType::UniversityChanged)).bind("actor_id", actor);
    let [_, rows] = store.batch([record, change(query(UPDATE))]).await?;
    rows.first()
}

/// Deletes a university with its roles. `InUse` if it has departments, courses, or more than a thousand roles.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    store: &Store,
    id: UniversityId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<DeletionOutcome, DbError> {
    let event = Event::of(EventType::UniversityDeleted, None).by(actor).at(id);
    let [_, _, deleted, _, recorded, present] = store
        .batch([
            audit::insert(RECORD_ROLES, request, EventType::RoleRemoved)
                .bind("university_id", id)
                .bind("actor_id", actor),
            query(DELETE_ROLES).bind("university_id", id),
            query(DELETE).bind("university_id", id),
            record_if_changed(request, event),
            recorded(request, EventType::UniversityDeleted),
            present(id),
        ])
        .await?;
    DeletionOutcome::read(is_done(&deleted, &recorded)?, &present)
}
