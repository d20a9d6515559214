//! Universities and their departments. Database round trips after the caller's: 1 for a change, none for a
//! read.

use crate::domain::authz::Permission;
use crate::domain::ids::{DepartmentId, UniversityId};
use crate::domain::problem::{Code, Problem};
use crate::domain::tenant::label::{Label, Slug};
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::authz::viewer::Viewer;
use crate::store::outcome::DeletionOutcome;
use crate::store::page::{Page, PageRequest};
use crate::store::tenant::departments;
use crate::store::tenant::departments::{CreationOutcome, DepartmentRow};
use crate::store::tenant::universities;
use crate::store::tenant::universities::UniversityRow;

const SLUG_TAKEN: Problem = Problem::conflict("Slug is already taken");

/// A university to be added.
pub struct NewUniversity {
    /// The name for people.
    pub name: Label,
    /// The unique name for URLs.
    pub slug: Slug,
}

/// A change of a university. A field that is `None` keeps its value.
pub struct UniversityChange {
    /// The new name; `None` keeps the old one.
    pub name: Option<Label>,
    /// The new slug; `None` keeps the old one.
    pub slug: Option<Slug>,
}

/// Adds a university.
///
/// # Errors
/// `CONFLICT` when the slug is taken; [`Error`] otherwise.
pub async fn create(ctx: &Context<'_>, caller: &Caller, new: &NewUniversity) -> Result<UniversityRow, Error> {
    let row = universities::create(ctx.store, &new.name, &new.slug, caller.user.id, ctx.request).await?;
    row.ok_or_else(|| SLUG_TAKEN.into())
}

/// Lists the universities in which the caller has a role; all of them for an administrator of the platform.
///
/// # Errors
/// `FORBIDDEN` for a key without `universities:view`.
#[must_use]
pub fn list(viewer: &Viewer, page: PageRequest) -> Reading<Page<UniversityRow>> {
    Reading::for_caller(universities::list(viewer, page), |caller, pages| {
        caller.demand_of_key(Permission::ViewUniversity)?;
        Ok(if caller.administers_platform() { pages.all } else { pages.own })
    })
}

/// Finds a university.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn find(id: UniversityId) -> Reading<UniversityRow> {
    Reading::then(universities::find(id), |row| row.ok_or_else(|| Code::NotFound.into()))
}

/// Changes a university.
///
/// # Errors
/// `CONFLICT` when the slug is taken; `NOT_FOUND`; [`Error`] otherwise.
pub async fn update(
    ctx: &Context<'_>,
    caller: &Caller,
    id: UniversityId,
    change: &UniversityChange,
) -> Result<UniversityRow, Error> {
    let (name, slug) = (change.name.as_ref(), change.slug.as_ref());
    match universities::update(ctx.store, id, name, slug, caller.user.id, ctx.request).await {
        Err(error) if error.violated_constraint() == Some("universities.slug") => Err(SLUG_TAKEN.into()),
        other => other?.ok_or_else(|| Code::NotFound.into()),
    }
}

/// Deletes a university, with its roles.
///
/// # Errors
/// `CONFLICT` while the university has departments or courses, or more roles than one statement may delete;
/// `NOT_FOUND` when it was deleted concurrently; [`Error`] otherwise.
pub async fn delete(ctx: &Context<'_>, caller: &Caller, id: UniversityId) -> Result<(), Error> {
    let in_use = "University still has departments, courses or more than 1000 roles";
    match universities::delete(ctx.store, id, caller.user.id, ctx.request).await? {
        DeletionOutcome::Deleted => Ok(()),
        DeletionOutcome::InUse => Err(Problem::conflict(in_use).into()),
        DeletionOutcome::Missing => Err(Code::NotFound.into()),
    }
}

/// Adds a department.
///
/// # Errors
/// `CONFLICT` when the university has a department of that name; `NOT_FOUND` when the university was deleted
/// concurrently; [`Error`] otherwise.
pub async fn create_department(
    ctx: &Context<'_>,
    caller: &Caller,
    university_id: UniversityId,
    name: &Label,
) -> Result<DepartmentRow, Error> {
    match departments::create(ctx.store, university_id, name, caller.user.id, ctx.request).await? {
        CreationOutcome::Created(row) => Ok(row),
        CreationOutcome::NameTaken => Err(Problem::conflict("University has a department of that name").into()),
        CreationOutcome::NoSuchUniversity => Err(Code::NotFound.into()),
    }
}

/// Lists the departments of a university.
#[must_use]
pub fn departments(viewer: &Viewer, university_id: UniversityId, page: PageRequest) -> Reading<Page<DepartmentRow>> {
    departments::list(university_id, viewer, page).into()
}

/// Deletes a department.
///
/// # Errors
/// `CONFLICT` while the department has courses or roles; `NOT_FOUND`; [`Error`] otherwise.
pub async fn delete_department(
    ctx: &Context<'_>,
    caller: &Caller,
    university_id: UniversityId,
    id: DepartmentId,
) -> Result<(), Error> {
    match departments::delete(ctx.store, university_id, id, caller.user.id, ctx.request).await? {
        DeletionOutcome::Deleted => Ok(()),
        DeletionOutcome::InUse => Err(Problem::conflict("Department still has courses or roles").into()),
        DeletionOutcome::Missing => Err(Code::NotFound.into()),
    }
}
