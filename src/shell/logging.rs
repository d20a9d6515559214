//! Logs: one JSON object per line.
//!
//! The members are `timestamp`, `level`, `name`, `message`, `request_id`, then the event's own fields. Every value is
//! JSON-encoded, so no input can start a line or forge a field.

use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::domain::settings::LogLevel;
use crate::domain::time::Timestamp;

/// Writes each event as one line of JSON.
pub struct JsonLayer<W> {
    writer: W,
    clock: fn() -> Timestamp,
    min_level: &'static MinLevel,
}

/// The minimum severity of written lines; set from the settings.
pub struct MinLevel(AtomicU8);

impl MinLevel {
    /// `INFO`, until the settings are read.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU8::new(LogLevel::Info as u8))
    }

    /// Applies the level of the settings.
    pub fn set(&self, level: LogLevel) {
        self.0.store(level as u8, Ordering::Relaxed);
    }

    fn allows(&self, level: LogLevel) -> bool {
        level as u8 >= self.0.load(Ordering::Relaxed)
    }
}

impl Default for MinLevel {
    fn default() -> Self {
        Self::new()
    }
}

impl<W> JsonLayer<W> {
    /// A layer that writes to `writer`, with timestamps from `clock`.
    #[must_use]
    pub const fn new(writer: W, clock: fn() -> Timestamp, min_level: &'static MinLevel) -> Self {
        Self { writer, clock, min_level }
    }
}

/// Maps the levels of `tracing` to those of the contract.
fn level_of(metadata: &Metadata<'_>) -> (LogLevel, &'static str) {
    match *metadata.level() {
        Level::ERROR => (LogLevel::Error, "ERROR"),
        Level::WARN => (LogLevel::Warning, "WARNING"),
        Level::INFO => (LogLevel::Info, "INFO"),
        Level::DEBUG | Level::TRACE => (LogLevel::Debug, "DEBUG"),
    }
}

/// The request id of a span, stored with the span as an encoded member.
struct SpanRequestId(Vec<u8>);

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut request_id = RequestIdMember::default();
        attributes.record(&mut request_id);
        if let (Some(member), Some(span)) = (request_id.0, context.span(id)) {
            span.extensions_mut().insert(SpanRequestId(member));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let (level, level_name) = level_of(metadata);
        // Events of other crates are dropped, because they may contain secrets.
        if !self.min_level.allows(level) || !metadata.target().starts_with("app.") {
            return;
        }
        let mut members = Members::default();
        event.record(&mut members);
        let span = context.event_span(event);
        let extensions = span.as_ref().map(tracing_subscriber::registry::SpanRef::extensions);
        let request_id = extensions.as_ref().and_then(|extensions| extensions.get::<SpanRequestId>());
        let mut line = Vec::with_capacity(256 + members.others.len());
        write_member(&mut line, "timestamp", &(self.clock)().rfc3339());
        write_member(&mut line, "level", level_name);
        write_member(&mut line, "name", metadata.target());
        line.extend_from_slice(&members.message);
        line.extend(request_id.iter().flat_map(|member| &member.0));
        line.extend_from_slice(&members.others);
        line.push(b'}');
        if let Some(comma) = line.first_mut() {
            *comma = b'{';
        }
        // The console accepts every line, and an error could not be reported anywhere.
        let _ = self.writer.make_writer_for(metadata).write_all(&line);
    }
}

/// Appends a member as JSON, after a comma. Writing text and numbers to memory cannot fail.
fn write_member(line: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    line.push(b',');
    let _ = serde_json::to_writer(&mut *line, name);
    line.push(b':');
    let _ = serde_json::to_writer(line, value);
}

/// The fields of an event as encoded members: the message, which comes first in the line, and the others.
#[derive(Default)]
struct Members {
    message: Vec<u8>,
    others: Vec<u8>,
}

impl Members {
    fn write(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        let members = if field.name() == "message" { &mut self.message } else { &mut self.others };
        write_member(members, field.name(), value);
    }
}

impl Visit for Members {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &format!("{value:?}"));
    }
}

/// Extracts the request id from the fields of a span.
#[derive(Default)]
struct RequestIdMember(Option<Vec<u8>>);

impl Visit for RequestIdMember {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "request_id" {
            let mut member = Vec::with_capacity(64);
            write_member(&mut member, field.name(), value);
            self.0 = Some(member);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
