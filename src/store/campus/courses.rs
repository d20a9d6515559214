//! Courses.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::authz::Resource;
use crate::domain::ids::{CourseId, DepartmentId, UniversityId, UserId};
use crate::domain::tenant::label::Label;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::audit;
use crate::store::audit::{RequestInfo, insert_event};
use crate::store::authz::viewer::Viewer;
use crate::store::read::Read;
use crate::store::tenant::{departments, universities};
use crate::store::{IdRow, Store, boolean};

/// A row of `courses`, for one viewer.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct CourseRow {
    pub id: CourseId,
    pub university_id: UniversityId,
    pub department_id: Option<DepartmentId>,
    pub title: String,
    pub code: String,
    #[serde(deserialize_with = "boolean")]
    pub is_public: bool,
    pub created_at: Timestamp,
    /// Whether the viewer is enrolled: not a column.
    #[serde(deserialize_with = "boolean")]
    pub enrolled: bool,
}

impl CourseRow {
    /// The course as the authorization decision sees it.
    #[must_use]
    pub const fn resource(&self) -> Resource {
        let whole = Resource::within(self.university_id, self.department_id);
        Resource { is_published: Some(self.is_public), ..whole }
    }
}

/// A course to be added.
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct NewCourse<'a> {
    pub university_id: UniversityId,
    pub department_id: Option<DepartmentId>,
    pub title: &'a Label,
    pub code: &'a Label,
    pub is_public: bool,
}

/// A change of a course. A field that is `None` keeps its value.
#[derive(Default)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct CourseChange {
    pub title: Option<Label>,
    pub code: Option<Label>,
    pub is_public: Option<bool>,
    /// `Some(None)` takes the course out of its department.
    pub department_id: Option<Option<DepartmentId>>,
}

/// The outcome of adding or changing a course.
pub enum CourseOutcome {
    /// The course as it is now.
    Saved(CourseRow),
    /// The university has a course with that code.
    CodeTaken,
    /// The university has no such department.
    NoSuchDepartment,
    /// The university was deleted concurrently.
    NoSuchUniversity,
    /// The course was deleted concurrently.
    NoSuchCourse,
    /// The course was moved to another department concurrently.
    Moved,
}

/// The columns of a [`CourseRow`] but for `enrolled`.
macro_rules! course_columns {
    () => {
        "id, university_id, department_id, title, code, is_public, created_at"
    };
}
pub(in crate::store::campus) use course_columns;

/// The column `enrolled` of a [`CourseRow`]: false if there is no viewer.
macro_rules! is_enrolled {
    () => {
        concat!(
            "EXISTS (
                 SELECT 1 FROM enrollments AS e WHERE e.user_id = ",
            $crate::store::authz::viewer::caller_id!(),
            " AND e.course_id = courses.id
             ) AS enrolled"
        )
    };
}
pub(in crate::store::campus) use is_enrolled;

/// The course is still in the department in which it was when access was granted.
macro_rules! in_place {
    () => {
        "id = :course_id AND department_id IS :department_id"
    };
}
pub(in crate::store::campus) use in_place;

const INSERT: &str = "
    INSERT INTO courses (university_id, department_id, title, code, is_public, created_at, nonce)
     SELECT u.id, :department_id, :title, :code, :is_public, :now, :nonce FROM universities AS u
     WHERE u.id = :university_id AND (
         :department_id IS NULL
         OR EXISTS (SELECT 1 FROM departments WHERE university_id = :university_id AND id = :department_id)
     )
     AND NOT EXISTS (SELECT 1 FROM courses WHERE university_id = :university_id AND code = :code)
     ON CONFLICT (university_id, code) DO NOTHING";

/// The course that this request added.
const SELECT_NEW: &str = concat!(
    "SELECT ",
    course_columns!(),
    ", 0 AS enrolled FROM courses WHERE university_id = :university_id AND code = :code AND nonce = :nonce"
);

const SELECT: &str = concat!("SELECT ", course_columns!(), ", ", is_enrolled!(), " FROM courses WHERE id = :course_id");

/// The row that the preceding statement added.
const RECORD_CREATION: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "university_id", object_id: "id",
    from: "FROM courses WHERE university_id = :university_id AND code = :code AND changes() > 0",
};

/// The conditions of a change: the course is in its place, and its new department exists.
macro_rules! is_changeable {
    ($place:expr) => {
        concat!(
            $place,
            " AND (
                 :new_department_id IS NULL
                 OR EXISTS (
                     SELECT 1 FROM departments AS d
                     WHERE d.university_id = courses.university_id AND d.id = :new_department_id
                 )
             )"
        )
    };
}

/// Written before the change, because a change to the present values is none.
const RECORD_CHANGE: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "university_id", object_id: "id",
    from: concat!(
        "FROM courses WHERE ",
        is_changeable!(in_place!()),
        " AND (
             title <> coalesce(:title, title) OR code <> coalesce(:code, code)
             OR is_public <> coalesce(:is_public, is_public)
             OR (:is_moved = 1 AND department_id IS NOT :new_department_id)
         )"
    ),
};

