//! Bodies of requests and responses: JSON, and forms at the OAuth endpoints.
//!
//! A body is read by the operations that take one, and by them last. So a request that is refused for its path, its rate
//! or its caller does not wait for its body. One that is too large, late or not declared as such is refused before it is
//! parsed. `fields` validates its fields.

use std::error::Error;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::Serialize;

use crate::domain::settings::Settings;
use crate::http::kit::context::Configured;
use crate::http::kit::fields::{Fields, Invalid, json_invalid};
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::query;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::{Decided, Reading, admit};
use crate::service::authz::caller::Principal;

/// Largest body that is read, in bytes: 16 KiB.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// The media type of lines of JSON.
pub const LINES_MEDIA_TYPE: &str = "application/x-ndjson";

/// The time in milliseconds that a client has for its body, from the first byte that is waited for to the last.
pub const BODY_DEADLINE_MS: u32 = 10_000;

/// Milliseconds for which a decision about access holds. A client that withholds its body for longer would act after its
/// session has ended, or its role was removed. Then access is decided again, in one more round trip.
const ACCESS_HOLDS_MS: i64 = 1000;

/// The error of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It was not complete within [`BODY_DEADLINE_MS`].
    #[error("the body did not arrive in time")]
    TimedOut,
    /// The transfer was interrupted.
    #[error("the body is not complete")]
    Broken,
}

/// Builds a JSON response. A body that cannot be serialized becomes an internal error.
pub(in crate::http) fn json(status: u16, body: &impl Serialize) -> Response {
    written(status, serde_json::to_vec(body))
}

/// The part of [`json`] that is the same for bodies of all types.
fn written(status: u16, json: serde_json::Result<Vec<u8>>) -> Response {
    let bytes = match json {
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

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum BodyKind {
    Json,
    /// JSON, or no body at all.
    OptionalJson,
    /// `application/x-www-form-urlencoded`, as OAuth has it.
    Form,
    /// Lines of JSON, which `lines` reads.
    Lines,
}

/// A validated body. It must be a handler's last argument.
pub(in crate::http) trait FromBody: Sized {
    /// The form in which the operation takes its body.
    const KIND: BodyKind;

    /// Reads the value as [`FromFields::read`] does.
    fn from_body(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid>;
}

/// A body that the operation needs.
pub(in crate::http) struct JsonBody<T>(pub(in crate::http) T);

impl<T: FromFields> FromBody for JsonBody<T> {
    const KIND: BodyKind = BodyKind::Json;

    fn from_body(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        T::read(fields, settings).map(Self)
    }
}

/// The same for an operation that needs no body. An absent one is read like an object without members.
pub(in crate::http) struct OptionalJsonBody<T>(pub(in crate::http) T);

impl<T: FromFields> FromBody for OptionalJsonBody<T> {
    const KIND: BodyKind = BodyKind::OptionalJson;

    fn from_body(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        T::read(fields, settings).map(Self)
    }
}

/// A form-encoded body that the operation needs.
pub(in crate::http) struct FormBody<T>(pub(in crate::http) T);

impl<T: FromFields> FromBody for FormBody<T> {
    const KIND: BodyKind = BodyKind::Form;

    fn from_body(fields: &mut Fields, settings: &Settings) -> Result<Self, Invalid> {
        T::read(fields, settings).map(Self)
    }
}

/// Notes that the body is complete. Access is decided again after a slow one.
pub(super) async fn keep_access(parts: &Parts, configured: &Configured) -> Result<(), Refusal> {
    if configured.body_is_complete() > ACCESS_HOLDS_MS { decide_again(parts, configured).await } else { Ok(()) }
}

/// Refuses a body that is coded, or announced to be too large, before it is waited for.
pub(super) fn admit_body(parts: &Parts, max_bytes: usize, too_large: ProtocolError) -> Result<(), Refusal> {
    query::refuse_unread(parts)?;
    if is_coded(&parts.headers) {
        return Err(ProtocolError::UnsupportedContentCoding.into());
    }
    if announced_length(&parts.headers).is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large.into());
    }
    Ok(())
}

async fn decide_again(parts: &Parts, configured: &Configured) -> Result<(), Refusal> {
    if let Some(Decided { presented, conditions }) = parts.extensions.get::<Decided>() {
        admit(&configured.service(), presented, *conditions, Reading::nothing()).await?;
    }
    Ok(())
}

/// Reads the body of a request, up to its fields.
pub(in crate::http) async fn read_fields(
    parts: Parts,
    body: Body,
    kind: BodyKind,
) -> Result<(Fields, Configured), Refusal> {
    let configured = Configured::of(&parts)?;
    admit_body(&parts, MAX_BODY_BYTES, ProtocolError::PayloadTooLarge)?;
    let is_optional = kind == BodyKind::OptionalJson;
    let is_declared = declares(&parts.headers, kind);
    if !is_declared && !is_optional {
        return Err(undeclared(kind).into());
    }
    let bytes = read_bytes(body).await?;
    keep_access(&parts, &configured).await?;
    let is_absent = is_optional && bytes.is_empty();
    if !is_declared && !is_absent {
        return Err(undeclared(kind).into());
    }
    if kind == BodyKind::Form {
        return Ok((Fields::of_form(&bytes, configured.texts())?, configured));
    }
    let bytes = if is_absent { Bytes::from_static(b"{}") } else { bytes };
    let caller = parts.extensions.get::<Principal>().and_then(Principal::user);
    let caller_address = caller.map(|caller| caller.user.email.clone());
    Ok((Fields::parse(&bytes, configured.texts(), caller_address)?, configured))
}

const fn undeclared(kind: BodyKind) -> ProtocolError {
    match kind {
        BodyKind::Json | BodyKind::OptionalJson => ProtocolError::UnsupportedMediaType,
        BodyKind::Form => ProtocolError::FormExpected,
        BodyKind::Lines => ProtocolError::LinesExpected,
    }
}

/// The length of the body in bytes, as announced by `Content-Length`.
#[must_use]
pub fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads at most [`MAX_BODY_BYTES`], even if `Content-Length` is absent or wrong.
async fn read_bytes(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ProtocolError::PayloadTooLarge.into()),
        Err(error) => Err(body_failure(&*error)),
    }
}

