//! JSON bodies of requests and responses.
//!
//! A body that is too large or not declared as JSON is refused before it is parsed. `fields` validates its fields.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::Serialize;

use crate::domain::problem::Problem;
use crate::domain::settings::Settings;
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid, json_invalid};
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::caller::Caller;

/// Largest body that is read, in bytes: 16 KiB.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// Builds a JSON response. A body that cannot be serialized becomes an internal error.
pub(in crate::http) fn json(status: u16, body: &impl Serialize) -> Response {
    let bytes = match serde_json::to_vec(body) {
        Ok(bytes) => bytes,
        Err(error) => return Refusal::internal(error.to_string()).into_response(),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Builds a 204 response, which has no body.
pub(in crate::http) fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A success response that consists of a message only.
#[derive(Serialize)]
pub(in crate::http) struct MessageBody {
    pub(in crate::http) message: &'static str,
}

/// A value that is read from the fields of a request body.
pub(in crate::http) trait FromFields: Sized {
    /// Reads every field before it returns [`Invalid`], so that the response reports all faults.
    fn read(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid>;
}

/// A validated body. It consumes the request, so it must be a handler's last argument.
pub(in crate::http) struct JsonBody<T>(pub(in crate::http) T);

impl<S: Sync, T: FromFields> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let (mut fields, configured) = read_fields(request).await?;
        let value = T::read(&mut fields, configured.settings());
        value.map(Self).map_err(|Invalid| Problem::validation(fields.into_faults()).into())
    }
}

async fn read_fields(request: Request) -> Result<(Fields, Configured), Refusal> {
    let (parts, body) = request.into_parts();
    let configured = Configured::of(&parts)?;
    let bytes = read_bytes(&parts.headers, body).await?;
    if !declares_json(&parts.headers) {
        return Err(ProtocolError::UnsupportedMediaType.into());
    }
    let caller_address = parts.extensions.get::<Caller>().map(|caller| caller.user.email.clone());
    Ok((Fields::parse(&bytes, configured.normalize(), caller_address)?, configured))
}

/// The length of the body in bytes, as announced by `Content-Length`.
#[must_use]
pub fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads at most [`MAX_BODY_BYTES`], even if `Content-Length` is absent or wrong.
async fn read_bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    if announced_length(headers).is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(ProtocolError::PayloadTooLarge.into());
    }
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ProtocolError::PayloadTooLarge.into()),
        // The transfer broke, so the body is incomplete.
        Err(_) => Err(json_invalid("body could not be read").into()),
    }
}

/// Accepts `application/json` and `+json` types (RFC 6839 §3.1). A charset, if given, must be UTF-8 (RFC 8259 §8.1).
fn declares_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let lower = content_type.to_ascii_lowercase();
    let mut parts = lower.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    is_json && charset.is_none_or(|charset| charset.trim_matches('"') == "utf-8")
}
