//! Departments of universities.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::ids::{DepartmentId, UniversityId, UserId};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Statement, query};
use crate::store::audit;
use crate::store::audit::{Event, RequestInfo, insert_event, is_done, record_if_changed, recorded};
use crate::store::authz::grants::caller_sees_university;
use crate::store::authz::viewer::Viewer;
use crate::store::outcome::DeletionOutcome;
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;
use crate::store::tenant::universities;
use crate::store::{IdRow, Store};

/// A row of `departments`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct DepartmentRow {
    pub id: DepartmentId,
    pub university_id: UniversityId,
    pub name: String,
    pub created_at: Timestamp,
}

/// The columns of a [`DepartmentRow`].
macro_rules! columns {
    () => {
        "id, university_id, name, created_at"
    };
}

const INSERT: &str = "
    INSERT INTO departments (university_id, name, created_at, nonce)
     SELECT id, :name, :now, :nonce FROM universities WHERE id = :university_id
       AND NOT EXISTS (SELECT 1 FROM departments WHERE university_id = :university_id AND name = :name)
     ON CONFLICT (university_id, name) DO NOTHING";

/// The department that this request added.
const SELECT_NEW: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM departments WHERE university_id = :university_id AND name = :name AND nonce = :nonce"
);

const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM departments WHERE university_id = :university_id AND id > :after ORDER BY id LIMIT :limit * ",
    caller_sees_university!()
);

/// A role narrowed to the department prevents the deletion: it is neither widened to the university nor removed
/// implicitly.
const DELETE: &str = "
    DELETE FROM departments
    WHERE university_id = :university_id AND id = :department_id
      AND NOT EXISTS (
          SELECT 1 FROM courses WHERE university_id = :university_id AND department_id = :department_id
      )
      AND NOT EXISTS (
          SELECT 1 FROM user_university_roles WHERE university_id = :university_id AND department_id = :department_id
      )
    RETURNING id";

/// The row that the preceding statement added.
const RECORD_CREATION: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "university_id", object_id: "id",
    from: "FROM departments WHERE university_id = :university_id AND name = :name AND changes() > 0",
};

const SELECT_PRESENT: &str = "SELECT id FROM departments WHERE university_id = :university_id AND id = :department_id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, SELECT_NEW, SELECT_ALL, DELETE, RECORD_CREATION, SELECT_PRESENT];

/// The outcome of adding a department.
pub enum CreationOutcome {
    /// The department was added.
    Created(DepartmentRow),
    /// The university has a department of that name.
    NameTaken,
    /// The university was deleted concurrently.
    NoSuchUniversity,
}

/// Adds a department.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    university_id: UniversityId,
    name: &Label,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<CreationOutcome, DbError> {
    let new = |statement: Statement| statement.bind("university_id", university_id).bind("name", name);
    let [insert, select] = [INSERT, SELECT_NEW].map(|sql| new(query(sql)).bind("nonce", request.stamp.nonce()));
    let record = new(audit::insert(RECORD_CREATION, request, EventType::DepartmentCreated)).bind("actor_id", actor);
    let statements = [insert.bind("now", request.now), record, select, universities::present(university_id)];
    let [_, _, rows, university] = store.batch(statements).await?;
    Ok(match rows.first()? {
        Some(row) => CreationOutcome::Created(row),
        None if university.all::<IdRow>()?.is_empty() => CreationOutcome::NoSuchUniversity,
        None => CreationOutcome::NameTaken,
    })
}

/// Lists the departments of a university. The page is empty unless the caller may see the university.
#[must_use]
pub fn list(university_id: UniversityId, viewer: &Viewer, page: PageRequest) -> Read<Page<DepartmentRow>> {
    let select = viewer.bind(page.query(SELECT_ALL).bind("university_id", university_id));
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &DepartmentRow| row.id.get())))
}

/// Deletes a department. `InUse` if it has courses or roles.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    store: &Store,
    university_id: UniversityId,
    id: DepartmentId,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<DeletionOutcome, DbError> {
    let delete = query(DELETE).bind("university_id", university_id).bind("department_id", id);
    let event = Event::of(EventType::DepartmentDeleted, None).by(actor).at(university_id).about(id.get());
    let recorded = recorded(request, EventType::DepartmentDeleted);
    let statements = [delete, record_if_changed(request, event), recorded, present(university_id, Some(id))];
    let [deleted, _, recorded, present] = store.batch(statements).await?;
    DeletionOutcome::read(is_done(&deleted, &recorded)?, &present)
}

/// Selects the id of a department if the university has it; no row if there is no id.
pub(in crate::store) fn present(university_id: UniversityId, id: Option<DepartmentId>) -> Statement {
    query(SELECT_PRESENT).bind("university_id", university_id).bind("department_id", id)
}
