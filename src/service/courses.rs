//! Courses and who takes them. Database round trips: 1 each, after the caller's.

use super::caller::Caller;
use super::roles::no_such_department;
use super::{Context, Error};
use crate::domain::ids::{CourseId, EnrollmentId, UniversityId, UserId};
use crate::domain::label::Label;
use crate::domain::problem::{Code, Problem};
use crate::domain::rbac::{Permission, Resource};
use crate::store::courses::{self, CourseChange, CourseRow, NewCourse, Saving, Viewer};
use crate::store::departments::Deletion;
use crate::store::enrollments::{self, Enrolling, EnrollmentRow, ParticipantRow};
use crate::store::page::{Page, PageRequest};
use crate::store::resources::ResourceRow;

/// A course to be added.
pub struct CreateCourse {
    /// What people call it.
    pub title: Label,
    /// What the university calls it.
    pub code: Label,
    /// In which department.
    pub department_id: Option<crate::domain::ids::DepartmentId>,
    /// May everybody see it, and students enrol?
    pub is_public: bool,
}

/// Adds a course.
///
/// # Errors
/// `FORBIDDEN`; `CONFLICT` when the code is taken; `VALIDATION_ERROR` for a department that the university has
/// not; [`Error`] otherwise.
pub async fn create(
    ctx: &Context<'_>,
    caller: &Caller,
    university_id: UniversityId,
    command: &CreateCourse,
) -> Result<CourseRow, Error> {
    caller.may(Permission::ManageCourses, &Resource::within(university_id, command.department_id))?;
    let CreateCourse { title, code, department_id, is_public } = command;
    let new = NewCourse { university_id, department_id: *department_id, title, code, is_public: *is_public };
    saved(courses::create(ctx.store, &new, ctx.now()).await?)
}

fn saved(saving: Saving) -> Result<CourseRow, Error> {
    match saving {
        Saving::Saved(row) => Ok(row),
        Saving::CodeTaken => Err(Error::Refused(Problem::conflict("University has a course with that code"))),
        Saving::NoSuchDepartment => Err(no_such_department()),
        Saving::NoSuchUniversity => Err(Code::NotFound.into()),
    }
}

/// The courses of a university.
///
/// # Errors
/// [`Error`].
pub async fn of_university(
    ctx: &Context<'_>,
    caller: &Caller,
    university_id: UniversityId,
    page: PageRequest,
) -> Result<Page<CourseRow>, Error> {
    Ok(courses::of_university(ctx.store, university_id, caller.user.id, page).await?)
}

/// The courses that somebody can see: the public ones, those of their universities, and those they take.
///
/// # Errors
/// [`Error`].
pub async fn list(ctx: &Context<'_>, caller: Option<&Caller>, page: PageRequest) -> Result<Page<CourseRow>, Error> {
    let viewer = match caller {
        None => Viewer::Anonymous,
        Some(caller) if caller.may(Permission::ManageUniversities, &Resource::default()).is_ok() => {
            Viewer::PlatformAdmin(caller.user.id)
        }
        Some(caller) => Viewer::User(caller.user.id),
    };
    Ok(courses::list(ctx.store, viewer, page).await?)
}

/// One course: a public one, one of the caller's universities, or one that the caller takes.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn find(ctx: &Context<'_>, caller: Option<&Caller>, id: CourseId) -> Result<CourseRow, Error> {
    let viewer = caller.map(|caller| caller.user.id);
    let course = courses::find(ctx.store, id, viewer).await?.ok_or(Code::NotFound)?;
    let resource = Resource::within(course.university_id, course.department_id);
    let is_seen = caller.is_some_and(|caller| caller.may(Permission::ViewCourse, &resource).is_ok());
    if course.is_public || course.enrolled || is_seen { Ok(course) } else { Err(Code::NotFound.into()) }
}

/// Changes a course. To move it, the caller must be allowed to manage courses where it goes, too.
///
/// # Errors
/// As [`create`]; `NOT_FOUND`.
pub async fn update(
    ctx: &Context<'_>,
    caller: &Caller,
    id: CourseId,
    found: ResourceRow,
    change: &CourseChange,
) -> Result<CourseRow, Error> {
    let university_id = found.university_id();
    if let Some(department_id) = change.department_id {
        caller.may(Permission::ManageCourses, &Resource::within(university_id, department_id))?;
    }
    let saving = courses::update(ctx.store, id, university_id, change, caller.user.id).await?;
    saved(saving.ok_or(Code::NotFound)?)
}

/// Deletes a course with its enrolments.
///
/// # Errors
/// `CONFLICT` when there are more enrolments than one statement may delete: repeat it; `NOT_FOUND`; [`Error`]
/// otherwise.
pub async fn delete(ctx: &Context<'_>, id: CourseId) -> Result<(), Error> {
    match courses::delete(ctx.store, id).await? {
        Deletion::Deleted => Ok(()),
        Deletion::InUse => Err(Error::Refused(Problem::conflict("Course still has enrollments: repeat the request"))),
        Deletion::Missing => Err(Code::NotFound.into()),
    }
}

/// Enrols the caller.
///
/// # Errors
/// `FORBIDDEN` in a course that is not public; `CONFLICT` when they take it already; [`Error`] otherwise.
pub async fn enroll(
    ctx: &Context<'_>,
    user_id: UserId,
    id: CourseId,
    found: ResourceRow,
) -> Result<EnrollmentRow, Error> {
    if !found.is_public {
        return Err(Error::Refused(Problem::forbidden("Course is not published")));
    }
    match enrollments::create(ctx.store, id, user_id, ctx.now()).await? {
        Enrolling::Enrolled(row) => Ok(row),
        Enrolling::Already => Err(Error::Refused(Problem::conflict("Already enrolled"))),
        Enrolling::NoSuchCourse => Err(Code::NotFound.into()),
    }
}

/// Who takes a course.
///
/// # Errors
/// [`Error`].
pub async fn participants(ctx: &Context<'_>, id: CourseId, page: PageRequest) -> Result<Page<ParticipantRow>, Error> {
    Ok(enrollments::of_course(ctx.store, id, page).await?)
}

/// One enrolment.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn enrollment(ctx: &Context<'_>, id: EnrollmentId) -> Result<EnrollmentRow, Error> {
    enrollments::find(ctx.store, id).await?.ok_or(Code::NotFound.into())
}

/// Ends an enrolment.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn end_enrollment(ctx: &Context<'_>, id: EnrollmentId) -> Result<(), Error> {
    if enrollments::delete(ctx.store, id).await? { Ok(()) } else { Err(Code::NotFound.into()) }
}
