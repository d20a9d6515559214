//! Conversion of requests and responses between JavaScript and Rust.
//!
//! The `worker` crate has such a conversion; this one also handles hostile input. A non-ASCII header or a URL that the
//! `http` crate cannot parse must not produce the runtime's error page.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE, COOKIE, IF_NONE_MATCH, ORIGIN, USER_AGENT,
};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;

use crate::http::REQUEST_ID;
use crate::ports::AssetStream;
use crate::shell::assets::OpenedStream;
use crate::shell::body::RequestBody;

/// The headers that the service uses, in the order in which platform.mjs sends them; all others are dropped.
const HEADERS: [HeaderName; 17] = [
    ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    IF_NONE_MATCH,
    ORIGIN,
    USER_AGENT,
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("cf-ray"),
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("x-edge-auth-bookmark"),
    HeaderName::from_static("x-edge-auth-client"),
    HeaderName::from_static("x-edge-auth-key"),
    HeaderName::from_static("x-request-id"),
];

/// Replaces a URL that cannot be parsed; no route matches it.
const UNREADABLE: &str = "/%00";

/// The head of a request. platform.mjs sends one line each for the presence of a body, the method, the URL and every
/// header. A colon precedes the value of a present header. No part can contain a line break.
pub struct Head {
    /// The request without its body.
    pub request: Request<()>,
    has_body: bool,
}

impl Head {
    /// The request, with a body that is read when it is polled.
    #[must_use]
    pub fn with_body(self) -> Request<Body> {
        let body = if self.has_body { Body::new(RequestBody::new(self.request.headers())) } else { Body::empty() };
        self.request.map(|()| body)
    }
}

/// Parses the text from platform.mjs.
#[must_use]
pub fn read_head(text: &str) -> Head {
    let mut lines = text.split('\n');
    let has_body = lines.next() == Some("body");
    let method = lines.next().unwrap_or_default();
    let url = lines.next().unwrap_or_default();
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap_or(Method::TRACE);
    *request.uri_mut() = url.parse().unwrap_or(Uri::from_static(UNREADABLE));
    for (name, line) in HEADERS.into_iter().zip(lines) {
        if let Some(value) = line.strip_prefix(':')
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            request.headers_mut().insert(name, value);
        }
    }
    Head { request, has_body }
}

/// Writes a response: `R`, or `S` if its body is a stream of JavaScript's; the status; a line for each header; and after
/// an empty line the body. JavaScript adds the request id.
pub async fn write(response: Response<Body>) -> String {
    let (parts, body) = response.into_parts();
    let stream = parts.extensions.get::<Arc<AssetStream>>().is_some_and(|stream| stream.0.is::<OpenedStream>());
    // Bodies are complete texts in memory, so collecting them cannot fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut text = String::with_capacity(512 + bytes.len());
    let _ = write!(text, "{}{}", if stream { 'S' } else { 'R' }, parts.status.as_u16());
    for (name, value) in &parts.headers {
        // The runtime sets the length of a body itself.
        let is_implied = name == REQUEST_ID || (name == CONTENT_LENGTH && !bytes.is_empty());
        if !is_implied {
            let _ = write!(text, "\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
    }
    let _ = write!(text, "\n\n{}", String::from_utf8_lossy(&bytes));
    text
}
