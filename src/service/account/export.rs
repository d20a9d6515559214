//! The export of a user's data, for the user. Database round trips: 1, after the caller's.

use crate::domain::problem::Code;
use crate::service::authz::caller::{Caller, Subject};
use crate::service::authz::step_up::{OwnAccount, demand_fresh};
use crate::service::{Context, Error};
use crate::store::account::export::{self, ExportCursor, ExportPage};

/// Exports one page: the first, or the one at `cursor`. It contains no secrets: no password hash, and no tokens beside
/// their sessions. Needs a recent sign-in, because an export is all that a thief can read.
///
/// # Errors
/// `AUTH_STEP_UP_REQUIRED`; `AUTH_TOKEN_REVOKED` if the session ended concurrently; [`Error`] otherwise.
pub async fn export(
    ctx: &Context<'_>,
    caller: &Caller,
    subject: Subject,
    own: &OwnAccount,
    cursor: Option<ExportCursor>,
) -> Result<ExportPage, Error> {
    demand_fresh(ctx, caller, own).await?;
    let read = export::page(subject.user_id, subject.session_id, cursor, ctx.request);
    let page = ctx.store.run(read).await?.ok_or(Code::TokenRevoked)?;
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Data exported");
    Ok(page)
}
