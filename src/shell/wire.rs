//! Requests and responses, between JavaScript's types and Rust's.
//!
//! `worker` has such a conversion; this one differs where a stranger chooses the input. A header with
//! bytes beyond ASCII or a URL that the `http` crate does not read must not end in the runtime's own
//! error page, and a body is not read further than the service would look at it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN,
    USER_AGENT,
};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::{Result, web_sys};

use super::assets;
use crate::http::{MAX_BODY_BYTES, announces_too_much};
use crate::ports::AssetStream;

/// The headers that the service looks at: no other comes in.
const HEADERS: [HeaderName; 9] = [
    ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD,
    AUTHORIZATION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    ORIGIN,
    USER_AGENT,
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("x-request-id"),
];

/// Stands for a URL that is too long or too odd to be one of ours: no route matches it.
const UNREADABLE: &str = "/%00";

/// Reads everything about a request but its body: nothing to wait for.
pub(super) fn read_head(request: &web_sys::Request) -> Result<Request<()>> {
    let headers = request.headers();
    let mut head = Request::new(());
    *head.method_mut() = Method::from_bytes(request.method().as_bytes()).unwrap_or(Method::TRACE);
    *head.uri_mut() = request.url().parse().unwrap_or(Uri::from_static(UNREADABLE));
    for name in HEADERS {
        if let Some(value) = headers.get(name.as_str())?
            && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
        {
            head.headers_mut().insert(name, value);
        }
    }
    Ok(head)
}

/// Reads the body until it ends, breaks, or is larger than the service accepts; in the last case what was
/// read is passed on, one chunk too long, to be refused where all bodies are judged. One that announces
/// itself as too large is refused there by its announcement: nobody waits for it.
pub(super) async fn read_body(head: Request<()>, request: &web_sys::Request) -> Request<Body> {
    let mut bytes = Vec::new();
    let stream = request.body().filter(|_| !announces_too_much(head.headers()));
    let reader = stream.and_then(|stream| stream.get_reader().dyn_into().ok());
    if let Some(reader) = reader {
        while bytes.len() <= MAX_BODY_BYTES
            && let Some(chunk) = next_chunk(&reader).await
        {
            bytes.extend_from_slice(&chunk);
        }
    }
    head.map(|()| Body::from(bytes))
}

/// The next chunk; none at the end, or when the client went away.
async fn next_chunk(reader: &web_sys::ReadableStreamDefaultReader) -> Option<Vec<u8>> {
    let result = JsFuture::from(reader.read()).await.ok()?;
    let chunk = Reflect::get(&result, &JsValue::from_str("value")).ok()?;
    chunk.dyn_into::<Uint8Array>().ok().map(|chunk| chunk.to_vec())
}

/// Writes a response.
pub(super) async fn write(response: Response<Body>) -> Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let headers = web_sys::Headers::new()?;
    for (name, value) in &parts.headers {
        headers.append(name.as_str(), &String::from_utf8_lossy(value.as_bytes()))?;
    }
    let init = web_sys::ResponseInit::new();
    init.set_status(parts.status.as_u16());
    init.set_headers(&headers);
    if let Some(stream) = parts.extensions.get::<Arc<AssetStream>>().and_then(|stream| assets::content(stream)) {
        return Ok(web_sys::Response::new_with_opt_readable_stream_and_init(Some(&stream), &init)?);
    }
    // Bodies are complete texts, held in memory: collecting them cannot fail.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = (!bytes.is_empty()).then(|| Uint8Array::from(bytes.as_ref()));
    Ok(web_sys::Response::new_with_opt_js_u8_array_and_init(body.as_ref(), &init)?)
}