/// The refusal of a body that is not complete. axum wraps its errors.
pub(super) fn body_failure(error: &(dyn Error + 'static)) -> Refusal {
    match error.source().and_then(<dyn Error>::downcast_ref) {
        Some(BodyError::TimedOut) => ProtocolError::RequestTimeout.into(),
        Some(BodyError::Broken) | None => json_invalid("body could not be read").into(),
    }
}

/// Accepts `application/json` and `+json` types (RFC 6839 §3.1), or forms, with any parameters (RFC 8259 §11), unless one
/// names a charset other than UTF-8 and its subset US-ASCII (RFC 8259 §8.1).
pub(super) fn declares(headers: &HeaderMap, kind: BodyKind) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let lower = content_type.to_ascii_lowercase();
    let mut parts = unquoted_split(&lower).map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_kind = match kind {
        BodyKind::Form => essence == "application/x-www-form-urlencoded",
        BodyKind::Lines => essence == LINES_MEDIA_TYPE,
        BodyKind::Json | BodyKind::OptionalJson => {
            essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
        }
    };
    let mut charsets =
        parts.filter_map(|parameter| parameter.split_once('=')).filter(|(name, _)| name.trim() == "charset");
    is_kind && charsets.all(|(_, charset)| matches!(unquoted(charset.trim()), "utf-8" | "utf8" | "us-ascii"))
}

/// Splits a header's value at semicolons outside of quotes (RFC 9110 §5.6.6).
fn unquoted_split(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c| {
        let is_separator = c == ';' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        is_separator
    })
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Is the body compressed, or coded otherwise? `identity` means that it is not.
fn is_coded(headers: &HeaderMap) -> bool {
    let is_identity =
        |coding: &[u8]| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    let values = headers.get_all(CONTENT_ENCODING).iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).any(|coding| !is_identity(coding))
}
