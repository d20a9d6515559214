//! Parameters of the query string: the filters and the pagination of lists.
//!
//! A parameter that the operation does not know is refused, and so is one given twice: passing over a misspelt filter
//! would list everything.

use std::collections::BTreeSet;

use axum::http::request::Parts;

use crate::domain::account::email::Email;
use crate::domain::audit::EventType;
use crate::domain::ids::{EventId, UserId};
use crate::domain::problem::{Fault, FaultKind, Problem};
use crate::http::kit::context::Configured;
use crate::http::kit::extract::FromParts;
use crate::http::kit::refusal::Refusal;
use crate::store::account::export::ExportCursor;
use crate::store::account::list::UserFilter;
use crate::store::audit::list::EventFilter;
use crate::store::page::PageRequest;

/// Longest cursor in digits, as in the API description. No table will have that many rows.
const MAX_CURSOR: usize = 15;
/// Items on a page if the request has no `?limit=`.
const DEFAULT_LIMIT: usize = 50;
/// Largest value of `?limit=`; more is refused.
const MAX_LIMIT: usize = 100;
const INVALID_CURSOR: &str = "value must be a next_cursor of this operation";
/// Longest name of an unknown parameter that the response repeats, in bytes.
const MAX_SHOWN: usize = 32;

/// The query string of a request, and the faults found so far.
struct Query<'a> {
    text: &'a str,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

/// Marks a request whose query was checked.
#[derive(Clone)]
struct QueryRead;

impl<'a> Query<'a> {
    fn of(parts: &'a Parts) -> Self {
        Self { text: parts.uri.query().unwrap_or_default(), known: Vec::new(), faults: Vec::new() }
    }

    /// The first value of a parameter, parsed; `None` if it is absent or invalid. A name without a value has an empty
    /// value, so that an incomplete filter is refused rather than ignored.
    fn read<T>(&mut self, name: &'static str, message: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.known.push(name);
        let mut named = self.pairs().filter(|(encoded, _)| decoded(encoded).as_deref() == Some(name));
        let (_, encoded) = named.next()?;
        let is_repeated = named.next().is_some();
        let value = decoded(encoded).and_then(|text| parse(&text)).filter(|_| !is_repeated);
        if value.is_none() {
            let message = if is_repeated { "parameter is given twice" } else { message };
            self.faults.push(Fault::of_query(name, FaultKind::ValueError, message));
        }
        value
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = self.text.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// Notes each parameter that was not read, once.
    fn refuse_unknown(&mut self) {
        let mut names = BTreeSet::new();
        // Not `collect`, which sorts before: the sort of the standard library takes 3 kB.
        names.extend(self.pairs().map(|(encoded, _)| decoded(encoded).unwrap_or_default()));
        for name in names.into_iter().filter(|name| !self.known.contains(&name.as_str())) {
            let message = match self.known.as_slice() {
                [] => "operation takes no parameters".to_owned(),
                known => format!("operation takes only: {}", known.join(", ")),
            };
            self.faults.push(Fault::of_query(shown(name), FaultKind::ValueError, message));
        }
    }

    fn cursor(&mut self) -> Option<i64> {
        let parse = |text: &str| EventId::parse(text).filter(|_| text.len() <= MAX_CURSOR);
        self.read("cursor", INVALID_CURSOR, parse).map(EventId::get)
    }

    fn page(&mut self) -> PageRequest {
        let parse = |text: &str| usize::try_from(integer(text)?).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = self.read("limit", "value must be an integer from 1 to 100", parse);
        PageRequest { limit: limit.unwrap_or(DEFAULT_LIMIT), after: self.cursor() }
    }

    /// Returns the value, or a refusal that reports all faults.
    fn finish<T>(mut self, value: T) -> Result<T, Refusal> {
        self.refuse_unknown();
        if self.faults.is_empty() { Ok(value) } else { Err(Problem::validation(self.faults).into()) }
    }
}

/// A name as the response repeats it. A client may have put anything in its place, even a password.
fn shown(name: String) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.len() <= MAX_SHOWN && name.chars().all(is_name) { name } else { "?".to_owned() }
}

