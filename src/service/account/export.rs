//! The export of a user's data, for the user. Database round trips: 1, after the caller's.

use crate::domain::ids::EventId;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::account::export::{self, ExportPage};

/// Exports one page, from the newest event or below the event `before`. It contains no secrets: no password hash, and
/// no tokens beside their sessions.
///
/// # Errors
/// [`Error`].
pub async fn export(ctx: &Context<'_>, caller: &Caller, before: Option<EventId>) -> Result<ExportPage, Error> {
    let page = export::page(ctx.store, caller.user.id, before, ctx.request).await?;
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Data exported");
    Ok(page)
}
