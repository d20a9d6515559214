//! Courses.

use serde::Deserialize;

use crate::domain::authz::Resource;
use crate::domain::ids::{CourseId, DepartmentId, UniversityId, UserId};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Value};
use crate::store::tenant::departments::present;
use crate::store::tenant::universities;
use crate::store::{IdRow, Store, boolean, statement};

/// A course, as somebody sees it.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct CourseRow {
    /// Identifies it.
    pub id: CourseId,
    /// Whose it is.
    pub university_id: UniversityId,
    /// The department it belongs to.
    pub department_id: Option<DepartmentId>,
    /// What people call it.
    pub title: String,
    /// What the university calls it.
    pub code: String,
    /// May everybody see it, and students enrol?
    #[serde(deserialize_with = "boolean")]
    pub is_public: bool,
    /// Since when it is on file.
    pub created_at: Timestamp,
    /// Is the one who sees it enrolled?
    #[serde(deserialize_with = "boolean")]
    pub enrolled: bool,
}

impl CourseRow {
    /// What a decision about it is about, for the one who sees it.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        let whole = Resource::within(self.university_id, self.department_id);
        Resource { is_published: Some(self.is_public), ..whole }
    }
}

/// A course to be added.
pub struct NewCourse<'a> {
    /// Whose.
    pub university_id: UniversityId,
    /// In which department.
    pub department_id: Option<DepartmentId>,
    /// What people call it.
    pub title: &'a Label,
    /// What the university calls it.
    pub code: &'a Label,
    /// May everybody see it?
    pub is_public: bool,
}

/// What is to be changed: what is absent stays.
#[derive(Default)]
pub struct CourseChange {
    /// Another title.
    pub title: Option<Label>,
    /// Another code.
    pub code: Option<Label>,
    /// Public or not.
    pub is_public: Option<bool>,
    /// Another department, or none.
    pub department_id: Option<Option<DepartmentId>>,
}

/// How adding or changing a course ended.
pub enum CourseOutcome {
    /// It is on file.
    Saved(CourseRow),
    /// The university has a course with that code.
    CodeTaken,
    /// The university has no such department.
    NoSuchDepartment,
    /// The university is gone.
    NoSuchUniversity,
    /// The course is gone.
    NoSuchCourse,
    /// The course belongs to another department by now.
    Moved,
}

/// How the deletion of a course ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CourseDeletionOutcome {
    /// It is gone.
    Removed,
    /// It is unpublished, and a thousand of its enrolments are gone: there are more.
    HasMore,
    /// It belongs to another department by now.
    Moved,
    /// There is none.
    Missing,
}

const INSERT: &str = "
    INSERT INTO courses (university_id, department_id, title, code, is_public, created_at)
    SELECT u.id, ?2, ?3, ?4, ?5, ?6 FROM universities AS u
    WHERE u.id = ?1 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM departments WHERE university_id = ?1 AND id = ?2))
    ON CONFLICT (university_id, code) DO NOTHING
    RETURNING id, university_id, department_id, title, code, is_public, created_at, 0 AS enrolled";

const SELECT: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?2 AND e.course_id = c.id) AS enrolled
    FROM courses AS c WHERE c.id = ?1";

const UPDATE: &str = "
    UPDATE courses
    SET title = coalesce(?2, title), code = coalesce(?3, code), is_public = coalesce(?4, is_public),
        department_id = CASE WHEN ?5 = 1 THEN ?6 ELSE department_id END
    WHERE id = ?1 AND department_id IS ?8
      AND (?6 IS NULL
           OR EXISTS (SELECT 1 FROM departments AS d WHERE d.university_id = courses.university_id AND d.id = ?6))
    RETURNING id, university_id, department_id, title, code, is_public, created_at,
              EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?7 AND e.course_id = courses.id) AS enrolled";

/// Nobody enrols any more in what is about to go.
const UNPUBLISH: &str = "UPDATE courses SET is_public = 0 WHERE id = ?1 AND department_id IS ?2";

/// As many as one statement may delete without holding the database up.
const DELETE_ENROLLMENTS: &str = "
    DELETE FROM enrollments WHERE id IN (
        SELECT e.id FROM courses AS c JOIN enrollments AS e ON e.course_id = c.id
        WHERE c.id = ?1 AND c.department_id IS ?2 LIMIT 1000
    )";

const DELETE: &str = "
    DELETE FROM courses
    WHERE id = ?1 AND department_id IS ?2 AND NOT EXISTS (SELECT 1 FROM enrollments WHERE course_id = ?1)
    RETURNING id";

const SELECT_PRESENT: &str = "SELECT id FROM courses WHERE id = ?1";

