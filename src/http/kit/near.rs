//! Reads at the nearest replica of the database: for which requests, from which state on, and the header by which a client
//! carries that state from its change to its next read.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;

use crate::domain::replica::Bookmark;
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::presented::Presented;
use crate::store::Store;

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
/// client names. `None` if the primary answers: keys, service accounts and tokens without a bookmark.
pub(in crate::http) fn floor(
    reads_at: ReadsAt,
    configured: &Configured,
    presented: &Presented,
    parts: &Parts,
) -> Option<Bookmark> {
    let ctx = configured.service();
    let is_replicated = reads_at == ReadsAt::Nearest && ctx.settings.read_replication;
    match presented {
        Presented::Token(_, Some(bookmark)) if is_replicated && ctx.replica.is_usable(ctx.request.now) => {
            Some(bookmark.clone().max(claimed(&parts.headers)?.unwrap_or_else(|| bookmark.clone())))
        }
        _ => None,
    }
}

/// The state that the client names, if it does. `None` for a malformed one, so that the primary answers.
#[expect(clippy::option_option, reason = "an absent header and a malformed one are different")]
fn claimed(headers: &HeaderMap) -> Option<Option<Bookmark>> {
    match headers.get(BOOKMARK) {
        None => Some(None),
        Some(value) => Bookmark::parse(value.to_str().ok()?).map(Some),
    }
}

/// Tells the client the state after its change.
pub(in crate::http) fn add_bookmark(response: &mut Response, method: &Method, store: &Store) {
    let is_change = !method.is_safe() && response.status().is_success();
    if let Some(bookmark) = store.bookmark().filter(|_| is_change)
        && let Ok(value) = HeaderValue::from_str(bookmark.as_str())
    {
        response.headers_mut().insert(BOOKMARK, value);
    }
}

/// Has a replica admitted the caller of a change, which the primary has not confirmed yet?
pub(in crate::http) fn is_unsettled(parts: &Parts) -> bool {
    Configured::of(parts).is_ok_and(|configured| configured.service().store.guard().is_unsettled())
}

/// Did the operation refuse before the primary confirmed the caller? Faults of the body depend on neither.
pub(in crate::http) fn is_for_the_primary(refusal: &Refusal, parts: &Parts) -> bool {
    !matches!(refusal.status(), 408 | 413 | 415 | 422 | 429) && is_unsettled(parts)
}

/// The primary decides about the caller now.
pub(in crate::http) fn lift_guard(parts: &Parts) -> Result<(), Refusal> {
    Configured::of(parts)?.service().store.guard().lift();
    Ok(())
}
