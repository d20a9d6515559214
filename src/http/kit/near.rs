//! Reads at the nearest replica of the database: for which requests, from which state on, and the header by which a client
//! carries that state from its change to its next read.

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use crate::domain::replica::{Bookmark, SealedBookmark};
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::bookmark;
use crate::service::authz::caller::Subject;
use crate::service::authz::presented::Presented;
use crate::store::Guard;

/// The database that answers an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadsAt {
    /// The primary, for all callers.
    Primary,
    /// The nearest replica, for the session of a user and where reads are replicated; else the primary. A change that a
    /// replica admits is confirmed by a guard at the primary, in the batch of the change.
    Nearest,
}

/// The state of the database after a change, in its response; and in a later request the state that the client wants to
/// read at least.
pub(in crate::http) const BOOKMARK: HeaderName = HeaderName::from_static("x-edge-auth-bookmark");

/// The state that a replica must have to answer this request: the one at the issue of the token, or a later one that the
/// client names. `None` if the primary answers: keys, service accounts, and bookmarks that are none.
pub(in crate::http) async fn floor(
    reads_at: ReadsAt,
    configured: &Configured,
    presented: &Presented,
    parts: &Parts,
) -> Option<Bookmark> {
    let ctx = configured.service();
    let is_replicated = reads_at == ReadsAt::Nearest && ctx.settings.read_replication;
    let Presented::Token(_, Some(sealed)) = presented else { return None };
    if !is_replicated || !ctx.replica.is_usable(ctx.request.now) {
        return None;
    }
    let at_issue = bookmark::open(&ctx, sealed).await?;
    match parts.headers.get(BOOKMARK) {
        None => Some(at_issue),
        Some(value) => {
            let claimed = SealedBookmark::parse(value.to_str().ok()?)?;
            Some(at_issue.max(bookmark::open(&ctx, &claimed).await?))
        }
    }
}

/// Of a change within a session, once its caller is admitted, where reads are replicated. Only reads of sessions are near,
/// so no other caller needs the state of the database, and strangers do not learn it.
pub(in crate::http) fn changing(parts: &Parts) -> Option<Configured> {
    let is_change = !parts.method.is_safe() && parts.extensions.get::<Subject>().is_some();
    if !is_change {
        return None;
    }
    Configured::of(parts).ok().filter(|configured| configured.settings().read_replication)
}

/// Tells the session the state after a change.
pub(in crate::http) async fn add_bookmark(configured: &Configured, response: &mut Response) {
    if !response.status().is_success() {
        return;
    }
    if let Some(sealed) = bookmark::seal_latest(&configured.service()).await
        && let Ok(value) = HeaderValue::from_str(sealed.as_str())
    {
        response.headers_mut().insert(BOOKMARK, value);
    }
}

/// Has a replica admitted the caller of a change, which the primary has not confirmed yet?
pub(in crate::http) fn is_unsettled(parts: &Parts) -> bool {
    Configured::of(parts).is_ok_and(|configured| configured.service().store.guard().is_unsettled())
}

/// Did the operation answer before the primary confirmed the caller? Faults of the body do not depend on the caller, and a
/// primary that fails is not asked again.
pub(in crate::http) fn is_for_the_primary(answer: &Result<Response, Refusal>, guard: &Guard) -> bool {
    let is_fault = |refusal: &Refusal| matches!(refusal.status(), 408 | 413 | 415 | 422 | 429 | 503);
    guard.is_refused() || (!answer.as_ref().is_err_and(is_fault) && guard.is_unsettled())
}