const SELECT_IN_PLACE: &str = "SELECT id FROM courses WHERE id = ?1 AND department_id IS ?2";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[INSERT, SELECT, UPDATE, UNPUBLISH, DELETE_ENROLLMENTS, DELETE, SELECT_PRESENT, SELECT_IN_PLACE];

/// Adds a course.
///
/// # Errors
/// [`DbError`].
pub async fn create(store: &Store, new: &NewCourse<'_>, now: Timestamp) -> Result<CourseOutcome, DbError> {
    let insert = [
        new.university_id.get().into(),
        new.department_id.map(DepartmentId::get).into(),
        new.title.as_str().into(),
        new.code.as_str().into(),
        i64::from(new.is_public).into(),
        now.millis().into(),
    ];
    let department = present(new.university_id, new.department_id);
    let university = universities::present(new.university_id);
    let [rows, department, university] = store.batch([statement(INSERT, insert), department, university]).await?;
    Ok(match rows.first()? {
        Some(row) => CourseOutcome::Saved(row),
        None if university.all::<IdRow>()?.is_empty() => CourseOutcome::NoSuchUniversity,
        None if is_missing(new.department_id, &department)? => CourseOutcome::NoSuchDepartment,
        None => CourseOutcome::CodeTaken,
    })
}

/// Was a department asked for that is not there?
fn is_missing(department_id: Option<DepartmentId>, found: &Rows) -> Result<bool, DbError> {
    Ok(department_id.is_some() && found.all::<IdRow>()?.is_empty())
}

/// One course, as this user sees it.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, id: CourseId, viewer: Option<UserId>) -> Result<Option<CourseRow>, DbError> {
    let values = [id.get().into(), viewer.map(UserId::get).into()];
    let [rows] = store.batch([statement(SELECT, values)]).await?;
    rows.first()
}

/// Where a course was when it was decided what may be done with it. It may have moved since, to where the caller
/// may do nothing.
#[derive(Debug, Clone, Copy)]
pub struct CourseLocation {
    /// Which course.
    pub id: CourseId,
    /// In which university: it never leaves it.
    pub university_id: UniversityId,
    /// In which department.
    pub department_id: Option<DepartmentId>,
}

/// Changes a course that is still where it was.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    store: &Store,
    place: CourseLocation,
    change: &CourseChange,
    viewer: UserId,
) -> Result<CourseOutcome, DbError> {
    let department_id = change.department_id.flatten();
    let values = [
        place.id.get().into(),
        change.title.as_ref().map(Label::as_str).into(),
        change.code.as_ref().map(Label::as_str).into(),
        Value::from(change.is_public.map(i64::from)),
        i64::from(change.department_id.is_some()).into(),
        department_id.map(DepartmentId::get).into(),
        viewer.get().into(),
        place.department_id.map(DepartmentId::get).into(),
    ];
    let course = statement(SELECT_PRESENT, [place.id.get().into()]);
    let statements = [statement(UPDATE, values), present(place.university_id, department_id), course];
    let [rows, department, course] = match store.batch(statements).await {
        Err(DbError::Unique(column)) if column.starts_with("courses.") => return Ok(CourseOutcome::CodeTaken),
        other => other?,
    };
    Ok(match rows.first()? {
        Some(row) => CourseOutcome::Saved(row),
        None if course.all::<IdRow>()?.is_empty() => CourseOutcome::NoSuchCourse,
        None if is_missing(department_id, &department)? => CourseOutcome::NoSuchDepartment,
        None => CourseOutcome::Moved,
    })
}

/// Deletes a course that is still where it was, with its enrolments, a thousand of them with one call.
///
/// # Errors
/// [`DbError`].
pub async fn delete(store: &Store, place: CourseLocation) -> Result<CourseDeletionOutcome, DbError> {
    let values = || [place.id.get().into(), place.department_id.map(DepartmentId::get).into()];
    let [_, _, deleted, present, in_place] = store
        .batch([
            statement(UNPUBLISH, values()),
            statement(DELETE_ENROLLMENTS, values()),
            statement(DELETE, values()),
            statement(SELECT_PRESENT, [place.id.get().into()]),
            statement(SELECT_IN_PLACE, values()),
        ])
        .await?;
    let is_there = |rows: &Rows| Ok::<_, DbError>(!rows.all::<IdRow>()?.is_empty());
    Ok(match (is_there(&deleted)?, is_there(&present)?, is_there(&in_place)?) {
        (true, ..) => CourseDeletionOutcome::Removed,
        (false, true, true) => CourseDeletionOutcome::HasMore,
        (false, true, false) => CourseDeletionOutcome::Moved,
        (false, false, _) => CourseDeletionOutcome::Missing,
    })
}
