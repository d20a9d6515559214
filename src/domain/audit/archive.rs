//! The objects of the audit archive: their names, their text, and the chain that they form.
//!
//! ```text
//! {"format":"edge-auth-audit/1","object":2,…,"previous":"<SHA-256 of object 1>",…}    the header
//! {"id":…,"created_at":…,…,"personal":"<ciphertext>"}                                 a line for each event
//! {"signature":"…"}                                                                   over all bytes before this line
//! ```
//!
//! An object never changes. Its hash is in the next one, so that a later head proves all objects before it. The newest head is
//! in the register of the database, and in the log.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::hex;
use crate::domain::time::{DAY, Timestamp};

/// Events of an object at most.
pub const MAX_EVENTS: usize = 1000;
/// Bytes of an object at most. A line has at most about 1.5 kB, so a larger object is none of this service.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

const FORMAT: &str = "edge-auth-audit/1";
/// In the place of the hash that object 1 has no predecessor for.
pub const ORIGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The end of the whole day that is this many days ago. Whole days make few objects, and the refusals of an hour are counted
/// to the end.
#[must_use]
pub const fn cutoff(now: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_seconds((now.seconds().div_euclid(DAY) - days) * DAY)
}

/// The name of an object in the bucket.
#[must_use]
pub fn object_name(object: i64) -> String {
    format!("audit/{object:010}.ndjson")
}

/// The thumbprint of a public key, whose text has the members in the order of RFC 7638 §3.
#[must_use]
pub fn thumbprint(public_key: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(public_key))
}

/// A row of the register: one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number of the object, from 1 on.
    pub object: i64,
    /// The SHA-256 of all its bytes, in hexadecimal.
    pub sha256: String,
    /// The oldest object that the retention keeps.
    pub first_kept: i64,
    /// The number of its events.
    pub events: i64,
    /// The number of events of all objects so far.
    pub total: i64,
    /// The time of its newest event.
    pub newest_at: Option<Timestamp>,
    /// The time at which it was made.
    pub made_at: Timestamp,
}

impl Entry {
    /// The state before the first object.
    #[must_use]
    pub fn origin() -> Self {
        Self {
            object: 0,
            sha256: ORIGIN.to_owned(),
            first_kept: 1,
            events: 0,
            total: 0,
            newest_at: None,
            made_at: Timestamp::from_millis(0),
        }
    }

    /// The text that proves later that nothing up to this object was changed, left out or cut off.
    #[must_use]
    pub fn head(&self, kid: &str) -> String {
        format!("{}:{}:{kid}", self.object, self.sha256)
    }
}

/// An object as the retention sees it: its number, and the time of its newest event.
pub type Kept = (i64, Option<Timestamp>);

/// The oldest object that stays, of `kept` in ascending order: the first that is not due, or the one behind them. `None` if no
/// object with events is due. Objects without events go with those before them.
#[must_use]
pub fn first_to_stay(kept: &[Kept], cutoff: Timestamp) -> Option<i64> {
    let is_due = |(_, newest_at): &&Kept| newest_at.is_none_or(|newest_at| newest_at < cutoff);
    let due: Vec<&Kept> = kept.iter().take_while(is_due).collect();
    let (last, _) = due.last()?;
    let has_events = due.iter().any(|(_, newest_at)| newest_at.is_some());
    has_events.then(|| kept.get(due.len()).map_or(last + 1, |(object, _)| *object))
}

/// The line of an event.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields are the columns of the event")]
pub struct EventLine<'a> {
    pub id: i64,
    pub created_at: i64,
    #[serde(rename = "type")]
    pub event_type: &'a str,
    pub reason: Option<&'a str>,
    pub count: i64,
    pub last_at: i64,
    pub user_id: Option<i64>,
    pub session_id: Option<i64>,
    pub actor_id: Option<i64>,
    pub university_id: Option<i64>,
    pub object_id: Option<i64>,
    /// The encrypted [`Personal`]; absent after an erasure.
    pub personal: Option<&'a str>,
}

/// The personal fields of an event, which are encrypted together.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields are the columns of the event")]
pub struct Personal<'a> {
    pub ip: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    pub request_id: &'a str,
    pub ray: Option<&'a str>,
}

impl Personal<'_> {
    /// Is there nothing to encrypt, as after an erasure?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ip.is_none() && self.user_agent.is_none() && self.request_id.is_empty() && self.ray.is_none()
    }
}

