//! The standing of a sign-in attempt: which counter it belongs to, and whether a wait is in force.
//!
//! An attempt is *known* if it presents a device token of the account, or comes from a network from which the account
//! signed in within 90 days. It then has only its own wait. All other networks share 32 counters by a keyed hash, and
//! waits for all of them together. So strangers add at most 32 rows to an account.
//!
//! A device has a row only after a failure, and no wait without one. If no place is left, its first failure replaces
//! another row: `store::password::places` has the order. After 100 failures in a row, a device or a network is no longer
//! known.

use serde::Deserialize;

use crate::domain::ids::{TokenId, UserId};
use crate::domain::limits::throttle::{
    FREE_FAILURES, HashKey, KNOWN_FOR_MS, MAX_FAILURES, MAX_KNOWN, Scope, reauthentication_key, second_factor_key,
    unguessable_factor_key,
};
use crate::domain::time::Timestamp;

const _: () = assert!(FREE_FAILURES >= 1, "a device without a row has no wait");

/// A counter as it is stored.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct StoredCounter {
    /// Its key, of one of the ranges of [`Scope`].
    pub key: String,
    /// The known network or device.
    pub tag: Option<String>,
    /// Failures in a row.
    pub failures: i64,
    /// The last failure, in milliseconds since the Unix epoch.
    pub failed_at: i64,
    /// End of the wait of this counter, in milliseconds since the Unix epoch.
    pub blocked_until: i64,
    /// End of the wait of all unknown networks.
    pub closed_until: i64,
    /// The last sign-in from a known network.
    pub signed_in_at: Option<i64>,
}

/// The client of an attempt.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// The key of the hashes of networks.
    pub key: &'a HashKey,
    /// The keys of hashes that are on file too, while `SECRET_KEY` changes.
    pub other_keys: &'a [HashKey],
    /// Its IPv4 address or IPv6 /64.
    pub network: &'a str,
    /// User and device of a valid device token.
    pub device: Option<&'a (UserId, TokenId)>,
}

/// The kind of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Passwords that a signed-in user is asked for again.
    Reauthentication,
    /// Second factors after a right password.
    SecondFactor,
    /// A known network. That of the registration has a row only after a failure or another sign-in.
    Network,
    /// A known device; its first failure adds its row, or replaces another one.
    Device,
    /// A network from which the account did not sign in.
    Unknown,
}

/// The counter that an attempt belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The account, or the shared counters of addresses without one.
    pub scope: Scope,
    /// Determines which waits apply.
    pub kind: Kind,
    /// The row of an unknown network; a known network falls back to it if its own row was not to be had.
    pub key: String,
    /// Names the row of a known network or device.
    pub tag: Option<String>,
}

impl Counter {
    /// The counter of re-authentication.
    #[must_use]
    pub fn of_reauthentication(user_id: UserId) -> Self {
        let key = reauthentication_key(user_id);
        Self { scope: Scope::User(user_id), kind: Kind::Reauthentication, key, tag: None }
    }

    /// The counter of second factors after a right password.
    #[must_use]
    pub fn of_second_factor(user_id: UserId) -> Self {
        let key = second_factor_key(user_id);
        Self { scope: Scope::User(user_id), kind: Kind::SecondFactor, key, tag: None }
    }

    /// The counter of recovery codes and passkeys. No wait of it is asked for: it counts for the notices.
    #[must_use]
    pub fn of_unguessable_factor(user_id: UserId) -> Self {
        let key = unguessable_factor_key(user_id);
        Self { scope: Scope::User(user_id), kind: Kind::SecondFactor, key, tag: None }
    }

    /// The counter of a device that signed in before.
    #[must_use]
    pub fn of_device(user_id: UserId, key: &HashKey, network: &str, device: &TokenId) -> Self {
        let scope = Scope::User(user_id);
        Self { scope, kind: Kind::Device, key: scope.slot(key, network), tag: Some(device_tag(device)) }
    }

    /// The counter of a network from which the owner signs in without a password.
    #[must_use]
    pub fn of_network(user_id: UserId, key: &HashKey, network: &str) -> Self {
        let scope = Scope::User(user_id);
        Self { scope, kind: Kind::Network, key: scope.slot(key, network), tag: Some(key.network_tag(network)) }
    }
}

/// An attempt before its password is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where a failure counts, and a success resets.
    pub counter: Counter,
    /// Even the correct password is refused.
    pub is_blocked: bool,
}

/// The start of the tags of devices. The SQL repeats it.
const DEVICE: &str = "device/";

