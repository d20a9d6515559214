//! Courses.

use serde::Deserialize;

use super::departments::{Deletion, present};
use super::page::{Page, PageRequest};
use super::{IdRow, Store, boolean, statement, universities};
use crate::domain::ids::{CourseId, DepartmentId, UniversityId, UserId};
use crate::domain::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Value};

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

/// Whose courses are listed, beside the public ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody's: only the public ones.
    Anonymous,
    /// Those of this user's universities, and those they are enrolled in.
    User(UserId),
    /// All of them.
    PlatformAdmin(UserId),
}

/// How adding or changing a course ended.
pub enum Saving {
    /// It is on file.
    Saved(CourseRow),
    /// The university has a course with that code.
    CodeTaken,
    /// The university has no such department.
    NoSuchDepartment,
    /// The university is gone.
    NoSuchUniversity,
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

const SELECT_OF_UNIVERSITY: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?4 AND e.course_id = c.id) AS enrolled
    FROM courses AS c WHERE c.university_id = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3";

const SELECT_PUBLIC: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at, 0 AS enrolled
    FROM courses AS c WHERE c.is_public = 1 AND c.id > ?1 ORDER BY c.id LIMIT ?2";

/// Each part gives at most a page, from its own index; the union of them is a page.
const SELECT_FOR_USER: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?3 AND e.course_id = c.id) AS enrolled
    FROM courses AS c
    WHERE c.id IN (
        SELECT id FROM (SELECT id FROM courses WHERE is_public = 1 AND id > ?1 ORDER BY id LIMIT ?2)
        UNION
        SELECT id FROM (
            SELECT id FROM courses
            WHERE university_id IN (SELECT university_id FROM user_university_roles WHERE user_id = ?3) AND id > ?1
            ORDER BY id LIMIT ?2
        )
        UNION
        SELECT course_id FROM (
            SELECT course_id FROM enrollments WHERE user_id = ?3 AND course_id > ?1 ORDER BY course_id LIMIT ?2
        )
    )
    ORDER BY c.id LIMIT ?2";

const SELECT_ALL: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?3 AND e.course_id = c.id) AS enrolled
    FROM courses AS c WHERE c.id > ?1 ORDER BY c.id LIMIT ?2";

const UPDATE: &str = "
    UPDATE courses
    SET title = coalesce(?2, title), code = coalesce(?3, code), is_public = coalesce(?4, is_public),
        department_id = CASE WHEN ?5 = 1 THEN ?6 ELSE department_id END
    WHERE id = ?1
      AND (?6 IS NULL
           OR EXISTS (SELECT 1 FROM departments AS d WHERE d.university_id = courses.university_id AND d.id = ?6))
    RETURNING id, university_id, department_id, title, code, is_public, created_at,
              EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?7 AND e.course_id = courses.id) AS enrolled";

/// As many as one statement may delete without holding the database up.
const DELETE_ENROLLMENTS: &str = "
    DELETE FROM enrollments WHERE id IN (SELECT id FROM enrollments WHERE course_id = ?1 LIMIT 1000)";

const DELETE: &str = "
    DELETE FROM courses WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM enrollments WHERE course_id = ?1)
    RETURNING id";

const SELECT_PRESENT: &str = "SELECT id FROM courses WHERE id = ?1";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    SELECT,
    SELECT_OF_UNIVERSITY,
    SELECT_PUBLIC,
    SELECT_FOR_USER,
    SELECT_ALL,
    UPDATE,
    DELETE_ENROLLMENTS,
    DELETE,
    SELECT_PRESENT,
];

/// Adds a course.
///
/// # Errors
/// [`DbError`].
pub async fn create(store: &Store, new: &NewCourse<'_>, now: Timestamp) -> Result<Saving, DbError> {
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
        Some(row) => Saving::Saved(row),
        None if university.all::<IdRow>()?.is_empty() => Saving::NoSuchUniversity,
        None if is_missing(new.department_id, &department)? => Saving::NoSuchDepartment,
        None => Saving::CodeTaken,
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

/// The courses of a university, as this user sees them.
///
/// # Errors
/// [`DbError`].
pub async fn of_university(
    store: &Store,
    university_id: UniversityId,
    viewer: UserId,
    page: PageRequest,
) -> Result<Page<CourseRow>, DbError> {
    let after = page.after.unwrap_or(0).into();
    let values = [university_id.get().into(), after, page.rows().into(), viewer.get().into()];
    let [rows] = store.batch([statement(SELECT_OF_UNIVERSITY, values)]).await?;
    Ok(Page::new(rows.all()?, page, |row: &CourseRow| row.id.get()))
}

/// The courses that somebody can see.
///
/// # Errors
/// [`DbError`].
pub async fn list(store: &Store, viewer: Viewer, page: PageRequest) -> Result<Page<CourseRow>, DbError> {
    let (after, rows) = (page.after.unwrap_or(0).into(), page.rows().into());
    let query = match viewer {
        Viewer::Anonymous => statement(SELECT_PUBLIC, [after, rows]),
        Viewer::User(user_id) => statement(SELECT_FOR_USER, [after, rows, user_id.get().into()]),
        Viewer::PlatformAdmin(user_id) => statement(SELECT_ALL, [after, rows, user_id.get().into()]),
    };
    let [rows] = store.batch([query]).await?;
    Ok(Page::new(rows.all()?, page, |row: &CourseRow| row.id.get()))
}

/// Changes a course of this university. Nothing, if it is gone.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    store: &Store,
    id: CourseId,
    university_id: UniversityId,
    change: &CourseChange,
    viewer: UserId,
) -> Result<Option<Saving>, DbError> {
    let department_id = change.department_id.flatten();
    let values = [
        id.get().into(),
        change.title.as_ref().map(Label::as_str).into(),
        change.code.as_ref().map(Label::as_str).into(),
        Value::from(change.is_public.map(i64::from)),
        i64::from(change.department_id.is_some()).into(),
        department_id.map(DepartmentId::get).into(),
        viewer.get().into(),
    ];
    let statements = [statement(UPDATE, values), present(university_id, department_id)];
    let [rows, department] = match store.batch(statements).await {
        Err(DbError::Unique(column)) if column.starts_with("courses.") => return Ok(Some(Saving::CodeTaken)),
        other => other?,
    };
    Ok(match rows.first()? {
        Some(row) => Some(Saving::Saved(row)),
        None if is_missing(department_id, &department)? => Some(Saving::NoSuchDepartment),
        None => None,
    })
}

/// Deletes a course with its enrolments. `InUse`, if it had more than a thousand: that many are gone now.
///
/// # Errors
/// [`DbError`].
pub async fn delete(store: &Store, id: CourseId) -> Result<Deletion, DbError> {
    let values = || [id.get().into()];
    let statements =
        [statement(DELETE_ENROLLMENTS, values()), statement(DELETE, values()), statement(SELECT_PRESENT, values())];
    let [_, deleted, present] = store.batch(statements).await?;
    Deletion::read(&deleted, &present)
}
