//! The spans of requests, for the log: the ids of a request and its attribution.

use std::fmt;

use serde::Serialize;
use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};

use crate::domain::peer::{address_text, network_text};

#[derive(Default)]
pub(in crate::shell) struct Spans {
    /// By their ids, counted from 1; a free place has no references.
    all: Vec<Span>,
    /// The entered spans, the innermost last.
    pub(in crate::shell) entered: Vec<Id>,
}

/// A span in use, or one whose place and buffers the next one takes over.
pub(in crate::shell) struct Span {
    pub(in crate::shell) references: usize,
    pub(in crate::shell) metadata: &'static Metadata<'static>,
    /// The ids of the request, as encoded members.
    pub(in crate::shell) ids: Vec<u8>,
    pub(in crate::shell) attribution: Attribution,
}

/// The origin of a request, as far as it is known. It is encoded only for lines of refusals and failures, because the
/// access lines of successful requests are the most frequent ones.
#[derive(Default)]
pub(in crate::shell) struct Attribution {
    network: Option<u128>,
    address: Option<u128>,
    user_id: Option<i64>,
    session_id: Option<i64>,
    api_key_id: Option<i64>,
    /// Empty, or the name of one of the service's own keys.
    kid: String,
}

impl Attribution {
    /// Appends the members that the event itself does not have.
    pub(in crate::shell) fn write(&self, line: &mut Vec<u8>, event: &Metadata<'_>) {
        let is_free = |name| event.fields().field(name).is_none();
        let client = self.network.map(network_text).or_else(|| self.address.map(address_text));
        if let Some(client) = client.filter(|_| is_free("network")) {
            write_member(line, "network", &client);
        }
        let ids = [("user_id", self.user_id), ("session_id", self.session_id), ("api_key_id", self.api_key_id)];
        for (name, id) in ids {
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
    pub(in crate::shell) fn get(&mut self, id: &Id) -> Option<&mut Span> {
        self.all.get_mut(usize::try_from(id.into_u64()).ok()?.checked_sub(1)?)
    }

    pub(in crate::shell) fn add(&mut self, attributes: &Attributes<'_>) -> Id {
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
    pub(in crate::shell) fn current(&mut self) -> Option<&mut Span> {
        let id = self.entered.last()?.clone();
        self.get(&id)
    }
}

/// The fields of a request's span. `http::App` and `service::attribution` have their names.
impl Visit for Span {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "user_id" => self.attribution.user_id = Some(value),
            "session_id" => self.attribution.session_id = Some(value),
            "api_key_id" => self.attribution.api_key_id = Some(value),
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

    fn record_f64(&mut self, _: &Field, _: f64) {}

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Appends a member as JSON, after a comma. Writing text and numbers to memory cannot fail.
pub(in crate::shell) fn write_member(line: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    line.push(b',');
    let _ = serde_json::to_writer(&mut *line, name);
    line.push(b':');
    let _ = serde_json::to_writer(line, value);
}