/// Refuses parameters of an operation that has read none.
pub(in crate::http) fn refuse_unread(parts: &Parts) -> Result<(), Refusal> {
    if parts.extensions.get::<QueryRead>().is_some() { Ok(()) } else { Query::of(parts).finish(()) }
}

/// The values of these parameters, of a request to which other servers add parameters of their own.
pub(in crate::http) fn values<const N: usize>(
    parts: &mut Parts,
    names: [&'static str; N],
) -> Result<[Option<String>; N], Refusal> {
    let mut query = Query::of(parts);
    let values = names.map(|name| query.read(name, "value is not percent-encoded", |text| Some(text.to_owned())));
    if !query.faults.is_empty() {
        return Err(Problem::validation(query.faults).into());
    }
    parts.extensions.insert(QueryRead);
    Ok(values)
}

/// Parses an integer; `3.0` is one too (JSON Schema Core §6.3).
fn integer(text: &str) -> Option<i64> {
    let text = text.strip_suffix(".0").unwrap_or(text);
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Decodes percent-encoding; `None` if an escape is malformed or the result is not UTF-8.
pub(in crate::http) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

macro_rules! from_query {
    ($name:ident, $read:expr) => {
        impl FromParts for $name {
            fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
                let mut query = Query::of(parts);
                let read: fn(&mut Query<'_>, &Parts) -> Result<Self, Refusal> = $read;
                let value = read(&mut query, parts)?;
                let value = query.finish(value)?;
                parts.extensions.insert(QueryRead);
                Ok(value)
            }
        }
    };
}

/// No parameters, for an operation that has neither a caller nor a body: nothing else would refuse them.
pub(in crate::http) struct NoParameters;

from_query!(NoParameters, |_, _| Ok(Self));

/// `?cursor=` of the export.
pub(in crate::http) struct ExportQuery(pub(in crate::http) Option<ExportCursor>);

from_query!(ExportQuery, |query, _| {
    let parse = |text: &str| ExportCursor::parse(text).filter(|_| text.split('-').all(|part| part.len() <= MAX_CURSOR));
    Ok(Self(query.read("cursor", INVALID_CURSOR, parse)))
});

/// `?limit=` and `?cursor=` of a list.
pub(in crate::http) struct Paging(pub(in crate::http) PageRequest);

from_query!(Paging, |query, _| Ok(Self(query.page())));

/// `?dry_run=` of an import.
pub(in crate::http) struct DryRun(pub(in crate::http) bool);

from_query!(DryRun, |query, _| {
    let dry_run = query.read("dry_run", "value must be true or false", |text| text.parse().ok());
    Ok(Self(dry_run.unwrap_or(false)))
});

/// The filters of the list of users.
pub(in crate::http) struct UserQuery(pub(in crate::http) UserFilter, pub(in crate::http) PageRequest);

from_query!(UserQuery, |query, parts| {
    let normalize = Configured::of(parts)?.normalize();
    let parse_email = |text: &str| Email::parse(text, normalize).ok();
    let email = query.read("email", "value is not a valid email address", parse_email);
    let parse_boolean = |text: &str| text.parse().ok();
    let is_active = query.read("is_active", "value must be true or false", parse_boolean);
    Ok(Self(UserFilter { email, is_active }, query.page()))
});

/// The filters of the list of events.
pub(in crate::http) struct EventQuery(pub(in crate::http) EventFilter, pub(in crate::http) PageRequest);

from_query!(EventQuery, |query, _| {
    let user_id = query.read("user_id", "value must be the id of something: a positive integer", |text| {
        integer(text).and_then(UserId::new)
    });
    let event_type = query.read("type", "value must be the type of an event", EventType::parse);
    Ok(Self(EventFilter { user_id, event_type }, query.page()))
});
