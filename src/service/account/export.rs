//! The export of a user's data, for the user. Database round trips: none, after the caller's.

use crate::service::Context;
use crate::service::authz::admission::Reading;
use crate::service::authz::caller::{Caller, Subject};
use crate::store::account::export::{self, ExportCursor, ExportPage};

/// Exports one page: the first, or the one at `cursor`. It contains no secrets: no password hash, and no tokens beside
/// their sessions.
#[must_use]
pub fn export(ctx: &Context<'_>, subject: Subject, cursor: Option<ExportCursor>) -> Reading<(Caller, ExportPage)> {
    let read = export::page(subject.user_id, subject.session_id, cursor, ctx.request);
    Reading::for_caller(read, |caller, page| {
        tracing::info!(target: "app.auth", user_id = caller.user.id.get(), "Data exported");
        Ok((caller.clone(), page))
    })
}
