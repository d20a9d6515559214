//! Headers that every response carries (OWASP HTTP Headers Cheat Sheet).

use axum::http::header::{
    CACHE_CONTROL, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use crate::domain::request_id::RequestId;

/// The id of the request, in requests and in responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client's address. The edge sets it, so a client cannot forge it.
pub(crate) const CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// The edge's id of the request.
pub(crate) const RAY: HeaderName = HeaderName::from_static("cf-ray");

pub(crate) const USER_AGENT: HeaderName = axum::http::header::USER_AGENT;

/// Adds these headers. A response that sets no `Cache-Control` gets `no-store`, because it may hold tokens or protected
/// data (RFC 6749 §5.1).
pub(crate) fn add(response: &mut Response, request_id: &RequestId, is_https: bool) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if is_https {
        // One year (RFC 6797 §6.1.1). No `includeSubDomains`: subdomains may belong to other services.
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
