//! Lists of the courses that a viewer may see, a page at a time.

use crate::domain::ids::{UniversityId, UserId};
use crate::ports::DbError;
use crate::store::Store;
use crate::store::campus::courses::{CourseRow, course_columns, is_enrolled};
use crate::store::page::{Page, PageRequest};

/// The viewer of a list of courses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Sees the public courses.
    Anonymous,
    /// Sees the public courses, and those of the universities in which the user has a role.
    User(UserId),
    /// Sees the courses of all universities.
    PlatformAdmin(UserId),
}

/// A list of courses with the viewer's enrolments. Columns without a table's name are those of `courses`.
macro_rules! select_courses {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            course_columns!(),
            ", ",
            is_enrolled!(),
            " FROM courses ",
            $rest,
            " ORDER BY id LIMIT :limit"
        )
    };
}

const SELECT_OF_UNIVERSITY: &str = select_courses!("WHERE university_id = :university_id AND id > :after");

const SELECT_PUBLIC: &str = concat!(
    "SELECT ",
    course_columns!(),
    ", 0 AS enrolled FROM courses WHERE is_public = 1 AND id > :after ORDER BY id LIMIT :limit"
);

/// The union of two pages, each from its own index. The courses of the viewer's universities are merged: each step finds
/// the least id behind the previous one. Sorting them would read all of them.
const SELECT_FOR_USER: &str = concat!(
    "WITH RECURSIVE merged (id, place) AS (
         SELECT :after, 0
         UNION ALL
         SELECT (
             SELECT min((
                 SELECT id FROM courses WHERE university_id = g.university_id AND id > merged.id ORDER BY id LIMIT 1
             ))
             FROM user_university_roles AS g WHERE g.user_id = :viewer_id
         ), place + 1
         FROM merged WHERE id IS NOT NULL AND place < :limit
     ) ",
    select_courses!(
        "WHERE id IN (
             SELECT id FROM (SELECT id FROM courses WHERE is_public = 1 AND id > :after ORDER BY id LIMIT :limit)
             UNION
             SELECT id FROM merged WHERE place > 0
         )"
    )
);

const SELECT_ALL: &str = select_courses!("WHERE id > :after");

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_OF_UNIVERSITY, SELECT_PUBLIC, SELECT_FOR_USER, SELECT_ALL];

/// Lists the courses of a university.
///
/// # Errors
/// [`DbError`].
pub async fn of_university(
    store: &Store,
    university_id: UniversityId,
    viewer: UserId,
    page: PageRequest,
) -> Result<Page<CourseRow>, DbError> {
    let select = page.query(SELECT_OF_UNIVERSITY).bind("university_id", university_id).bind("viewer_id", viewer);
    let [rows] = store.batch([select]).await?;
    Ok(Page::new(rows.all()?, page, |row: &CourseRow| row.id.get()))
}

/// Lists the courses that the viewer may see.
///
/// # Errors
/// [`DbError`].
pub async fn list(store: &Store, viewer: Viewer, page: PageRequest) -> Result<Page<CourseRow>, DbError> {
    let select = match viewer {
        Viewer::Anonymous => page.query(SELECT_PUBLIC),
        Viewer::User(user_id) => page.query(SELECT_FOR_USER).bind("viewer_id", user_id),
        Viewer::PlatformAdmin(user_id) => page.query(SELECT_ALL).bind("viewer_id", user_id),
    };
    let [rows] = store.batch([select]).await?;
    Ok(Page::new(rows.all()?, page, |row: &CourseRow| row.id.get()))
}
