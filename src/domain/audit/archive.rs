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

/// The newest object of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of the object, from 1 on.
    pub object: i64,
    /// The SHA-256 of all its bytes, in hexadecimal.
    pub sha256: String,
    /// The oldest object that the retention keeps.
    pub first_kept: i64,
    /// The number of events of all objects so far.
    pub total: i64,
}

impl Head {
    /// The state before the first object.
    #[must_use]
    pub fn origin() -> Self {
        Self { object: 0, sha256: ORIGIN.to_owned(), first_kept: 1, total: 0 }
    }

    /// The text that proves later that nothing up to this object was changed, left out or cut off.
    #[must_use]
    pub fn text(&self, kid: &str) -> String {
        format!("{}:{}:{kid}", self.object, self.sha256)
    }
}

/// An object, as the register has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The head, once the object is registered.
    pub head: Head,
    /// The ids of its events.
    pub ids: Vec<i64>,
    /// The time of its newest event.
    pub newest_at: Option<i64>,
    /// The time at which it was made.
    pub made_at: i64,
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

/// An event of an object.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names of the others say it")]
pub struct ArchivedEvent {
    pub id: i64,
    /// Its time in milliseconds.
    pub created_at: i64,
    /// Its columns as a JSON object, which begins with these two; without the personal ones.
    pub columns: String,
    /// The personal columns, encrypted; absent after an erasure.
    pub personal: Option<String>,
}

impl ArchivedEvent {
    /// The ciphertext has no character that JSON would escape.
    fn write_line(&self, text: &mut String) {
        text.push_str(self.columns.strip_suffix('}').unwrap_or(&self.columns));
        match &self.personal {
            Some(personal) => push_all(text, &[",\"personal\":\"", personal, "\"}\n"]),
            None => text.push_str(",\"personal\":null}\n"),
        }
    }
}

fn push_all(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}

/// The input keying material of an event's personal fields. Without any one of its parts they cannot be read.
#[must_use]
pub fn personal_secret(master: &str, subject: Option<&str>, actor: Option<&str>) -> String {
    format!("{master}.{}.{}", subject.unwrap_or_default(), actor.unwrap_or_default())
}

/// The signed text of an object, which has this text before its last line.
fn to_be_signed(object: i64, before: &str) -> String {
    format!("edge-auth audit object\n{object}\n{}", sha256(before.as_bytes()))
}

/// One copy of the code for all hashes: a thousand events take three milliseconds.
#[inline(never)]
fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The first line of an object, with its line feed.
fn header(head: &Head, public_key: &str, first: i64, made_at: i64, events: usize) -> (String, Head) {
    let events = i64::try_from(events).unwrap_or(i64::MAX);
    let next = Head { object: head.object + 1, sha256: String::new(), first_kept: first, total: head.total + events };
    let (object, total, previous) = (next.object, next.total, &head.sha256);
    let line = format!(
        "{{\"format\":\"{FORMAT}\",\"object\":{object},\"first\":{first},\"previous\":\"{previous}\",\
         \"key\":{public_key},\"made_at\":{made_at},\"events\":{events},\"total\":{total}}}\n"
    );
    (line, next)
}

/// An object without its last line.
#[derive(Debug)]
pub struct Draft {
    text: String,
    entry: Entry,
}

impl Draft {
    /// The successor of `head`. The events are in the order of time and id.
    #[must_use]
    pub fn new(head: &Head, first_kept: i64, made_at: Timestamp, public_key: &str, events: &[ArchivedEvent]) -> Self {
        let (mut text, head) = header(head, public_key, first_kept, made_at.millis(), events.len());
        for event in events {
            event.write_line(&mut text);
        }
        let newest_at = events.iter().map(|event| event.created_at).max();
        let ids = events.iter().map(|event| event.id).collect();
        Self { text, entry: Entry { head, ids, newest_at, made_at: made_at.millis() } }
    }

    /// The text to be signed.
    #[must_use]
    pub fn to_be_signed(&self) -> String {
        to_be_signed(self.entry.head.object, &self.text)
    }

    /// The whole text, and its row of the register.
    #[must_use]
    pub fn signed(mut self, signature: &str) -> (String, Entry) {
        push_all(&mut self.text, &[LAST_LINE.0, signature, LAST_LINE.1]);
        self.entry.head.sha256 = sha256(self.text.as_bytes());
        (self.text, self.entry)
    }
}

/// The last line of an object, around its signature.
const LAST_LINE: (&str, &str) = ("{\"signature\":\"", "\"}\n");

/// An object that is in the bucket already, as it claims to be.
#[derive(Debug)]
pub struct Found {
    /// Its row of the register.
    pub entry: Entry,
    /// The text whose signature shows that this service made it.
    pub to_be_signed: String,
    /// The signature of that text.
    pub signature: String,
}

/// Reads an object in the place of the successor of `head`, by the letter of the format; `None` if it is none. Its header has to
/// be the one that this service would write.
#[must_use]
pub fn read(head: &Head, public_key: &str, bytes: &[u8]) -> Option<Found> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (signed, signature) = text.strip_suffix(LAST_LINE.1)?.rsplit_once(LAST_LINE.0)?;
    let (first_line, lines) = signed.split_at(signed.find('\n')? + 1);
    let events: Vec<(i64, i64)> = lines.lines().map(id_and_time).collect::<Option<_>>()?;
    let (first, made_at) = (number(first_line, "\"first\":")?, number(first_line, "\"made_at\":")?);
    let (expected, next) = header(head, public_key, first, made_at, events.len());
    let is_successor = first_line == expected && (head.first_kept..=next.object).contains(&first);
    is_successor.then(|| Found {
        to_be_signed: to_be_signed(next.object, signed),
        signature: signature.to_owned(),
        entry: Entry {
            head: Head { sha256: sha256(bytes), ..next },
            newest_at: events.iter().map(|(_, created_at)| *created_at).max(),
            ids: events.into_iter().map(|(id, _)| id).collect(),
            made_at,
        },
    })
}

fn id_and_time(line: &str) -> Option<(i64, i64)> {
    Some((number(line, "{\"id\":")?, number(line, ",\"created_at\":")?))
}

/// The number behind the first occurrence of this text.
fn number(line: &str, before: &str) -> Option<i64> {
    let (_, rest) = line.split_once(before)?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
