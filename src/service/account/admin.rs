//! Administration of users by administrators of the platform. Database round trips after the caller's: 1 for a
//! change, none for a read.

use crate::domain::authz::step_up::Act;
use crate::domain::ids::UserId;
use crate::domain::mail::letter::Kind;
use crate::domain::problem::{Code, Problem};
use crate::service::account::delete::SOLE_ADMINISTRATOR;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{Demanded, Proof, demand};
use crate::service::mail::outbox;
use crate::service::{Context, Error};
use crate::store::account::admin;
use crate::store::account::admin::{UserChange, UserChangeOutcome, UserDetail};
use crate::store::account::erasure;
use crate::store::account::erasure::{ErasedBy, ErasureOutcome};
use crate::store::account::list as user_list;
use crate::store::account::list::UserFilter;
use crate::store::account::users::UserRow;
use crate::store::audit::list::{self, EventFilter, EventPage};
use crate::store::authz::viewer::Viewer;
use crate::store::outcome::ActOutcome;
use crate::store::page::{Page, PageRequest};
use crate::store::session;
use crate::store::session::SessionRow;

/// Lists users in the order of their registration.
#[must_use]
pub fn users(viewer: &Viewer, filter: &UserFilter, page: PageRequest) -> Reading<Page<UserRow>> {
    user_list::users(filter, viewer, page).into()
}

/// One user with their roles.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn user(viewer: &Viewer, id: UserId) -> Reading<UserDetail> {
    Reading::then(admin::user(id, viewer), |user| user.ok_or_else(|| Code::NotFound.into()))
}

/// Changes a user. Disabling ends all their sessions. Disabling an administrator, and vouching for an address, need a
/// recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `FORBIDDEN` if the caller lost the role concurrently; `CONFLICT` for the last administrator of
/// something; [`Error`] otherwise.
pub async fn change(
    ctx: &Context<'_>,
    caller: &Caller,
    id: UserId,
    change: &UserChange,
    proof: Proof<'_>,
) -> Result<UserRow, Error> {
    // The stricter one, if it is both.
    let act = match (change.proves_address, change.is_active) {
        (true, _) => Some(Act::VerifyAddress),
        (false, Some(false)) => Some(Act::DisableUser),
        (false, Some(true) | None) => None,
    };
    let demanded = match act {
        Some(act) => Some(demand(ctx, caller, act, proof).await?),
        None => None,
    };
    let store = demanded.as_ref().map_or(ctx.store, Demanded::store);
    let actor = caller.user.id;
    let user = match admin::change(store, id, change, actor, ctx.request).await? {
        UserChangeOutcome::Changed(user) => user,
        UserChangeOutcome::LastAdministrator => return Err(Problem::conflict(SOLE_ADMINISTRATOR).into()),
        UserChangeOutcome::Missing => return Err(Code::NotFound.into()),
        UserChangeOutcome::ActorNotAllowed => return Err(Code::Forbidden.into()),
    };
    let (user_id, actor_id, is_active) = (id.get(), actor.get(), user.is_active);
    tracing::info!(target: "app.admin", user_id, actor_id, is_active, "User changed");
    Ok(user)
}

/// Ends all sessions of a user; returns their number. Those of another administrator need a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `FORBIDDEN` if the caller lost the role concurrently; [`Error`] otherwise.
pub async fn end_sessions(ctx: &Context<'_>, caller: &Caller, id: UserId, proof: Proof<'_>) -> Result<usize, Error> {
    let demanded = demand(ctx, caller, Act::EndSessions { is_own: id == caller.user.id }, proof).await?;
    let sessions_ended = done(admin::end_sessions(demanded.store(), id, caller.user.id, ctx.request).await?)?;
    let (user_id, actor_id) = (id.get(), caller.user.id.get());
    tracing::info!(target: "app.admin", user_id, actor_id, sessions_ended, "User signed out everywhere");
    Ok(sessions_ended)
}

/// Resets the throttle of a user's sign-ins: failures and waits. Known networks stay known, and the counter of
/// re-authentication stays.
///
/// # Errors
/// `NOT_FOUND`; `FORBIDDEN` if the caller lost the role concurrently; [`Error`] otherwise.
pub async fn unlock(ctx: &Context<'_>, caller: &Caller, id: UserId) -> Result<(), Error> {
    let actor = caller.user.id;
    done(admin::unlock(ctx.store, id, actor, ctx.request).await?)?;
    tracing::info!(target: "app.admin", user_id = id.get(), actor_id = actor.get(), "User unlocked");
    Ok(())
}

fn done<T>(outcome: ActOutcome<T>) -> Result<T, Error> {
    match outcome {
        ActOutcome::Done(result) => Ok(result),
        ActOutcome::Missing => Err(Code::NotFound.into()),
        ActOutcome::ActorNotAllowed => Err(Code::Forbidden.into()),
    }
}

/// Erases a user's account and everything personal. Needs a recent sign-in.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_INVALID_CREDENTIALS`; `NOT_FOUND`; `FORBIDDEN` if the caller lost the role concurrently; `CONFLICT` for the last administrator of
/// something; [`Error`] otherwise.
pub async fn erase(ctx: &Context<'_>, caller: &Caller, id: UserId, proof: Proof<'_>) -> Result<(), Error> {
    let demanded = demand(ctx, caller, Act::EraseUser, proof).await?;
    let actor = caller.user.id;
    let notice = outbox::notice(ctx, Kind::AccountErased)?;
    match erasure::erase(demanded.store(), id, ErasedBy::Administrator(actor), notice, ctx.request).await? {
        ErasureOutcome::Erased(mail) => outbox::send_behind_response(ctx, mail),
        ErasureOutcome::SoleAdministrator => return Err(Problem::conflict(SOLE_ADMINISTRATOR).into()),
        ErasureOutcome::Nothing => return Err(Code::NotFound.into()),
        ErasureOutcome::ActorNotAllowed => return Err(Code::Forbidden.into()),
    }
    tracing::info!(target: "app.admin", user_id = id.get(), actor_id = actor.get(), "User deleted");
    Ok(())
}

/// The live sessions of a user.
///
/// # Errors
/// `NOT_FOUND`.
#[must_use]
pub fn sessions(ctx: &Context<'_>, subject: Subject, id: UserId) -> Reading<Vec<SessionRow>> {
    let read = session::live_of(id, &subject.viewer(ctx.settings), ctx.now());
    Reading::then(read, |sessions| sessions.ok_or_else(|| Code::NotFound.into()))
}

/// Audit events, newest first, and the archive of older ones.
#[must_use]
pub fn events(viewer: &Viewer, filter: &EventFilter, page: PageRequest) -> Reading<EventPage> {
    list::events(filter, viewer, page).into()
}
