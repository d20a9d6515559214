//! The keys of audit events: chosen by the service, not by the database, so that a batch can be repeated. A random nonce
//! says which request wrote an event. Its time says near which id it is.
//!
//! ```text
//!   event     milliseconds since 2025 × 4096, or the next id above those of the same and the next millisecond
//!   refusal   the hour's beginning in the same scale + a place in 0 … 8191, which no other event of the hour has
//!             0 … 4999        250 buckets of 20 rows: one per kind, user and network, or per kind and user.
//!                             50 of them are for refusals behind a token, so that strangers cannot crowd those out
//!             5000 … 8191     one row per kind, for refusals that found their bucket full
//! ```
//!
//! Ids stay below 2^53 until 2094, and are greater than those of earlier versions, which the database counted up.
//! A refusal is found by its place, so counting it again writes one row, and no index is needed. The number of places
//! bounds the rows of an hour.

use crate::domain::audit::EventType;
use crate::domain::limits::throttle::HashKey;
use crate::domain::time::Timestamp;

/// 2025-01-01T00:00:00Z, in milliseconds since the Unix epoch.
const EPOCH_MS: i64 = 1_735_689_600_000;
const HOUR_MS: i64 = 60 * 60 * 1000;
/// The number of ids in a millisecond.
const PER_MS: i64 = 1 << 12;
/// From the arrival of a request to its last event, with the time that it waits for the hash queue and the database.
const MAX_REQUEST_MS: i64 = 60 * 1000;
/// The largest number of 53 bits.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// Rows of refusals per user and hour; further ones are counted in one row per kind.
pub const MAX_REFUSALS_OF_USER: i64 = 20;
/// Rows of a bucket.
const BUCKET: i64 = 20;
const BUCKETS: i64 = 250;
/// The buckets of refusals that any client can cause. The others are for refusals behind a token.
const OPEN_BUCKETS: i64 = 200;
/// Rows of refusals per hour, apart from one per kind.
pub const MAX_REFUSALS: i64 = BUCKET * BUCKETS;
/// The places at the beginning of an hour: those of two milliseconds.
const PLACES: i64 = 2 * PER_MS;

/// A random number of one request, drawn before its batches, and the least id of its events.
#[derive(Debug, Clone, Copy)]
pub struct EventStamp {
    id: i64,
    nonce: i64,
}

impl EventStamp {
    /// Makes a stamp from random bytes.
    #[must_use]
    pub fn draw(now: Timestamp, bytes: [u8; 8]) -> Self {
        Self { id: 0, nonce: i64::from_le_bytes(bytes) & MAX_SAFE_INTEGER }.at(now)
    }

    /// The same stamp at another time: the body of a request may be complete seconds after its arrival. The ids from
    /// [`EventStamp::id`] on, as many as there are places, are between the places of two hours.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let since = (now.millis() - EPOCH_MS).max(0);
        let hour = since - since % HOUR_MS;
        let places_ms = PLACES / PER_MS;
        Self { id: since.clamp(hour + places_ms, hour + HOUR_MS - places_ms) * PER_MS, ..self }
    }

    /// The least id that an event of the request gets.
    #[must_use]
    pub const fn id(self) -> i64 {
        self.id
    }

    /// No event of a change gets a greater id: a body is complete ten seconds after the arrival, and the change is made then.
    #[must_use]
    pub const fn last_id(self) -> i64 {
        self.id + MAX_REQUEST_MS * PER_MS
    }

    /// Identifies a row that the request wrote, other than an event.
    #[must_use]
    pub const fn nonce(self) -> i64 {
        self.nonce
    }

    /// Identifies the event of this type that the request wrote, or the events that one statement wrote.
    #[must_use]
    pub const fn nonce_of(self, event_type: EventType) -> i64 {
        (self.nonce + 1 + event_type as i64) & MAX_SAFE_INTEGER
    }

    /// The first and the last number of the request's events. One request in 2^46 has numbers beyond them, from 0 on.
    #[must_use]
    pub const fn nonces(self) -> [i64; 2] {
        match EventType::ALL {
            [first, .., last] => [self.nonce + 1 + *first as i64, self.nonce + 1 + *last as i64],
            [] | [_] => [self.nonce, self.nonce],
        }
    }
}

/// The rows that may count a refusal: the ids of each, and the tags by which they are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalPlaces {
    /// Refusals of one kind and user from one network.
    pub own: Bucket,
    /// Refusals of one kind and user from further networks.
    pub of_user: Bucket,
    /// Refusals of one kind, if both buckets are full.
    pub of_kind: i64,
    /// The first place of the hour.
    pub first: i64,
    /// The last place of the hour that belongs to a bucket.
    pub last: i64,
}

/// A bucket of rows, one of which has the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// The first id of the bucket.
    pub first: i64,
    /// The last id of the bucket.
    pub last: i64,
    /// A keyed hash, so that strangers cannot choose refusals that share a bucket.
    pub tag: i64,
}

impl RefusalPlaces {
    /// The rows for a refusal of this type and reason. `subject` identifies the user, or is empty; `network` is the
    /// client's.
    #[must_use]
    pub fn of(key: &HashKey, now: Timestamp, kind: (EventType, &str), subject: &str, network: &str) -> Self {
        let since = (now.millis() - EPOCH_MS).max(0);
        let first = (since - since % HOUR_MS) * PER_MS;
        let (event_type, reason) = (kind.0.as_str(), kind.1);
        let range = if kind.0.needs_token() { OPEN_BUCKETS..BUCKETS } else { 0..OPEN_BUCKETS };
        let within = |number: i64| range.start + number % (range.end - range.start);
        let (own, own_tag) = bucket(key, &["refusal", event_type, reason, subject, network]);
        let (of_user, user_tag) = bucket(key, &["refusals", event_type, reason, subject]);
        // Two different buckets, so that the id of a row tells which of them it is in. That of the user is always the same.
        let (own, of_user) = (within(own), within(of_user));
        let own = if own == of_user { within(own - range.start + 1) } else { own };
        let at =
            |number: i64, tag| Bucket { first: first + number * BUCKET, last: first + (number + 1) * BUCKET - 1, tag };
        Self {
            own: at(own, own_tag),
            of_user: at(of_user, user_tag),
            of_kind: first + MAX_REFUSALS + place_of_kind(event_type, reason),
            first,
            last: first + MAX_REFUSALS - 1,
        }
    }
}

/// A number that chooses a bucket, and a tag of 53 bits.
fn bucket(key: &HashKey, texts: &[&str]) -> (i64, i64) {
    let hash = key.hash(texts);
    let number =
        |from: usize| hash.iter().skip(from).take(8).fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
    (number(8) & MAX_SAFE_INTEGER, number(0) & MAX_SAFE_INTEGER)
}

/// The start of the hash by which kinds have places. Another one is chosen if a new kind has the place of an old one.
const BASIS: u32 = 0x811c_9dc7;

/// A number below 3192 that no other kind has; a test compares all of them. FNV-1a.
fn place_of_kind(event_type: &str, reason: &str) -> i64 {
    let bytes = event_type.bytes().chain(*b"/").chain(reason.bytes());
    let hash = bytes.fold(BASIS, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from(hash ^ (hash >> 15)) % (PLACES - MAX_REFUSALS)
}

#[cfg(test)]
#[path = "event_keys_tests.rs"]
mod tests;
