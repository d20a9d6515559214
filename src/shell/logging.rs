//! Logs: one JSON object per line.
//!
//! `timestamp`, `level`, `name`, `message`, `request_id`, then the event's own fields, flat. Every value
//! goes through the JSON writer, so that no input can start a line or forge a field of its own.

use std::fmt;
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::Value;
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

/// The least severe level that is written; set when the settings have been read.
pub struct MinLevel(AtomicU8);

impl MinLevel {
    /// `INFO`, until the settings say otherwise.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU8::new(LogLevel::Info as u8))
    }

    /// Takes the level from the settings.
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
    /// A layer that writes to `writer` and dates its lines with `clock`.
    #[must_use]
    pub const fn new(writer: W, clock: fn() -> Timestamp, min_level: &'static MinLevel) -> Self {
        Self { writer, clock, min_level }
    }
}

/// The names of the contract, for `tracing`'s.
fn level_of(metadata: &Metadata<'_>) -> (LogLevel, &'static str) {
    match *metadata.level() {
        Level::ERROR => (LogLevel::Error, "ERROR"),
        Level::WARN => (LogLevel::Warning, "WARNING"),
        Level::INFO => (LogLevel::Info, "INFO"),
        Level::DEBUG | Level::TRACE => (LogLevel::Debug, "DEBUG"),
    }
}

/// The request id of a span, kept with it.
struct SpanRequestId(Value);

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let request_id = fields.0.into_iter().find(|(name, _)| *name == "request_id");
        if let (Some((_, request_id)), Some(span)) = (request_id, context.span(id)) {
            span.extensions_mut().insert(SpanRequestId(request_id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let (level, level_name) = level_of(metadata);
        // Other crates' events are not ours to publish: they do not know the rules above.
        if !self.min_level.allows(level) || !metadata.target().starts_with("app.") {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context.event_span(event);
        let extensions = span.as_ref().map(tracing_subscriber::registry::SpanRef::extensions);
        let request_id = extensions.as_ref().and_then(|extensions| extensions.get::<SpanRequestId>());
        let timestamp = (self.clock)().rfc3339();
        let line =
            Line { timestamp: &timestamp, level: level_name, name: metadata.target(), fields: &fields, request_id };
        if let Ok(line) = line.to_json() {
            // The console takes every line; there is nobody to tell if it does not.
            let _ = self.writer.make_writer_for(metadata).write_all(&line);
        }
    }
}

struct Line<'a> {
    timestamp: &'a str,
    level: &'static str,
    name: &'a str,
    fields: &'a Fields,
    request_id: Option<&'a SpanRequestId>,
}

impl Line<'_> {
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", self.timestamp)?;
        map.serialize_entry("level", self.level)?;
        map.serialize_entry("name", self.name)?;
        let is_message = |field: &&(&str, Value)| field.0 == "message";
        map.serialize_entry("message", &self.fields.0.iter().find(is_message).map(|field| &field.1))?;
        if let Some(SpanRequestId(request_id)) = self.request_id {
            map.serialize_entry("request_id", request_id)?;
        }
        for (name, value) in self.fields.0.iter().filter(|field| !is_message(field)) {
            map.serialize_entry(name, value)?;
        }
        map.end()?;
        Ok(line)
    }
}

/// The fields of an event or a span, as JSON values.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}").into()));
    }
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
