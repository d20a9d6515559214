//! A user's sessions: listing them, ending one, ending all. Database round trips: 1 each, after the caller's.

pub mod refresh;
pub mod sign_in;
pub mod sign_out;
pub(in crate::service) mod tokens;

use crate::domain::ids::SessionId;
use crate::domain::problem::Code;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::session;
use crate::store::session::SessionRow;

/// The caller's sessions that can still be used, newest first.
///
/// # Errors
/// [`Error`].
pub async fn list(ctx: &Context<'_>, caller: &Caller) -> Result<Vec<SessionRow>, Error> {
    Ok(session::live(ctx.store, caller.user.id, caller.credential.session_id(), ctx.now()).await?)
}

/// Ends one of the caller's sessions; it may be the one that asks.
///
/// # Errors
/// `NOT_FOUND` when the caller has no such live session, whoever else has; [`Error`] otherwise.
pub async fn end(ctx: &Context<'_>, caller: &Caller, session_id: SessionId) -> Result<(), Error> {
    let user_id = caller.user.id;
    if !session::end_one(ctx.store, user_id, session_id, ctx.request).await? {
        return Err(Code::NotFound.into());
    }
    tracing::info!(target: "app.auth", user_id = user_id.get(), session_id = session_id.get(), "Session ended");
    Ok(())
}

/// Ends every session of the caller, the one that asks included; says how many there were.
///
/// # Errors
/// [`Error`].
pub async fn end_all(ctx: &Context<'_>, caller: &Caller) -> Result<usize, Error> {
    let user_id = caller.user.id;
    let sessions_ended = session::end_all(ctx.store, user_id, caller.credential.session_id(), ctx.request).await?;
    tracing::info!(target: "app.auth", user_id = user_id.get(), sessions_ended, "Signed out everywhere");
    Ok(sessions_ended)
}
