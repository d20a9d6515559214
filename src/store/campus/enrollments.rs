//! Enrolments of users in courses.

use serde::Deserialize;

use crate::domain::audit::EventType;
use crate::domain::authz::Role;
use crate::domain::authz::role::names_text;
use crate::domain::ids::{CourseId, EnrollmentId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, query};
use crate::store::audit;
use crate::store::audit::{RequestInfo, insert_event};
use crate::store::authz::viewer::{Viewer, caller_id, role_counts};
use crate::store::campus::deletion_marks;
use crate::store::owned::{Paging, Section};
use crate::store::page::{Page, PageRequest};
use crate::store::read::Read;
use crate::store::session::liveness::session_is_live;
use crate::store::{Store, boolean};

/// A row of `enrollments`.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct EnrollmentRow {
    pub id: EnrollmentId,
    pub course_id: CourseId,
    pub user_id: UserId,
    pub created_at: Timestamp,
}

/// An enrolment with the participant's address and name, for the teachers of the course.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
#[serde(from = "(EnrollmentRow, Person)")]
#[expect(missing_docs, reason = "the fields are the tables' columns")]
pub struct ParticipantRow {
    pub enrollment: EnrollmentRow,
    pub email: String,
    pub full_name: Option<String>,
}

/// The columns of a [`ParticipantRow`] besides those of the enrolment.
#[derive(Deserialize)]
struct Person {
    email: String,
    full_name: Option<String>,
}

impl From<(EnrollmentRow, Person)> for ParticipantRow {
    fn from((enrollment, Person { email, full_name }): (EnrollmentRow, Person)) -> Self {
        Self { enrollment, email, full_name }
    }
}

/// The columns of an [`EnrollmentRow`].
macro_rules! columns {
    () => {
        "id, course_id, user_id, created_at"
    };
}

/// The unique constraint decides between concurrent requests of one user.
const INSERT: &str = "
    INSERT INTO enrollments (course_id, user_id, created_at, nonce)
     SELECT id, :user_id, :now, :nonce FROM courses
     WHERE id = :course_id AND is_public = 1 AND EXISTS (SELECT 1 FROM users WHERE id = :user_id AND is_active = 1)
       AND NOT EXISTS (SELECT 1 FROM enrollments WHERE user_id = :user_id AND course_id = :course_id)
     ON CONFLICT (user_id, course_id) DO NOTHING";

/// The enrolment that this request added.
const SELECT_NEW: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM enrollments WHERE user_id = :user_id AND course_id = :course_id AND nonce = :nonce"
);

/// The reason if nothing was inserted.
const SELECT_CIRCUMSTANCES: &str = "
    SELECT EXISTS (SELECT 1 FROM enrollments WHERE user_id = :user_id AND course_id = :course_id) AS is_taken,
           EXISTS (SELECT 1 FROM courses WHERE id = :course_id) AS is_there,
           EXISTS (SELECT 1 FROM courses WHERE id = :course_id AND is_public = 1) AS is_public";

const SELECT: &str = concat!("SELECT ", columns!(), " FROM enrollments WHERE id = :enrollment_id");

