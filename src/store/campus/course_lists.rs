//! Which courses somebody can see, a page at a time.

use crate::domain::ids::{UniversityId, UserId};
use crate::ports::DbError;
use crate::store::campus::courses::CourseRow;
use crate::store::page::{Page, PageRequest};
use crate::store::{Store, statement};

/// Whose courses are listed, beside the public ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody's: only the public ones.
    Anonymous,
    /// Those of this user's universities.
    User(UserId),
    /// All of them.
    PlatformAdmin(UserId),
}

const SELECT_OF_UNIVERSITY: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?4 AND e.course_id = c.id) AS enrolled
    FROM courses AS c WHERE c.university_id = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3";

const SELECT_PUBLIC: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at, 0 AS enrolled
    FROM courses AS c WHERE c.is_public = 1 AND c.id > ?1 ORDER BY c.id LIMIT ?2";

/// Each part gives at most a page, from its own index; the union of them is a page. The courses of the caller's
/// universities are merged, one after the other the next of them all: to sort them would read all of them.
const SELECT_FOR_USER: &str = "
    WITH RECURSIVE merged (id, place) AS (
        SELECT ?1, 0
        UNION ALL
        SELECT (
            SELECT min((SELECT id FROM courses WHERE university_id = g.university_id AND id > merged.id ORDER BY id LIMIT 1))
            FROM user_university_roles AS g WHERE g.user_id = ?3
        ), place + 1
        FROM merged WHERE id IS NOT NULL AND place < ?2
    )
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?3 AND e.course_id = c.id) AS enrolled
    FROM courses AS c
    WHERE c.id IN (
        SELECT id FROM (SELECT id FROM courses WHERE is_public = 1 AND id > ?1 ORDER BY id LIMIT ?2)
        UNION
        SELECT id FROM merged WHERE place > 0
    )
    ORDER BY c.id LIMIT ?2";

const SELECT_ALL: &str = "
    SELECT c.id, c.university_id, c.department_id, c.title, c.code, c.is_public, c.created_at,
           EXISTS (SELECT 1 FROM enrollments AS e WHERE e.user_id = ?3 AND e.course_id = c.id) AS enrolled
    FROM courses AS c WHERE c.id > ?1 ORDER BY c.id LIMIT ?2";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_OF_UNIVERSITY, SELECT_PUBLIC, SELECT_FOR_USER, SELECT_ALL];

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
