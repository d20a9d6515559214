//! Courses and enrolments. Database round trips after the caller's: 1 for a change, unless its
//! function says otherwise; none for a read.

use crate::domain::authz::{Permission, Resource};
use crate::domain::campus::policy::CampusPermission::{ManageCourses, ViewCourse, ViewEnrollments};
use crate::domain::ids::{CourseId, DepartmentId, EnrollmentId, UniversityId, UserId};
use crate::domain::limits::storage::Growth;
use crate::domain::problem::{Code, Problem};
use crate::domain::tenant::label::Label;
use crate::service::authz::admission::{Reading, demand_permission};
use crate::service::authz::caller::{Caller, UNPUBLISHED};
use crate::service::authz::roles::no_such_department;
use crate::service::{Context, Error};
use crate::store::authz::resources::ResourceRow;
use crate::store::authz::viewer::Viewer;
use crate::store::campus::course_deletion::{self, CourseDeletionOutcome};
use crate::store::campus::course_lists;
use crate::store::campus::courses;
use crate::store::campus::courses::{CourseChange, CourseLocation, CourseOutcome, CourseRow, NewCourse};
use crate::store::campus::enrollments;
use crate::store::campus::enrollments::{EnrollmentOutcome, EnrollmentRow, ParticipantRow};
use crate::store::page::{Page, PageRequest};

const MOVED: Problem = Problem::conflict("Course was moved meanwhile: repeat the request");
/// Steps of a deletion per request: each deletes at most a thousand enrolments.
const DELETION_STEPS: u32 = 20;

/// A course to be added.
pub struct CreateCourse {
    /// The title that people read.
    pub title: Label,
    /// Unique within the university.
    pub code: Label,
    /// The department, if the course belongs to one.
    pub department_id: Option<DepartmentId>,
    /// Whether any user may see the course, and students may enrol.
    pub is_public: bool,
}

/// Adds a course.
///
/// # Errors
/// `FORBIDDEN`; `CONFLICT` when the code is taken; `VALIDATION_ERROR` for a department that the university does not
/// have; [`Error`] otherwise.
pub async fn create(
    ctx: &Context<'_>,
    caller: &Caller,
    university_id: UniversityId,
    command: &CreateCourse,
) -> Result<CourseRow, Error> {
    let resource = Resource::within(university_id, command.department_id);
    demand_permission(ctx, caller, Permission::Campus(ManageCourses), &resource).await?;
    let CreateCourse { title, code, department_id, is_public } = command;
    let new = NewCourse { university_id, department_id: *department_id, title, code, is_public: *is_public };
    saved(courses::create(ctx.store, &new, caller.user.id, ctx.request).await?)
}

fn saved(outcome: CourseOutcome) -> Result<CourseRow, Error> {
    match outcome {
        CourseOutcome::Saved(row) => Ok(row),
        CourseOutcome::CodeTaken => Err(Problem::conflict("University has a course with that code").into()),
        CourseOutcome::NoSuchDepartment => Err(no_such_department()),
        CourseOutcome::NoSuchUniversity | CourseOutcome::NoSuchCourse => Err(Code::NotFound.into()),
        CourseOutcome::Moved => Err(MOVED.into()),
    }
}

/// Lists the courses of a university.
#[must_use]
pub fn of_university(viewer: &Viewer, university_id: UniversityId, page: PageRequest) -> Reading<Page<CourseRow>> {
    course_lists::of_university(university_id, viewer, page).into()
}

/// Lists the courses that the viewer may see: the public ones, and those of the viewer's universities.
///
/// # Errors
/// `FORBIDDEN` for a key without `courses:view`. The route takes it as none.
#[must_use]
pub fn list(viewer: Option<&Viewer>, page: PageRequest) -> Reading<Page<CourseRow>> {
    let Some(viewer) = viewer else {
        return course_lists::public(page).into();
    };
    Reading::for_caller(course_lists::for_user(viewer, page), |caller, pages| {
        caller.demand_of_key(Permission::Campus(ViewCourse))?;
        Ok(if caller.administers_platform() { pages.all } else { pages.visible })
    })
}