/// Nothing is listed for a caller without a fitting role: the limit is zero then. The list is read before access is
/// decided, and a caller that will be refused must not cost rows.
const SELECT_OF_COURSE: &str = concat!(
    "SELECT e.id, e.course_id, e.user_id, e.created_at, u.email, u.full_name
    FROM enrollments AS e JOIN users AS u ON u.id = e.user_id
    WHERE e.course_id = :course_id AND e.id > :after ORDER BY e.id LIMIT :limit * EXISTS (
        SELECT 1 FROM courses AS c JOIN user_university_roles AS own
          ON own.user_id = ",
    caller_id!(),
    " AND coalesce(own.university_id, 0) IN (0, c.university_id)
        WHERE c.id = :course_id AND instr(:roles, '\"' || own.role || '\"') > 0
          AND coalesce(own.department_id, 0) IN (0, coalesce(c.department_id, 0)) AND ",
    role_counts!("own.role"),
    ")"
);

/// The end of an enrolment by another user than its owner; the event is about the owner.
const RECORD_END: &str = insert_event! {
    type: ":type", reason: "NULL", user_id: "e.user_id", session_id: "NULL", actor_id: ":actor_id",
    university_id: "c.university_id", object_id: "c.id",
    from: "FROM enrollments AS e JOIN courses AS c ON c.id = e.course_id
           WHERE e.id = :enrollment_id AND e.user_id <> :actor_id",
};

const DELETE: &str = "DELETE FROM enrollments WHERE id = :enrollment_id";

const EXPORT: &str = concat!(
    "SELECT id, course_id, created_at FROM enrollments WHERE user_id = :user_id AND course_id < :before
     ORDER BY course_id DESC LIMIT :limit * ",
    session_is_live!()
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] =
    &[INSERT, SELECT_NEW, SELECT_CIRCUMSTANCES, SELECT, SELECT_OF_COURSE, RECORD_END, DELETE, EXPORT];

/// Enrolments in the export. The key is the course, by which an index lists the enrolments of a user.
pub(in crate::store::campus) const SECTION: Section =
    Section { member: "enrollments", select: EXPORT, paging: Paging::ByKey { key: "course_id", own_event: None } };

/// The outcome of enrolling.
pub enum EnrollmentOutcome {
    /// The enrolment was added.
    Enrolled(EnrollmentRow),
    /// The user is enrolled already.
    Already,
    /// The course was unpublished concurrently.
    Unpublished,
    /// The course was deleted concurrently.
    NoSuchCourse,
    /// The user was erased or disabled concurrently.
    NoSuchUser,
}

#[derive(Deserialize)]
struct CircumstancesRow {
    #[serde(deserialize_with = "boolean")]
    is_taken: bool,
    #[serde(deserialize_with = "boolean")]
    is_there: bool,
    #[serde(deserialize_with = "boolean")]
    is_public: bool,
}

impl From<CircumstancesRow> for EnrollmentOutcome {
    fn from(row: CircumstancesRow) -> Self {
        match row {
            CircumstancesRow { is_taken: true, .. } => Self::Already,
            CircumstancesRow { is_there: false, .. } => Self::NoSuchCourse,
            CircumstancesRow { is_public: false, .. } => Self::Unpublished,
            CircumstancesRow { .. } => Self::NoSuchUser,
        }
    }
}

/// Enrols a user in a public course.
///
/// # Errors
/// [`DbError`].
pub async fn create(
    store: &Store,
    course_id: CourseId,
    user_id: UserId,
    request: RequestInfo<'_>,
) -> Result<EnrollmentOutcome, DbError> {
    let of_user = |sql| query(sql).bind("course_id", course_id).bind("user_id", user_id);
    let [insert, select] = [INSERT, SELECT_NEW].map(|sql| of_user(sql).bind("nonce", request.stamp.nonce()));
    let statements = [insert.bind("now", request.now), select, of_user(SELECT_CIRCUMSTANCES)];
    let [_, rows, circumstances] = store.batch(statements).await?;
    if let Some(row) = rows.first()? {
        return Ok(EnrollmentOutcome::Enrolled(row));
    }
    let circumstances: Option<CircumstancesRow> = circumstances.first()?;
    circumstances.map(EnrollmentOutcome::from).ok_or_else(|| DbError::unreadable("no circumstances"))
}

/// Finds an enrolment by its id.
#[must_use]
pub fn find(id: EnrollmentId) -> Read<Option<EnrollmentRow>> {
    Read::of(query(SELECT).bind("enrollment_id", id), Rows::first)
}

/// Lists the enrolments in a course, for a caller with one of these roles where the course is.
#[must_use]
pub fn of_course(
    course_id: CourseId,
    viewer: &Viewer,
    roles: &[Role],
    page: PageRequest,
) -> Read<Page<ParticipantRow>> {
    let select = page.query(SELECT_OF_COURSE).bind("course_id", course_id);
    let select = viewer.bind(select).bind("roles", names_text(roles));
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &ParticipantRow| row.enrollment.id.get())))
}

/// Deletes an enrolment. False if there was none.
///
/// # Errors
/// [`DbError`].
pub async fn delete(store: &Store, id: EnrollmentId, actor: UserId, request: RequestInfo<'_>) -> Result<bool, DbError> {
    let record = audit::insert(RECORD_END, request, EventType::EnrollmentEnded);
    let record = record.bind("enrollment_id", id).bind("actor_id", actor);
    let [mark, marked] = deletion_marks::mark(request);
    let [_, _, _, marked] = store.batch([record, query(DELETE).bind("enrollment_id", id), mark, marked]).await?;
    deletion_marks::is_marked(&marked)
}
