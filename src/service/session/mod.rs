//! A user's sessions: listing them, ending one, ending all. Database round trips after the caller's: 1;
//! listing none.

pub mod code_sign_in;
pub mod refresh;
pub mod sign_in;
pub mod sign_out;
pub mod tokens;

use crate::domain::ids::SessionId;
use crate::domain::problem::Code;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::{Context, Error};
use crate::store::session;
use crate::store::session::SessionRow;

/// Lists the caller's usable sessions, newest first.
#[must_use]
pub fn list(ctx: &Context<'_>, subject: Subject) -> Reading<Vec<SessionRow>> {
    session::live(subject.user_id, Some(subject.session_id), ctx.now()).into()
}

/// Ends one of the caller's sessions, possibly the current one.
///
/// # Errors
/// `NOT_FOUND` if the caller has no such live session, even if another user has; [`Error`] otherwise.
pub async fn end(ctx: &Context<'_>, caller: &Caller, session_id: SessionId) -> Result<(), Error> {
    let user_id = caller.user.id;
    if !session::end_one(ctx.store, user_id, session_id, ctx.request).await? {
        return Err(Code::NotFound.into());
    }
    tracing::info!(target: "app.auth", user_id = user_id.get(), session_id = session_id.get(), "Session ended");
    Ok(())
}

/// Ends every session of the caller, including the current one; returns their number.
///
/// # Errors
/// [`Error`].
pub async fn end_all(ctx: &Context<'_>, caller: &Caller) -> Result<usize, Error> {
    let user_id = caller.user.id;
    let sessions_ended = session::end_all(ctx.store, user_id, caller.credential.session_id(), ctx.request).await?;
    tracing::info!(target: "app.auth", user_id = user_id.get(), sessions_ended, "Signed out everywhere");
    Ok(sessions_ended)
}
