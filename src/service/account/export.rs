//! All that is stored about a user, for the user. Database round trips: 1, after the caller's.

use crate::domain::ids::EventId;
use crate::service::authz::caller::Caller;
use crate::service::{Context, Error};
use crate::store::account::export;
use crate::store::account::export::{EventRow, OwnEnrollmentRow, PAGE, StoredSessionRow};

/// One page of what is stored about a user. No secrets: no hash; of tokens, only ids are stored, and the times of
/// their sessions say the rest.
pub struct Export {
    /// Sessions that are still on file, on the first page.
    pub sessions: Vec<StoredSessionRow>,
    /// What they take, on the first page.
    pub enrollments: Vec<OwnEnrollmentRow>,
    /// Audit events, newest first.
    pub events: Vec<EventRow>,
    /// The next page begins below this event; none if this was the last.
    pub next: Option<EventId>,
}

/// Exports one page: from the newest event, or from where the last page ended.
///
/// # Errors
/// [`Error`].
pub async fn export(ctx: &Context<'_>, caller: &Caller, before: Option<EventId>) -> Result<Export, Error> {
    let page = export::page(ctx.store, caller.user.id, before, ctx.request).await?;
    let mut events = page.events;
    let has_more = events.len() > PAGE;
    events.truncate(PAGE);
    let next = events.last().map(|event| event.id).filter(|_| has_more);
    tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Data exported");
    Ok(Export { sessions: page.sessions, enrollments: page.enrollments, events, next })
}