/// Finds a course that is public or belongs to one of the viewer's universities.
///
/// # Errors
/// `NOT_FOUND`; `FORBIDDEN` as in [`list`].
#[must_use]
pub fn find(viewer: Option<&Viewer>, id: CourseId) -> Reading<CourseRow> {
    Reading::for_viewer(courses::find(id, viewer), |caller, course| {
        if let Some(caller) = caller {
            caller.demand_of_key(Permission::Campus(ViewCourse))?;
        }
        let course = course.ok_or(Code::NotFound)?;
        let is_seen = match caller {
            Some(caller) => caller.may(Permission::Campus(ViewCourse), &course.resource()).is_ok(),
            None => course.is_public,
        };
        if is_seen { Ok(course) } else { Err(Code::NotFound.into()) }
    })
}

/// Changes a course. To move it, the caller must also be allowed to manage courses in the new department.
///
/// # Errors
/// As [`create`]; `NOT_FOUND`; `CONFLICT` when the course was moved concurrently.
pub async fn update(
    ctx: &Context<'_>,
    caller: &Caller,
    id: CourseId,
    found: ResourceRow,
    change: &CourseChange,
) -> Result<CourseRow, Error> {
    if let Some(department_id) = change.department_id {
        let resource = Resource::within(found.university_id, department_id);
        demand_permission(ctx, caller, Permission::Campus(ManageCourses), &resource).await?;
    }
    saved(courses::update(ctx.store, place(id, found), change, caller.user.id, ctx.request).await?)
}

const fn place(id: CourseId, found: ResourceRow) -> CourseLocation {
    CourseLocation { id, university_id: found.university_id, department_id: found.department_id }
}

/// Deletes a course with its enrolments. Database round trips: 1 per thousand enrolments.
///
/// # Errors
/// `CONFLICT` when the course was moved concurrently, or has more enrolments than one request may delete: then it is
/// unpublished, and a repeated request continues; `NOT_FOUND`; [`Error`] otherwise.
pub async fn delete(ctx: &Context<'_>, caller: &Caller, id: CourseId, found: ResourceRow) -> Result<(), Error> {
    for _ in 0..DELETION_STEPS {
        match course_deletion::delete(ctx.store, place(id, found), caller.user.id, ctx.request).await? {
            CourseDeletionOutcome::Removed => return Ok(()),
            CourseDeletionOutcome::HasMore => {}
            CourseDeletionOutcome::Moved => return Err(MOVED.into()),
            CourseDeletionOutcome::Missing => return Err(Code::NotFound.into()),
        }
    }
    Err(Problem::conflict("Course still has enrollments: repeat the request").into())
}

/// Enrols the caller.
///
/// # Errors
/// `CONFLICT` when the caller is enrolled already; `FORBIDDEN` or `NOT_FOUND` when the course was unpublished or deleted
/// concurrently; [`Error`] otherwise.
pub async fn enroll(ctx: &Context<'_>, user_id: UserId, id: CourseId) -> Result<EnrollmentRow, Error> {
    ctx.admit_growth(Growth::Enrollment)?;
    match enrollments::create(ctx.store, id, user_id, ctx.request).await? {
        EnrollmentOutcome::Enrolled(row) => Ok(row),
        EnrollmentOutcome::Already => Err(Problem::conflict("Already enrolled").into()),
        EnrollmentOutcome::Unpublished => Err(UNPUBLISHED.into()),
        EnrollmentOutcome::NoSuchCourse => Err(Code::NotFound.into()),
        EnrollmentOutcome::NoSuchUser => Err(Code::TokenRevoked.into()),
    }
}

/// Lists the participants of a course.
#[must_use]
pub fn participants(viewer: &Viewer, id: CourseId, page: PageRequest) -> Reading<Page<ParticipantRow>> {
    let roles = Permission::Campus(ViewEnrollments).roles();
    enrollments::of_course(id, viewer, roles, page).into()
}

/// Finds an enrolment.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn enrollment(id: EnrollmentId) -> Reading<EnrollmentRow> {
    Reading::then(enrollments::find(id), |row| row.ok_or_else(|| Code::NotFound.into()))
}

/// Ends an enrolment.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn end_enrollment(ctx: &Context<'_>, caller: &Caller, id: EnrollmentId) -> Result<(), Error> {
    let is_ended = enrollments::delete(ctx.store, id, caller.user.id, ctx.request).await?;
    if is_ended { Ok(()) } else { Err(Code::NotFound.into()) }
}
