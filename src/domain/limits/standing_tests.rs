//! The standing of attempts: known, unknown, blocked.

use super::*;
use crate::domain::limits::throttle::DAY_MS;
use crate::domain::secret::Secret;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOME: &str = "192.0.2.1";

fn key() -> HashKey {
    HashKey::derive(&Secret::new("k".repeat(32)))
}

fn owner() -> UserId {
    UserId::new(7).unwrap()
}

fn device() -> (UserId, TokenId) {
    (owner(), TokenId::from_random([1; 16]))
}

fn known(place: i64, tag: &str) -> StoredCounter {
    let key = format!("user/7/known/{place:02}");
    StoredCounter { key, tag: Some(tag.to_owned()), signed_in_at: Some(NOW.millis() - 1), ..StoredCounter::default() }
}

fn home() -> StoredCounter {
    known(0, &key().network_tag(HOME))
}

fn slot_of(network: &str) -> StoredCounter {
    StoredCounter { key: Scope::User(owner()).slot(&key(), network), ..StoredCounter::default() }
}

/// All unknown networks are refused.
fn flooded() -> StoredCounter {
    StoredCounter { failures: 100, closed_until: NOW.millis() + DAY_MS, ..slot_of("198.51.100.1") }
}

fn stand(counters: &[StoredCounter], network: &str, device: Option<&(UserId, TokenId)>) -> (Kind, bool) {
    let client = Client { key: &key(), other_keys: &[], network, device };
    let standing = judge(Scope::User(owner()), counters, None, &client, NOW);
    (standing.counter.kind, standing.is_blocked)
}

#[test]
fn a_flood_refuses_unknown_networks_and_neither_known_ones_nor_devices() {
    let counters = [home(), flooded()];
    assert_eq!(stand(&counters, "203.0.113.9", None), (Kind::Unknown, true));
    assert_eq!(stand(&counters, HOME, None), (Kind::Network, false));
    assert_eq!(stand(&counters, "203.0.113.9", Some(&device())), (Kind::Device, false));
}

#[test]
fn the_device_token_of_another_account_makes_no_attempt_known() {
    let stranger = (UserId::new(8).unwrap(), device().1);
    assert_eq!(stand(&[flooded()], "203.0.113.9", Some(&stranger)), (Kind::Unknown, true));
    let client = Client { key: &key(), other_keys: &[], network: HOME, device: Some(&stranger) };
    assert_eq!(kept_device(owner(), &[], &client), None);
}

#[test]
fn a_network_is_known_for_ninety_days_after_its_last_sign_in() {
    let signed_in = |ago| StoredCounter { signed_in_at: Some(NOW.millis() - ago), ..home() };
    assert_eq!(stand(&[signed_in(90 * DAY_MS - 1)], HOME, None).0, Kind::Network);
    assert_eq!(stand(&[signed_in(90 * DAY_MS)], HOME, None).0, Kind::Unknown);
    assert_eq!(stand(&[StoredCounter { signed_in_at: None, ..home() }], HOME, None).0, Kind::Unknown);
}

#[test]
fn the_network_of_the_registration_is_known_without_a_row() {
    let client = Client { key: &key(), other_keys: &[], network: HOME, device: None };
    let tag = key().network_tag(HOME);
    let kind = |counters: &[StoredCounter], tag: &str| {
        judge(Scope::User(owner()), counters, Some(tag), &client, NOW).counter.kind
    };
    let failing = |failures| [StoredCounter { failures, signed_in_at: None, ..home() }];
    assert_eq!(kind(&[], &tag), Kind::Network);
    assert_eq!(kind(&[], &key().network_tag("192.0.2.2")), Kind::Unknown);
    assert_eq!(kind(&failing(99), &tag), Kind::Network);
    assert_eq!(kind(&failing(100), &tag), Kind::Unknown);
    let full: Vec<StoredCounter> = (0..20).map(|place| known(place, &format!("network/{place}"))).collect();
    assert_eq!(kind(&full, &tag), Kind::Unknown, "twenty others are known");
}