/// The tag of a device.
#[must_use]
pub fn device_tag(id: &TokenId) -> String {
    format!("{DEVICE}{}", id.as_str())
}

/// Finds the counter of an attempt among those of the account. `registered_from` is the tag of the network of a
/// registration within 90 days, which has a row only after a failure or another sign-in.
///
/// The SQL guards repeat the waits with the same numbers.
#[must_use]
pub fn judge(
    scope: Scope,
    counters: &[StoredCounter],
    registered_from: Option<&str>,
    client: &Client<'_>,
    now: Timestamp,
) -> Standing {
    let slot = scope.slot(client.key, client.network);
    let shared = counters.iter().find(|counter| counter.key == slot);
    let is_waiting = |counter: &StoredCounter| counter.blocked_until > now.millis();
    let stand =
        |kind, tag, is_blocked| Standing { counter: Counter { scope, kind, key: slot.clone(), tag }, is_blocked };
    if let Some(tag) = device_of(scope, client).map(device_tag) {
        match find(counters, &tag) {
            Some(own) if own.failures >= MAX_FAILURES => {}
            Some(own) => return stand(Kind::Device, Some(tag), is_waiting(own)),
            None if are_devices_used_up(counters, now) => {}
            None => return stand(Kind::Device, Some(tag), false),
        }
    }
    let (tag, own) = network_of(counters, registered_from, client);
    let signed_in = |time| time > now.millis() - KNOWN_FOR_MS;
    let signed_in = registered_from == Some(&tag) || own.and_then(|own| own.signed_in_at).is_some_and(signed_in);
    if signed_in && own.map_or_else(|| has_place(counters), |own| own.failures < MAX_FAILURES) {
        return stand(Kind::Network, Some(tag), own.is_some_and(is_waiting));
    }
    let is_closed = counters.iter().any(|counter| counter.closed_until > now.millis());
    stand(Kind::Unknown, None, is_closed || shared.is_some_and(is_waiting))
}

/// The device to name in the next device token: the presented one, unless guesses have used it up.
#[must_use]
pub fn kept_device(user_id: UserId, counters: &[StoredCounter], client: &Client<'_>) -> Option<TokenId> {
    let device = device_of(Scope::User(user_id), client)?;
    let is_used_up = find(counters, &device_tag(device)).is_some_and(|own| own.failures >= MAX_FAILURES);
    (!is_used_up).then(|| device.clone())
}

/// The tag of the client's network, and its row. If `SECRET_KEY` is changing, the tag may be one of another key: that of a
/// row, else that of the registration. So isolates with different keys count in the same row.
fn network_of<'a>(
    counters: &'a [StoredCounter],
    registered_from: Option<&str>,
    client: &Client<'_>,
) -> (String, Option<&'a StoredCounter>) {
    let keys = std::iter::once(client.key).chain(client.other_keys);
    let tags = keys.map(|key| key.network_tag(client.network));
    let tag = tags.min_by_key(|tag| (find(counters, tag).is_none(), registered_from != Some(tag.as_str())));
    let tag = tag.unwrap_or_default();
    let own = find(counters, &tag);
    (tag, own)
}

fn device_of<'a>(scope: Scope, client: &Client<'a>) -> Option<&'a TokenId> {
    client.device.filter(|(user_id, _)| scope.user_id() == Some(*user_id)).map(|(_, id)| id)
}

fn find<'a>(counters: &'a [StoredCounter], tag: &str) -> Option<&'a StoredCounter> {
    counters.iter().find(|counter| counter.tag.as_deref() == Some(tag))
}

fn has_place(counters: &[StoredCounter]) -> bool {
    is_below_most(counters.iter().filter(|counter| counter.tag.is_some()))
}

/// Does every place have a device that guesses have used up? A further device would replace one of them, which would then
/// have another guess. So more than [`MAX_KNOWN`] stolen tokens have no more guesses than as many.
fn are_devices_used_up(counters: &[StoredCounter], now: Timestamp) -> bool {
    let is_device = |counter: &StoredCounter| counter.tag.as_deref().is_some_and(|tag| tag.starts_with(DEVICE));
    let is_used_up = |counter: &StoredCounter| {
        counter.failures >= MAX_FAILURES && counter.failed_at > now.millis() - KNOWN_FOR_MS && is_device(counter)
    };
    !is_below_most(counters.iter().filter(|counter| is_used_up(counter)))
}

fn is_below_most<'a>(places: impl Iterator<Item = &'a StoredCounter>) -> bool {
    i64::try_from(places.count()).is_ok_and(|places| places < MAX_KNOWN)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
