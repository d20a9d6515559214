//! Logs: one JSON object per line.
//!
//! The members are `timestamp`, `level`, `name`, `message`, `request_id`, `ray`, then the event's own fields. A line of at
//! least WARNING ends with the attribution of its request: `network`, `user_id`, `session_id`, `kid`. Every value is
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

use crate::domain::peer::{address_text, network_text};
use crate::domain::settings::LogLevel;
use crate::domain::time::Timestamp;

/// Writes each event as one line of JSON. Of the spans it keeps only the ids and the attribution of requests. It belongs
/// to one thread, which Workers guarantee and tests have each for themselves.
pub struct JsonLines<W> {
    write: W,
    clock: fn() -> Timestamp,
    min_level: &'static MinLevel,
    spans: Mutex<Spans>,
}

#[derive(Default)]
struct Spans {
    /// By their ids, counted from 1; a free place has no references.
    all: Vec<Span>,
    /// The entered spans, the innermost last.
    entered: Vec<Id>,
}

/// A span in use, or one whose place and buffers the next one takes over.
struct Span {
    references: usize,
    metadata: &'static Metadata<'static>,
    /// The ids of the request, as encoded members.
    ids: Vec<u8>,
    attribution: Attribution,
}

/// The origin of a request, as far as it is known. It is encoded only for lines of refusals and failures, because the
/// access lines of successful requests are the most frequent ones.
#[derive(Default)]
struct Attribution {
    network: Option<u128>,
    address: Option<u128>,
    user_id: Option<i64>,
    session_id: Option<i64>,
    /// Empty, or the name of one of the service's own keys.
    kid: String,
}

impl Attribution {
    /// Appends the members that the event itself does not have.
    fn write(&self, line: &mut Vec<u8>, event: &Metadata<'_>) {
        let is_free = |name| event.fields().field(name).is_none();
        let client = self.network.map(network_text).or_else(|| self.address.map(address_text));
        if let Some(client) = client.filter(|_| is_free("network")) {
            write_member(line, "network", &client);
        }
        for (name, id) in [("user_id", self.user_id), ("session_id", self.session_id)] {
            if let Some(id) = id.filter(|_| is_free(name)) {
                write_member(line, name, &id);
            }
        }
        if !self.kid.is_empty() && is_free("kid") {
            write_member(line, "kid", &self.kid);
        }
    }

    fn clear(&mut self) {
        let mut kid = std::mem::take(&mut self.kid);
        kid.clear();
        *self = Self { kid, ..Self::default() };
    }
}

impl Spans {
    fn get(&mut self, id: &Id) -> Option<&mut Span> {
        self.all.get_mut(usize::try_from(id.into_u64()).ok()?.checked_sub(1)?)
    }

    fn add(&mut self, attributes: &Attributes<'_>) -> Id {
        let metadata = attributes.metadata();
        let free = self.all.iter().position(|span| span.references == 0).unwrap_or(self.all.len());
        if free == self.all.len() {
            self.all.push(Span { references: 0, metadata, ids: Vec::new(), attribution: Attribution::default() });
        }
        if let Some(span) = self.all.get_mut(free) {
            span.references = 1;
            span.metadata = metadata;
            span.ids.clear();
            span.attribution.clear();
            attributes.record(span);
        }
        Id::from_u64(free as u64 + 1)
    }

    /// The innermost entered span.
    fn current(&mut self) -> Option<&mut Span> {
        let id = self.entered.last()?.clone();
        self.get(&id)
    }
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

/// The fields of a request's span. `http::App` and `service::attribution` have their names.
impl Visit for Span {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "user_id" => self.attribution.user_id = Some(value),
            "session_id" => self.attribution.session_id = Some(value),
            _ => {}
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match field.name() {
            "network" => self.attribution.network = Some(value),
            "address" => self.attribution.address = Some(value),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "kid" => value.clone_into(&mut self.attribution.kid),
            name => write_member(&mut self.ids, name, value),
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
#[path = "logging_tests.rs"]
mod tests;