/// Isolates with the old and the new key count in the same row, so that a change of the key allows no further guesses.
#[test]
fn a_network_on_file_under_another_key_is_known_and_counts_in_its_row() {
    let others = [HashKey::derive(&Secret::new("l".repeat(32)))];
    let client = Client { key: &key(), other_keys: &others, network: HOME, device: None };
    let alone = Client { other_keys: &[], ..client };
    let [tag, other_tag] = [key().network_tag(HOME), others[0].network_tag(HOME)];
    let stand = |counters: &[StoredCounter], registered_from: Option<&str>, client: &Client<'_>| {
        let standing = judge(Scope::User(owner()), counters, registered_from, client, NOW);
        (standing.counter.kind, standing.counter.tag)
    };
    let elsewhere = known(0, &others[0].network_tag("192.0.2.2"));
    let old = known(1, &other_tag);
    assert_eq!(stand(&[elsewhere.clone(), old.clone()], None, &client), (Kind::Network, Some(other_tag.clone())));
    assert_eq!(stand(&[elsewhere.clone(), old.clone()], None, &alone), (Kind::Unknown, None));
    assert_eq!(stand(&[old.clone(), known(2, &tag)], None, &client), (Kind::Network, Some(tag.clone())));
    assert_eq!(stand(&[], Some(&other_tag), &client), (Kind::Network, Some(other_tag.clone())));
    assert_eq!(stand(&[], Some(&other_tag), &alone), (Kind::Unknown, None));
    let failing = StoredCounter { failures: 1, signed_in_at: None, ..old };
    assert_eq!(stand(&[failing], Some(&other_tag), &client), (Kind::Network, Some(other_tag)));
    assert_eq!(stand(&[elsewhere], None, &client), (Kind::Unknown, None));
}

#[test]
fn a_known_network_or_device_has_only_its_own_wait_and_is_unknown_after_a_hundred_failures() {
    let tag = device_tag(&device().1);
    let waiting = |counter: StoredCounter| StoredCounter { blocked_until: NOW.millis() + 1, failures: 99, ..counter };
    let used_up = |counter: StoredCounter| StoredCounter { failures: 100, ..counter };
    let counters = [waiting(home()), known(1, &tag)];
    assert_eq!(stand(&counters, HOME, None), (Kind::Network, true));
    assert_eq!(stand(&counters, HOME, Some(&device())), (Kind::Device, false));
    assert_eq!(stand(&[home(), waiting(known(1, &tag))], HOME, Some(&device())), (Kind::Device, true));
    assert_eq!(stand(&[home(), used_up(known(1, &tag))], HOME, Some(&device())), (Kind::Network, false));
    assert_eq!(stand(&[used_up(home()), flooded()], HOME, None), (Kind::Unknown, true));
    let client = Client { key: &key(), other_keys: &[], network: HOME, device: Some(&device()) };
    assert_eq!(kept_device(owner(), &[known(1, &tag)], &client), Some(device().1));
    assert_eq!(kept_device(owner(), &[used_up(known(1, &tag))], &client), None);
}

#[test]
fn a_wait_ends_at_its_end_and_concerns_only_the_networks_of_its_slot() {
    let until = |end| StoredCounter { blocked_until: end, ..slot_of(HOME) };
    assert_eq!(stand(&[until(NOW.millis() + 1)], HOME, None), (Kind::Unknown, true));
    assert_eq!(stand(&[until(NOW.millis())], HOME, None), (Kind::Unknown, false));
    let elsewhere =
        (0..99).map(|last| format!("198.51.100.{last}")).find(|network| slot_of(network).key != slot_of(HOME).key);
    assert_eq!(stand(&[until(NOW.millis() + 1)], &elsewhere.unwrap(), None), (Kind::Unknown, false));
}

fn used_up(place: i64, tag: &str) -> StoredCounter {
    StoredCounter { failures: 100, failed_at: NOW.millis() - 1, ..known(place, tag) }
}

/// Strangers fill every slot with failures, and known networks take all places.
#[test]
fn a_device_without_a_row_is_known_and_never_waits() {
    let mut counters: Vec<StoredCounter> = (0..20).map(|place| used_up(place, &format!("network/{place}"))).collect();
    counters.push(flooded());
    let slot = StoredCounter { blocked_until: i64::MAX, failures: 100, closed_until: i64::MAX, ..slot_of(HOME) };
    counters.push(slot);
    assert_eq!(stand(&counters, HOME, Some(&device())), (Kind::Device, false));
    assert_eq!(stand(&counters, HOME, None), (Kind::Unknown, true));
}

/// A further token would replace one of the used-up devices, which would then have guesses again.
#[test]
fn a_device_without_a_row_is_unknown_while_guesses_have_used_up_a_device_in_every_place() {
    let mut counters: Vec<StoredCounter> = (0..20).map(|place| used_up(place, &format!("device/{place}"))).collect();
    assert_eq!(stand(&counters, HOME, Some(&device())), (Kind::Unknown, false));
    counters[7].failures = 99;
    assert_eq!(stand(&counters, HOME, Some(&device())), (Kind::Device, false));
    counters[7] = used_up(7, "network/7");
    assert_eq!(stand(&counters, HOME, Some(&device())), (Kind::Device, false));
    // Its tokens have expired, so its place may be taken.
    counters[7] = StoredCounter { failed_at: NOW.millis() - 90 * DAY_MS, ..used_up(7, "device/7") };
    assert_eq!(stand(&counters, HOME, Some(&device())), (Kind::Device, false));
}
