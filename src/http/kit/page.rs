//! The response of a list. `query` reads which page of it a request wants.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::http::kit::body::json;
use crate::http::kit::refusal::Refusal;
use crate::ports::DbError;
use crate::service;
use crate::store::page::Page;

/// The response of a list: a page of rows, each converted by `body`.
pub(in crate::http) fn page_of<'a, R, B: Serialize>(
    page: &'a Page<R>,
    body: impl Fn(&'a R) -> Result<B, DbError>,
) -> Response {
    let mut items = page.items.iter().map(|row| {
        let body = body(row).map_err(service::Error::from)?;
        to_raw_value(&body).map_err(|error| Refusal::internal(error.to_string()))
    });
    framed(&mut items, page.next, None).unwrap_or_else(IntoResponse::into_response)
}

/// The page of a list of events, with the archive of older ones as JSON.
pub(in crate::http) fn page_of_events<'a, R, B: Serialize>(
    page: &'a Page<R>,
    body: impl Fn(&'a R) -> B,
    archive: String,
) -> Response {
    let raw = |error: serde_json::Error| Refusal::internal(error.to_string());
    let mut items = page.items.iter().map(|row| to_raw_value(&body(row)).map_err(raw));
    let archive = RawValue::from_string(archive).map_err(raw);
    let response = archive.and_then(|archive| framed(&mut items, page.next, Some(archive)));
    response.unwrap_or_else(IntoResponse::into_response)
}

/// A null `next_cursor` marks the last page. The items are JSON already, so that lists of all types have one frame.
fn framed(
    items: &mut dyn Iterator<Item = Result<Box<RawValue>, Refusal>>,
    next: Option<i64>,
    archive: Option<Box<RawValue>>,
) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct PageBody {
        items: Vec<Box<RawValue>>,
        next_cursor: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        archive: Option<Box<RawValue>>,
    }

    let items: Result<_, Refusal> = items.collect();
    Ok(json(200, &PageBody { items: items?, next_cursor: next.map(|id| id.to_string()), archive }))
}
