//! Ids of events grow with time, and refusals have places of their own.

use std::collections::BTreeSet;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::domain::audit::Reason;
use crate::domain::authz::Permission;
use crate::domain::secret::Secret;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn key() -> HashKey {
    HashKey::derive(&Secret::new("5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7".to_owned()))
}

fn places(now: Timestamp, subject: &str, network: &str) -> RefusalPlaces {
    RefusalPlaces::of(&key(), now, (EventType::SignInRefused, "wrong_password"), subject, network)
}

#[test]
fn ids_grow_with_time_and_fit_a_json_number() {
    let id = |millis| EventStamp::draw(Timestamp::from_millis(millis), [0xff; 8]).id();
    assert_eq!(id(1_800_000_000_008) - id(1_800_000_000_007), PER_MS);
    assert!(id(3_900_000_000_000) < MAX_SAFE_INTEGER, "2093");
    assert!(id(0) > 0, "a clock before 2025");
}

#[test]
fn an_event_never_has_the_place_of_a_refusal() {
    for millis in [0, 1, 2, 3, HOUR_MS - 1] {
        let now = Timestamp::from_millis(NOW.millis() - NOW.millis() % HOUR_MS + millis);
        let id = EventStamp::draw(now, [0; 8]).id();
        let first = places(now, "", "").first;
        assert!(id >= first + PLACES, "{millis} ms");
        assert!(id + PLACES <= first + HOUR_MS * PER_MS, "{millis} ms: nor have the ids behind it");
    }
}

#[test]
fn events_of_different_types_have_different_nonces() {
    for byte in [0, 0x7f, 0xff] {
        let stamp = EventStamp::draw(NOW, [byte; 8]);
        let nonces = EventType::ALL.iter().map(|event_type| stamp.nonce_of(*event_type));
        let nonces: BTreeSet<i64> = nonces.into_iter().chain([stamp.nonce()]).collect();
        assert_eq!(nonces.len(), EventType::ALL.len() + 1);
        assert!(nonces.iter().all(|nonce| (0..=MAX_SAFE_INTEGER).contains(nonce)));
    }
}

#[test]
fn refusals_of_one_user_and_network_within_an_hour_have_one_place() {
    let later = Timestamp::from_millis(NOW.millis() + HOUR_MS - 1);
    let next = Timestamp::from_millis(NOW.millis() + HOUR_MS);
    assert_eq!(places(NOW, "7", "192.0.2.0/24"), places(later, "7", "192.0.2.0/24"));
    assert_ne!(places(NOW, "7", "192.0.2.0/24").own, places(next, "7", "192.0.2.0/24").own);
    assert_ne!(places(NOW, "7", "192.0.2.0/24").own.tag, places(NOW, "8", "192.0.2.0/24").own.tag);
    assert_ne!(places(NOW, "7", "192.0.2.0/24").own.tag, places(NOW, "7", "192.0.3.0/24").own.tag);
    for network in 0..1000 {
        assert_eq!(places(NOW, "7", &network.to_string()).of_user, places(NOW, "7", "192.0.2.0/24").of_user);
    }
}

#[test]
fn the_places_of_an_hour_are_its_own_and_the_two_buckets_differ() {
    for number in 0..2000 {
        let places = places(NOW, &number.to_string(), "192.0.2.0/24");
        assert_ne!(places.own.first, places.of_user.first);
        for bucket in [places.own, places.of_user] {
            assert!(bucket.first >= places.first && bucket.last <= places.last);
            assert_eq!(bucket.last - bucket.first + 1, BUCKET);
        }
        assert!(places.of_kind > places.last && places.of_kind < places.first + PLACES);
    }
    assert_eq!(places(NOW, "", "").last - places(NOW, "", "").first + 1, 5000);
}

#[test]
fn every_kind_of_refusal_has_a_place_of_its_own() {
    let refusals = EventType::ALL.iter().copied().filter(|event_type| event_type.is_refusal());
    let permissions: Vec<&str> = Permission::all().map(|(name, _)| name).collect();
    let reasons = Reason::ALL.map(Reason::as_str);
    let kinds = refusals.flat_map(|event_type| {
        let reasons = if event_type == EventType::AccessRefused { permissions.clone() } else { reasons.to_vec() };
        reasons.into_iter().map(move |reason| (event_type.as_str(), reason))
    });
    let kinds: Vec<_> = kinds.collect();
    let places: BTreeSet<i64> = kinds.iter().map(|(event_type, reason)| place_of_kind(event_type, reason)).collect();
    assert_eq!(places.len(), kinds.len());
}
