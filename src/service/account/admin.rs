//! Administration of users by administrators of the platform. Database round trips: 1 each, after the caller's.

use crate::domain::ids::UserId;
use crate::domain::problem::{Code, Problem};
use crate::service::account::delete::SOLE_ADMINISTRATOR;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::account::admin;
use crate::store::account::admin::{UserChange, UserChangeOutcome, UserDetail, UserFilter};
use crate::store::account::erasure;
use crate::store::account::erasure::{ErasedBy, ErasureOutcome};
use crate::store::account::users::UserRow;
use crate::store::audit::list::{self, AdminEventRow, EventFilter};
use crate::store::page::{Page, PageRequest};
use crate::store::session;
use crate::store::session::SessionRow;

/// Lists users in the order of their registration.
///
/// # Errors
/// [`Error`].
pub async fn users(ctx: &Context<'_>, filter: &UserFilter, page: PageRequest) -> Result<Page<UserRow>, Error> {
    Ok(admin::users(ctx.store, filter, page).await?)
}

/// One user with their roles.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn user(ctx: &Context<'_>, id: UserId) -> Result<UserDetail, Error> {
    admin::user(ctx.store, id).await?.ok_or(Code::NotFound.into())
}

/// Changes a user. Disabling ends all their sessions.
///
/// # Errors
/// `NOT_FOUND`; `CONFLICT` for the last administrator of something; [`Error`] otherwise.
pub async fn change(ctx: &Context<'_>, caller: &Caller, id: UserId, change: &UserChange) -> Result<UserRow, Error> {
    let actor = caller.user.id;
    let user = match admin::change(ctx.store, id, change, actor, ctx.request).await? {
        UserChangeOutcome::Changed(user) => user,
        UserChangeOutcome::LastAdministrator => return Err(Error::Refused(Problem::conflict(SOLE_ADMINISTRATOR))),
        UserChangeOutcome::Missing => return Err(Code::NotFound.into()),
    };
    let (user_id, actor_id, is_active) = (id.get(), actor.get(), user.is_active);
    tracing::info!(target: "app.admin", user_id, actor_id, is_active, "User changed");
    Ok(user)
}

/// Ends all sessions of a user; returns their number.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn end_sessions(ctx: &Context<'_>, caller: &Caller, id: UserId) -> Result<usize, Error> {
    let ended = admin::end_sessions(ctx.store, id, caller.user.id, ctx.request).await?;
    let sessions_ended = ended.ok_or(Code::NotFound)?;
    let (user_id, actor_id) = (id.get(), caller.user.id.get());
    tracing::info!(target: "app.admin", user_id, actor_id, sessions_ended, "User signed out everywhere");
    Ok(sessions_ended)
}

/// Resets the throttle of a user: failures and waits, of sign-ins and of re-authentication. Known networks stay known.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn unlock(ctx: &Context<'_>, caller: &Caller, id: UserId) -> Result<(), Error> {
    let actor = caller.user.id;
    if !admin::unlock(ctx.store, id, actor, ctx.request).await? {
        return Err(Code::NotFound.into());
    }
    tracing::info!(target: "app.admin", user_id = id.get(), actor_id = actor.get(), "User unlocked");
    Ok(())
}

/// Erases a user's account and everything personal.
///
/// # Errors
/// `NOT_FOUND`; `CONFLICT` for the last administrator of something; [`Error`] otherwise.
pub async fn erase(ctx: &Context<'_>, caller: &Caller, id: UserId) -> Result<(), Error> {
    let actor = caller.user.id;
    match erasure::erase(ctx.store, id, ErasedBy::Administrator(actor), ctx.request).await? {
        ErasureOutcome::Erased => {}
        ErasureOutcome::SoleAdministrator => return Err(Error::Refused(Problem::conflict(SOLE_ADMINISTRATOR))),
        ErasureOutcome::Nothing => return Err(Code::NotFound.into()),
    }
    tracing::info!(target: "app.admin", user_id = id.get(), actor_id = actor.get(), "User deleted");
    Ok(())
}

/// The live sessions of a user.
///
/// # Errors
/// `NOT_FOUND`; [`Error`] otherwise.
pub async fn sessions(ctx: &Context<'_>, id: UserId) -> Result<Vec<SessionRow>, Error> {
    session::live_of(ctx.store, id, ctx.now()).await?.ok_or(Code::NotFound.into())
}

/// Audit events, newest first.
///
/// # Errors
/// [`Error`].
pub async fn events(ctx: &Context<'_>, filter: &EventFilter, page: PageRequest) -> Result<Page<AdminEventRow>, Error> {
    Ok(list::events(ctx.store, filter, page).await?)
}
