//! The deletion of a course with its enrolments, in bounded steps.

use crate::domain::audit::EventType;
use crate::domain::ids::UserId;
use crate::ports::{DbError, Rows};
use crate::store::audit::{Event, RequestInfo, is_done, record_if_changed, recorded};
use crate::store::campus::courses::{CourseLocation, in_place, present};
use crate::store::{IdRow, Store};

/// The outcome of one step of the deletion of a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CourseDeletionOutcome {
    /// The course and all its enrolments are deleted.
    Removed,
    /// The course is unpublished and a thousand enrolments are deleted; more remain.
    HasMore,
    /// The course was moved to another department concurrently.
    Moved,
    /// There was no such course.
    Missing,
}

/// Ends new enrolments before the existing ones are deleted. A deletion that stops between its steps has this event.
const UNPUBLISH: &str = concat!("UPDATE courses SET is_public = 0 WHERE is_public = 1 AND ", in_place!());

/// One statement deletes at most a thousand enrolments, so that it does not block the database.
const DELETE_ENROLLMENTS: &str = concat!(
    "DELETE FROM enrollments WHERE id IN (
         SELECT e.id FROM (SELECT id FROM courses WHERE ",
    in_place!(),
    ") AS c JOIN enrollments AS e ON e.course_id = c.id LIMIT 1000
     )"
);

const DELETE: &str = concat!(
    "DELETE FROM courses WHERE ",
    in_place!(),
    " AND NOT EXISTS (SELECT 1 FROM enrollments WHERE course_id = :course_id)
     RETURNING id"
);

const SELECT_IN_PLACE: &str = concat!("SELECT id FROM courses WHERE ", in_place!());

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[UNPUBLISH, DELETE_ENROLLMENTS, DELETE, SELECT_IN_PLACE];

/// One step of the deletion of a course: unpublishes it and deletes a thousand of its enrolments, then the course if
/// none remain, and then an event.
///
/// # Errors
/// [`DbError`].
pub async fn delete(
    store: &Store,
    place: CourseLocation,
    actor: UserId,
    request: RequestInfo<'_>,
) -> Result<CourseDeletionOutcome, DbError> {
    let event = |event_type| Event::of(event_type, None).by(actor).at(place.university_id).about(place.id.get());
    let [_, _, _, deleted, _, recorded, present, in_place] = store
        .batch([
            place.query(UNPUBLISH),
            record_if_changed(request, event(EventType::CourseChanged)),
            place.query(DELETE_ENROLLMENTS),
            place.query(DELETE),
            record_if_changed(request, event(EventType::CourseDeleted)),
            recorded(request, EventType::CourseDeleted),
            present(place.id),
            place.query(SELECT_IN_PLACE),
        ])
        .await?;
    let is_there = |rows: &Rows| Ok::<_, DbError>(!rows.all::<IdRow>()?.is_empty());
    Ok(match (is_done(&deleted, &recorded)?, is_there(&present)?, is_there(&in_place)?) {
        (true, ..) => CourseDeletionOutcome::Removed,
        (false, true, true) => CourseDeletionOutcome::HasMore,
        (false, true, false) => CourseDeletionOutcome::Moved,
        (false, false, _) => CourseDeletionOutcome::Missing,
    })
}
