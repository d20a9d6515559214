//! A body of lines (`application/x-ndjson`), parsed while it arrives: only the lines are held, never their text as well.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;

use crate::domain::account::import::{MAX_BODY_BYTES, MAX_LINE_BYTES, MAX_LINES};
use crate::http::kit::body::{BodyKind, LINES_MEDIA_TYPE, admit_body, body_failure, declares, keep_access};
use crate::http::kit::context::Configured;
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::refusal::Refusal;

/// A request whose handler reads the body itself.
pub(in crate::http) struct Streamed {
    parts: Parts,
    body: Body,
}

impl Streamed {
    pub(in crate::http) const fn new(parts: Parts, body: Body) -> Self {
        Self { parts, body }
    }

    /// Reads all lines. `parse` gets each one without its line break, and its number from 1 on. Of a line that is too long it
    /// gets one byte more than is allowed. Empty lines are counted only.
    pub(in crate::http) async fn lines<T>(
        self,
        mut parse: impl FnMut(usize, &[u8]) -> T,
    ) -> Result<(Vec<T>, Configured), Refusal> {
        let configured = Configured::of(&self.parts)?;
        admit_body(&self.parts, MAX_BODY_BYTES, ProtocolError::ImportTooLarge)?;
        if !declares(&self.parts.headers, BodyKind::Lines) {
            return Err(ProtocolError::LinesExpected.into());
        }
        let mut lines = Lines { line: Vec::new(), number: 0, bytes: 0, parsed: Vec::new() };
        let mut body = self.body;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| body_failure(&error))?;
            lines.add(&frame.into_data().unwrap_or_default(), &mut parse)?;
        }
        if !lines.line.is_empty() {
            lines.end(&mut parse)?;
        }
        keep_access(&self.parts, &configured).await?;
        Ok((lines.parsed, configured))
    }
}

/// The lines so far, and the one that is not complete.
struct Lines<T> {
    line: Vec<u8>,
    number: usize,
    bytes: usize,
    parsed: Vec<T>,
}

impl<T> Lines<T> {
    fn add(&mut self, data: &[u8], parse: &mut impl FnMut(usize, &[u8]) -> T) -> Result<(), Refusal> {
        self.bytes += data.len();
        if self.bytes > MAX_BODY_BYTES {
            return Err(ProtocolError::ImportTooLarge.into());
        }
        let mut rest = data;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            self.extend(line);
            self.end(parse)?;
            rest = after.get(1..).unwrap_or_default();
        }
        self.extend(rest);
        Ok(())
    }

    /// Keeps one byte more than is allowed, by which the line is known to be too long.
    fn extend(&mut self, part: &[u8]) {
        let room = (MAX_LINE_BYTES + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    fn end(&mut self, parse: &mut impl FnMut(usize, &[u8]) -> T) -> Result<(), Refusal> {
        self.number += 1;
        if self.number > MAX_LINES {
            return Err(ProtocolError::ImportTooLarge.into());
        }
        if !self.line.trim_ascii().is_empty() {
            self.parsed.push(parse(self.number, &self.line));
        }
        self.line.clear();
        Ok(())
    }
}

/// Builds a response of lines.
pub(in crate::http) fn respond(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LINES_MEDIA_TYPE));
    response
}
