//! Logs: one JSON object per line.
//!
//! The members are `timestamp`, `level`, `name`, `message`, `request_id`, `ray`, then the event's own fields. A line of at
//! least WARNING ends with the attribution of its request: `network`, `user_id`, `session_id`, `api_key_id`, `kid`. Every value is
//! JSON-encoded, so no input can start a line or forge a field.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

use crate::domain::settings::LogLevel;
use crate::domain::time::Timestamp;
use crate::shell::spans::{Spans, write_member};

/// Writes each event as one line of JSON. Of the spans it keeps only the ids and the attribution of requests. It belongs
/// to one thread, which Workers guarantee and tests have each for themselves.
pub struct JsonLines<W> {
    write: W,
    clock: fn() -> Timestamp,
    min_level: &'static MinLevel,
    spans: Mutex<Spans>,
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

impl<W> JsonLines<W> {
    /// Hands lines to `write`, with timestamps from `clock`.
    #[must_use]
    pub fn new(write: W, clock: fn() -> Timestamp, min_level: &'static MinLevel) -> Self {
        Self { write, clock, min_level, spans: Mutex::default() }
    }

    fn spans<T>(&self, change: impl FnOnce(&mut Spans) -> T) -> T {
        change(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner))
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

impl<W: Fn(LogLevel, &str) + 'static> Subscriber for JsonLines<W> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match metadata.is_event() {
            // The level is set later, so each event asks for itself.
            true if metadata.target().starts_with("app.") => Interest::sometimes(),
            false if metadata.fields().field("request_id").is_some() => Interest::always(),
            // Events of other crates are dropped, because they may contain secrets.
            _ => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() || (metadata.target().starts_with("app.") && self.min_level.allows(level_of(metadata).0))
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.spans(|spans| spans.add(attributes))
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.spans(|spans| spans.get(id).map(|span| span.references += 1));
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.spans(|spans| {
            spans.get(&id).is_some_and(|span| {
                span.references = span.references.saturating_sub(1);
                span.references == 0
            })
        })
    }

    fn enter(&self, id: &Id) {
        self.spans(|spans| spans.entered.push(id.clone()));
    }

    fn exit(&self, _: &Id) {
        self.spans(|spans| spans.entered.pop());
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.spans(|spans| spans.get(id).map(|span| values.record(span)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn current_span(&self) -> Current {
        self.spans(|spans| {
            let id = spans.entered.last()?.clone();
            spans.get(&id).map(|span| Current::new(id, span.metadata))
        })
        .unwrap_or_else(Current::none)
    }

    fn event(&self, event: &Event<'_>) {
        let (level, level_name) = level_of(event.metadata());
        let mut members = Members::default();
        event.record(&mut members);
        let mut line = Vec::with_capacity(512);
        write_member(&mut line, "timestamp", &(self.clock)().rfc3339());
        write_member(&mut line, "level", level_name);
        write_member(&mut line, "name", event.metadata().target());
        line.extend_from_slice(&members.message);
        self.spans(|spans| {
            let span = spans.current();
            if let Some(span) = &span {
                line.extend_from_slice(&span.ids);
            }
            line.extend_from_slice(&members.others);
            if let Some(span) = span.filter(|_| level >= LogLevel::Warning) {
                span.attribution.write(&mut line, event.metadata());
            }
        });
        line.push(b'}');
        if let Some(comma) = line.first_mut() {
            *comma = b'{';
        }
        (self.write)(level, &String::from_utf8_lossy(&line));
    }
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

    /// As `serde_json` writes it. The default formats it by the standard library, which would take 7 kB for that.
    fn record_f64(&mut self, field: &Field, value: f64) {
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

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