/// The nonce tells a second execution of the batch that the course was moved by the first one.
const UPDATE: &str = concat!(
    "UPDATE courses
     SET nonce = :nonce, title = coalesce(:title, title), code = coalesce(:code, code), is_public = coalesce(:is_public, is_public),
         department_id = CASE WHEN :is_moved = 1 THEN :new_department_id ELSE department_id END
     WHERE ",
    is_changeable!(concat!("(", in_place!(), " OR id = :course_id AND nonce = :nonce)")),
    " RETURNING ",
    course_columns!(),
    ", ",
    is_enrolled!()
);

const SELECT_PRESENT: &str = "SELECT id FROM courses WHERE id = :course_id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, SELECT_NEW, RECORD_CREATION, SELECT, RECORD_CHANGE, UPDATE, SELECT_PRESENT];

/// Adds a course.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    new: &NewCourse<'_>,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<CourseOutcome, DbError> {
    let of_code = |statement: Statement| statement.bind("university_id", new.university_id).bind("code", new.code);
    let [insert, select] = [INSERT, SELECT_NEW].map(|sql| of_code(query(sql)).bind("nonce", request.stamp.nonce()));
    let insert = insert
        .bind("department_id", new.department_id)
        .bind("title", new.title)
        .bind("is_public", new.is_public)
        .bind("now", request.now);
    let record = audit::insert(RECORD_CREATION, request, EventType::CourseCreated).bind("actor_id", actor);
    let department = departments::present(new.university_id, new.department_id);
    let university = universities::present(new.university_id);
    let statements = [insert, of_code(record), select, department, university];
    let [_, _, rows, department, university] = store.batch(statements).await?;
    Ok(match rows.first()? {
        Some(row) => CourseOutcome::Saved(row),
        None if university.all::<IdRow>()?.is_empty() => CourseOutcome::NoSuchUniversity,
        None if is_missing(new.department_id, &department)? => CourseOutcome::NoSuchDepartment,
        None => CourseOutcome::CodeTaken,
    })
}

/// Whether the request names a department that the university does not have.
fn is_missing(department_id: Option<DepartmentId>, found: &Rows) -> Result<bool, DbError> {
    Ok(department_id.is_some() && found.all::<IdRow>()?.is_empty())
}

/// Finds a course, with the viewer's enrolment.
#[must_use]
pub fn find(id: CourseId, viewer: Option<&Viewer>) -> Read<Option<CourseRow>> {
    Read::of(Viewer::bind_any_id(viewer, query(SELECT).bind("course_id", id)), Rows::first)
}

/// The place of a course for which access was granted. If the course was moved concurrently, the caller may have no
/// rights in its new department, so the statements check the place again.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct CourseLocation {
    pub id: CourseId,
    /// A course never changes its university.
    pub university_id: UniversityId,
    pub department_id: Option<DepartmentId>,
}

impl CourseLocation {
    /// A statement about the course, guarded by [`in_place!`].
    pub(in crate::store::campus) fn query(self, sql: &'static str) -> Statement {
        self.bind(query(sql))
    }

    fn bind(self, statement: Statement) -> Statement {
        statement.bind("course_id", self.id).bind("department_id", self.department_id)
    }
}

/// Selects the id of a course if it exists.
pub(in crate::store::campus) fn present(id: CourseId) -> Statement {
    query(SELECT_PRESENT).bind("course_id", id)
}

/// Changes a course, unless it was moved concurrently.
///
/// # Errors
/// [`DbError`].
pub async fn update(
    store: &Store,
    place: CourseLocation,
    change: &CourseChange,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<CourseOutcome, DbError> {
    let new_department_id = change.department_id.flatten();
    let change = |statement: Statement| {
        statement
            .bind("title", change.title.as_ref())
            .bind("code", change.code.as_ref())
            .bind("is_public", change.is_public)
            .bind("is_moved", change.department_id.is_some())
            .bind("new_department_id", new_department_id)
    };
    let record = audit::insert(RECORD_CHANGE, request, EventType::CourseChanged);
    let record = change(place.bind(record)).bind("actor_id", actor);
    let update = Viewer::of_user(actor, &[]).bind_id(change(place.query(UPDATE)).bind("nonce", request.stamp.nonce()));
    let department = departments::present(place.university_id, new_department_id);
    let statements = [record, update, department, present(place.id)];
    let [_, rows, department, course] = match store.batch(statements).await {
        Err(error) if error.violated_constraint().is_some_and(|column| column.starts_with("courses.")) => {
            return Ok(CourseOutcome::CodeTaken);
        }
        other => other?,
    };
    Ok(match rows.first()? {
        Some(row) => CourseOutcome::Saved(row),
        None if course.all::<IdRow>()?.is_empty() => CourseOutcome::NoSuchCourse,
        None if is_missing(new_department_id, &department)? => CourseOutcome::NoSuchDepartment,
        None => CourseOutcome::Moved,
    })
}