/// The input keying material of an event's personal fields. Without any one of its parts they cannot be read.
#[must_use]
pub fn personal_secret(master: &str, subject: Option<&str>, actor: Option<&str>) -> String {
    format!("{master}.{}.{}", subject.unwrap_or_default(), actor.unwrap_or_default())
}

/// The signed text of an object.
fn to_be_signed(object: i64, digest: &[u8]) -> String {
    format!("edge-auth audit object\n{object}\n{}", hex(digest))
}

/// An object without its last line.
#[derive(Debug)]
pub struct Draft {
    text: String,
    hash: Sha256,
    entry: Entry,
}

impl Draft {
    /// The successor of `head` with these lines, each with its event's time. They are in the order of time and id.
    #[must_use]
    pub fn new(
        head: &Entry,
        first_kept: i64,
        made_at: Timestamp,
        public_key: &str,
        lines: &[(String, Timestamp)],
    ) -> Self {
        let (object, events) = (head.object + 1, i64::try_from(lines.len()).unwrap_or(i64::MAX));
        let (total, previous) = (head.total + events, &head.sha256);
        let mut text = format!(
            "{{\"format\":\"{FORMAT}\",\"object\":{object},\"first\":{first_kept},\"previous\":\"{previous}\",\
             \"key\":{public_key},\"made_at\":{},\"events\":{events},\"total\":{total}}}\n",
            made_at.millis()
        );
        for (line, _) in lines {
            text.push_str(line);
            text.push('\n');
        }
        let hash = Sha256::new_with_prefix(&text);
        let newest_at = lines.iter().map(|(_, created_at)| *created_at).max();
        let entry = Entry { object, sha256: String::new(), first_kept, events, total, newest_at, made_at };
        Self { text, hash, entry }
    }

    /// The text to be signed.
    #[must_use]
    pub fn to_be_signed(&self) -> String {
        to_be_signed(self.entry.object, &self.hash.clone().finalize())
    }

    /// The whole text, and its row of the register.
    #[must_use]
    pub fn signed(mut self, signature: &str) -> (String, Entry) {
        let start = self.text.len();
        self.text.push_str("{\"signature\":\"");
        self.text.push_str(signature);
        self.text.push_str("\"}\n");
        self.hash.update(self.text.get(start..).unwrap_or_default());
        (self.text, Entry { sha256: hex(&self.hash.finalize()), ..self.entry })
    }
}

/// An object that is in the bucket already, as it claims to be.
#[derive(Debug)]
pub struct Found {
    /// Its row of the register.
    pub entry: Entry,
    /// The ids of its events.
    pub ids: Vec<i64>,
    /// The text whose signature shows that this service made it.
    pub to_be_signed: String,
    /// The signature of that text.
    pub signature: String,
}

#[derive(Deserialize)]
struct HeaderLine {
    format: String,
    object: i64,
    first: i64,
    previous: String,
    made_at: Timestamp,
    events: i64,
    total: i64,
}

#[derive(Deserialize)]
struct FoundEvent {
    id: i64,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct LastLine {
    signature: String,
}

/// Reads an object in the place of the successor of `head`; `None` if it is none.
#[must_use]
pub fn read(head: &Entry, bytes: &[u8]) -> Option<Found> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (before, last) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let signed = text.get(..before.len() + 1)?;
    let mut lines = before.split('\n');
    let header: HeaderLine = serde_json::from_str(lines.next()?).ok()?;
    let events: Vec<FoundEvent> = lines.map(serde_json::from_str).collect::<Result<_, _>>().ok()?;
    let LastLine { signature } = serde_json::from_str(last).ok()?;
    let count = i64::try_from(events.len()).ok()?;
    let is_successor = header.format == FORMAT
        && header.object == head.object + 1
        && header.previous == head.sha256
        && (head.first_kept..=header.object).contains(&header.first)
        && header.events == count
        && header.total == head.total + count;
    is_successor.then(|| Found {
        to_be_signed: to_be_signed(header.object, &Sha256::digest(signed)),
        signature,
        entry: Entry {
            object: header.object,
            sha256: hex(&Sha256::digest(bytes)),
            first_kept: header.first,
            events: count,
            total: header.total,
            newest_at: events.iter().map(|event| event.created_at).max(),
            made_at: header.made_at,
        },
        ids: events.into_iter().map(|event| event.id).collect(),
    })
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
