//! Parameters of the query string.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::refusal::Refusal;
use crate::domain::ids::EventId;
use crate::domain::problem::{Fault, FaultKind, Problem};

/// Longest cursor, in digits: what the description says of it, and more events than there will be.
const MAX_CURSOR: usize = 15;

/// The event below which a page begins: `?cursor=`, as an answer before gave it; none for the first page.
pub(super) struct EventCursor(pub(super) Option<EventId>);

impl<S: Sync> FromRequestParts<S> for EventCursor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Some(text) = parameter(parts.uri.query().unwrap_or_default(), "cursor") else {
            return Ok(Self(None));
        };
        let message = "value must be a next_cursor of this operation";
        let fault = || Fault::of_query("cursor", FaultKind::ValueError, message);
        let id = EventId::parse(text).filter(|_| text.len() <= MAX_CURSOR);
        id.map(|id| Self(Some(id))).ok_or_else(|| Problem::validation(vec![fault()]).into())
    }
}

/// The first value of a parameter, as it was sent.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
