//! Departments of universities.

use serde::Deserialize;

use crate::domain::ids::{DepartmentId, UniversityId};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement};
use crate::store::page::{Page, PageRequest};
use crate::store::tenant::universities;
use crate::store::{IdRow, Store, statement};

/// A department.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct DepartmentRow {
    /// Identifies it.
    pub id: DepartmentId,
    /// Whose it is.
    pub university_id: UniversityId,
    /// What people call it.
    pub name: String,
    /// Since when it is on file.
    pub created_at: Timestamp,
}

/// How a deletion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionOutcome {
    /// It is gone.
    Deleted,
    /// Others refer to it.
    InUse,
    /// There is none.
    Missing,
}

impl DeletionOutcome {
    /// From what was deleted, and what is there afterwards.
    pub(in crate::store) fn read(deleted: &Rows, present: &Rows) -> Result<Self, DbError> {
        Ok(match (deleted.all::<IdRow>()?.is_empty(), present.all::<IdRow>()?.is_empty()) {
            (false, _) => Self::Deleted,
            (true, false) => Self::InUse,
            (true, true) => Self::Missing,
        })
    }
}

const INSERT: &str = "
    INSERT INTO departments (university_id, name, created_at)
    SELECT id, ?2, ?3 FROM universities WHERE id = ?1
    ON CONFLICT (university_id, name) DO NOTHING
    RETURNING id, university_id, name, created_at";

const SELECT_ALL: &str = "
    SELECT id, university_id, name, created_at FROM departments
    WHERE university_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

/// Roles are not widened to the university, nor removed in passing: whoever deletes it says what becomes of them.
const DELETE: &str = "
    DELETE FROM departments
    WHERE university_id = ?1 AND id = ?2
      AND NOT EXISTS (SELECT 1 FROM courses WHERE university_id = ?1 AND department_id = ?2)
      AND NOT EXISTS (SELECT 1 FROM user_university_roles WHERE university_id = ?1 AND department_id = ?2)
    RETURNING id";

const SELECT_PRESENT: &str = "SELECT id FROM departments WHERE university_id = ?1 AND id = ?2";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, SELECT_ALL, DELETE, SELECT_PRESENT];

/// How adding a department ended.
pub enum CreationOutcome {
    /// It is on file.
    Created(DepartmentRow),
    /// The university has one of that name.
    NameTaken,
    /// The university is gone.
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
    now: Timestamp,
) -> Result<CreationOutcome, DbError> {
    let values = [university_id.get().into(), name.as_str().into(), now.millis().into()];
    let [rows, university] = store.batch([statement(INSERT, values), universities::present(university_id)]).await?;
    Ok(match rows.first()? {
        Some(row) => CreationOutcome::Created(row),
        None if university.all::<IdRow>()?.is_empty() => CreationOutcome::NoSuchUniversity,
        None => CreationOutcome::NameTaken,
    })
}

/// The departments of a university.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    store: &Store,
    university_id: UniversityId,
    page: PageRequest,
) -> Result<Page<DepartmentRow>, DbError> {
    let values = [university_id.get().into(), page.after.unwrap_or(0).into(), page.rows().into()];
    let [rows] = store.batch([statement(SELECT_ALL, values)]).await?;
    Ok(Page::new(rows.all()?, page, |row: &DepartmentRow| row.id.get()))
}

/// Deletes a department that has neither courses nor roles.
///
/// # Errors
/// [`DbError`].
pub async fn delete(store: &Store, university_id: UniversityId, id: DepartmentId) -> Result<DeletionOutcome, DbError> {
    let values = || [university_id.get().into(), id.get().into()];
    let [deleted, present] = store.batch([statement(DELETE, values()), statement(SELECT_PRESENT, values())]).await?;
    DeletionOutcome::read(&deleted, &present)
}

/// Is there such a department in the university?
pub(in crate::store) fn present(university_id: UniversityId, id: Option<DepartmentId>) -> Statement {
    statement(SELECT_PRESENT, [university_id.get().into(), id.map(DepartmentId::get).into()])
}
