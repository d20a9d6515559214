//! Public JSON documents that the service computes: with an `ETag`, for caches, and for pages of every origin.

use axum::body::Body;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::http::platform::etag;

/// The paths of these documents begin with this. Their responses have CORS headers of their own (`http/kit/cors.rs`).
pub(in crate::http) const WELL_KNOWN: &str = "/.well-known/";

/// The document, or 304 if the client has it.
pub(in crate::http) fn versioned(headers: &HeaderMap, text: String, cached: HeaderValue) -> Response {
    let tag = etag::of_text(&text);
    if etag::is_known(headers, &tag) {
        return etag::not_modified(tag, cached);
    }
    let mut response = with_tag(text, tag);
    response.headers_mut().insert(CACHE_CONTROL, cached);
    response
}

/// The same for pages of every origin.
pub(in crate::http) fn public(headers: &HeaderMap, text: String, cache_control: &'static str) -> Response {
    let mut response = versioned(headers, text, HeaderValue::from_static(cache_control));
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn with_tag(text: String, tag: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(ETAG, tag);
    response
}
