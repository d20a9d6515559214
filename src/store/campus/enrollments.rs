//! Enrolments: who takes which course.

use serde::Deserialize;

use crate::domain::ids::{CourseId, EnrollmentId, UserId};
use crate::domain::time::Timestamp;
use crate::ports::DbError;
use crate::store::owned::{Owned, Paging, Section};
use crate::store::page::{Page, PageRequest};
use crate::store::{IdRow, Store, boolean, statement};

/// An enrolment.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct EnrollmentRow {
    /// Identifies it.
    pub id: EnrollmentId,
    /// In what.
    pub course_id: CourseId,
    /// Whose.
    pub user_id: UserId,
    /// Since when.
    pub created_at: Timestamp,
}

/// An enrolment, as those see it who teach the course.
#[derive(Debug, Clone, Deserialize, PartialEq, Eq)]
pub struct ParticipantRow {
    /// The enrolment.
    #[serde(flatten)]
    pub enrollment: EnrollmentRow,
    /// The participant's address.
    pub email: String,
    /// Their name, if they gave one.
    pub full_name: Option<String>,
}

/// The constraint decides when one user enrols twice at the same time.
const INSERT: &str = "
    INSERT INTO enrollments (course_id, user_id, created_at)
    SELECT id, ?2, ?3 FROM courses
    WHERE id = ?1 AND is_public = 1 AND EXISTS (SELECT 1 FROM users WHERE id = ?2 AND is_active = 1)
    ON CONFLICT (user_id, course_id) DO NOTHING
    RETURNING id, course_id, user_id, created_at";

/// Why nothing was added.
const SELECT_CIRCUMSTANCES: &str = "
    SELECT EXISTS (SELECT 1 FROM enrollments WHERE user_id = ?2 AND course_id = ?1) AS is_taken,
           EXISTS (SELECT 1 FROM courses WHERE id = ?1) AS is_there,
           EXISTS (SELECT 1 FROM courses WHERE id = ?1 AND is_public = 1) AS is_public";

const SELECT: &str = "SELECT id, course_id, user_id, created_at FROM enrollments WHERE id = ?1";

const SELECT_OF_COURSE: &str = "
    SELECT e.id, e.course_id, e.user_id, e.created_at, u.email, u.full_name
    FROM enrollments AS e JOIN users AS u ON u.id = e.user_id
    WHERE e.course_id = ?1 AND e.id > ?2 ORDER BY e.id LIMIT ?3";

const DELETE: &str = "DELETE FROM enrollments WHERE id = ?1 RETURNING id";

const ERASE: &str = "
    DELETE FROM enrollments WHERE id IN (
        SELECT e.id FROM users AS u JOIN enrollments AS e ON e.user_id = u.id
        WHERE u.id = :user_id AND u.erasure_cursor IS NOT NULL LIMIT :step
    )";

const EXPORT: &str = "
    SELECT id, course_id, created_at FROM enrollments WHERE user_id = :user_id ORDER BY course_id LIMIT :limit";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, SELECT_CIRCUMSTANCES, SELECT, SELECT_OF_COURSE, DELETE, ERASE, EXPORT];

/// Enrolments of a user. The export's limit is many more than any user has.
pub(in crate::store) const OWNED: Owned = Owned {
    table: "enrollments",
    erase: &[ERASE],
    remains: &["SELECT 1 FROM enrollments AS e WHERE e.user_id = users.id"],
    export: Some(Section { member: "enrollments", select: EXPORT, paging: Paging::FirstPage { limit: 10_000 } }),
    walk: None,
};

/// How enrolling ended.
pub enum EnrollmentOutcome {
    /// It is on file.
    Enrolled(EnrollmentRow),
    /// The user is enrolled already.
    Already,
    /// The course is not public any more.
    Unpublished,
    /// The course is gone.
    NoSuchCourse,
    /// The user is gone or disabled.
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
    now: Timestamp,
) -> Result<EnrollmentOutcome, DbError> {
    let insert = [course_id.get().into(), user_id.get().into(), now.millis().into()];
    let circumstances = statement(SELECT_CIRCUMSTANCES, [course_id.get().into(), user_id.get().into()]);
    let [rows, circumstances] = store.batch([statement(INSERT, insert), circumstances]).await?;
    if let Some(row) = rows.first()? {
        return Ok(EnrollmentOutcome::Enrolled(row));
    }
    let circumstances: Option<CircumstancesRow> = circumstances.first()?;
    circumstances.map(EnrollmentOutcome::from).ok_or_else(|| DbError::Unreadable("no circumstances".to_owned()))
}

/// One enrolment.
///
/// # Errors
/// [`DbError`].
pub async fn find(store: &Store, id: EnrollmentId) -> Result<Option<EnrollmentRow>, DbError> {
    let [rows] = store.batch([statement(SELECT, [id.get().into()])]).await?;
    rows.first()
}

/// Who is enrolled in a course.
///
/// # Errors
/// [`DbError`].
pub async fn of_course(store: &Store, course_id: CourseId, page: PageRequest) -> Result<Page<ParticipantRow>, DbError> {
    let values = [course_id.get().into(), page.after.unwrap_or(0).into(), page.rows().into()];
    let [rows] = store.batch([statement(SELECT_OF_COURSE, values)]).await?;
    Ok(Page::new(rows.all()?, page, |row: &ParticipantRow| row.enrollment.id.get()))
}

/// Ends an enrolment. False if it was ended already.
///
/// # Errors
/// [`DbError`].
pub async fn delete(store: &Store, id: EnrollmentId) -> Result<bool, DbError> {
    let [rows] = store.batch([statement(DELETE, [id.get().into()])]).await?;
    Ok(!rows.all::<IdRow>()?.is_empty())
}
