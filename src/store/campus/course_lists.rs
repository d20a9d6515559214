//! Lists of the courses that a viewer may see, a page at a time.

use crate::domain::ids::UniversityId;
use crate::ports::Statement;
use crate::store::authz::grants::{caller_is_platform_admin, caller_sees_university};
use crate::store::authz::viewer::{Viewer, caller_id, role_counts};
use crate::store::campus::courses::{CourseRow, course_columns, is_enrolled};
use crate::store::page::{Page, PageRequest, merged};
use crate::store::read::Read;

/// A list of courses with the viewer's enrolments. Columns without a table's name are those of `courses`.
macro_rules! select_courses {
    ($rest:literal $(, $guard:expr)?) => {
        concat!(
            "SELECT ",
            course_columns!(),
            ", ",
            is_enrolled!(),
            " FROM courses ",
            $rest,
            " ORDER BY id LIMIT :limit",
            $(" * ", $guard)?
        )
    };
}

const SELECT_OF_UNIVERSITY: &str =
    select_courses!("WHERE university_id = :university_id AND id > :after", caller_sees_university!());

const SELECT_PUBLIC: &str = concat!(
    "SELECT ",
    course_columns!(),
    ", 0 AS enrolled FROM courses WHERE is_public = 1 AND id > :after ORDER BY id LIMIT :limit"
);

/// The union of two pages, each from its own index: public courses, and those of the viewer's universities.
const SELECT_FOR_USER: &str = concat!(
    merged!(
        rows: "courses WHERE university_id",
        places: concat!(
            "SELECT DISTINCT coalesce(university_id, 0) AS place FROM user_university_roles WHERE user_id = ",
            caller_id!(),
            " AND ",
            role_counts!("role")
        )
    ),
    select_courses!(
        "WHERE id IN (
             SELECT id FROM (SELECT id FROM courses WHERE is_public = 1 AND id > :after ORDER BY id LIMIT :limit)
             UNION
             SELECT id FROM merged WHERE id IS NOT NULL
         )",
        concat!("(NOT ", caller_is_platform_admin!(), ")")
    )
);

const SELECT_ALL: &str = select_courses!("WHERE id > :after", caller_is_platform_admin!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[SELECT_OF_UNIVERSITY, SELECT_PUBLIC, SELECT_FOR_USER, SELECT_ALL];

/// Lists the courses of a university. The page is empty unless the viewer may see the university.
#[must_use]
pub fn of_university(university_id: UniversityId, viewer: &Viewer, page: PageRequest) -> Read<Page<CourseRow>> {
    let select = page.query(SELECT_OF_UNIVERSITY).bind("university_id", university_id);
    read(viewer.bind(select), page)
}

/// Lists the public courses.
#[must_use]
pub fn public(page: PageRequest) -> Read<Page<CourseRow>> {
    read(page.query(SELECT_PUBLIC), page)
}

/// Two lists of courses. The viewer's roles decide which of them the viewer may see.
pub struct CoursePages {
    /// The courses of all universities. Empty unless the viewer administers the platform.
    pub all: Page<CourseRow>,
    /// The public courses, and those of the universities in which the viewer has a role. Empty if the other list is not.
    pub visible: Page<CourseRow>,
}

/// Lists courses for a user.
#[must_use]
pub fn for_user(viewer: &Viewer, page: PageRequest) -> Read<CoursePages> {
    let list = |sql| read(viewer.bind(page.query(sql)), page);
    list(SELECT_ALL).and(list(SELECT_FOR_USER)).map(|(all, visible)| CoursePages { all, visible })
}

fn read(select: Statement, page: PageRequest) -> Read<Page<CourseRow>> {
    Read::of(select, move |rows| Ok(Page::new(rows.all()?, page, |row: &CourseRow| row.id.get())))
}
