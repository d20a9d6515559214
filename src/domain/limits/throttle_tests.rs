//! The numbers of the throttle, and its stored format.

use super::*;
use crate::domain::secret::Secret;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn key() -> HashKey {
    HashKey::derive(&Secret::new("k".repeat(32)))
}

fn user(id: i64) -> Scope {
    Scope::User(UserId::new(id).unwrap())
}

#[test]
fn throttle_key_format_unchanged() {
    assert_eq!(reauthentication_key(UserId::new(7).unwrap()), "user/7/reauthentication");
    assert_eq!(user(7).known_range(), ("user/7/known/".to_owned(), "user/7/known0".to_owned()));
    assert_eq!(user(7).unknown_range(), ("user/7/unknown/".to_owned(), "user/7/unknown0".to_owned()));
    assert_eq!(Scope::NoAccount(1023).range(), ("unknown/1023/".to_owned(), "unknown/10230".to_owned()));
    assert_eq!(user(7).slot(&key(), "192.0.2.1"), "user/7/unknown/28");
    assert_eq!(key().network_tag("192.0.2.1"), "network/fc5552b6e1c58d32");
}

#[test]
fn the_keys_of_a_user_are_a_range_without_those_of_others() {
    let (first, last) = user(7).range();
    let keys = |id| [user(id).slot(&key(), "x"), user(id).known_range().0 + "00", user(id).unknown_range().0 + "31"];
    assert!(keys(7).iter().all(|key| first < *key && *key < last));
    assert!([70, 71, 8].into_iter().flat_map(keys).all(|key| key < first || key > last));
}

#[test]
fn the_first_failure_beyond_the_free_ones_waits_one_second_and_each_further_one_doubles_it() {
    let waits: Vec<i64> = (4..=17).map(|failures| wait_ms(failures, FREE_FAILURES) / 1000).collect();
    assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    assert_eq!((wait_ms(20, FREE_FAILURES_OF_ALL), wait_ms(21, FREE_FAILURES_OF_ALL)), (0, 1000));
    assert_eq!(wait_ms(i64::MAX, FREE_FAILURES), MAX_WAIT_MS);
    assert_eq!(wait_ms(0, FREE_FAILURES), 0);
}

/// Those of all unknown networks together, and those of a known one. Then they are refused.
#[test]
fn a_hundred_guesses_take_most_of_a_day() {
    let within_a_day = |free| {
        let mut spent = 0;
        (1..=MAX_FAILURES)
            .take_while(|failures| {
                spent += wait_ms(failures - 1, free);
                spent < DAY_MS
            })
            .count()
    };
    let spent: i64 = (1..MAX_FAILURES).map(|failures| wait_ms(failures, FREE_FAILURES_OF_ALL)).sum();
    assert_eq!(spent / 1000, 1023 + 69 * 900, "17 hours and a half");
    let own: i64 = (1..MAX_FAILURES).map(|failures| wait_ms(failures, FREE_FAILURES)).sum();
    assert_eq!(own / 1000, 1023 + 84 * 900, "21 hours and a quarter");
    assert_eq!(within_a_day(FREE_FAILURES_OF_ALL), 100);
    assert_eq!(within_a_day(FREE_FAILURES), 100);
}

#[test]
fn a_block_ends_at_its_blocked_until_time() {
    let until = Timestamp::from_millis(5000);
    let throttle = Throttle { blocked_until: until };
    assert!(throttle.is_blocked(Timestamp::from_millis(4999)));
    assert!(!throttle.is_blocked(until));
}

#[test]
fn addresses_without_an_account_use_all_sets_of_counters_and_no_others() {
    let scope = |number: i32| {
        let address = format!("unknown-{number}@example.com");
        let email = Email::parse(&address, crate::domain::unicode::for_tests::normalize).unwrap();
        match Scope::without_account(&email) {
            Scope::NoAccount(number) => number,
            Scope::User(_) => panic!("no account was given"),
        }
    };
    let numbers: std::collections::BTreeSet<u16> = (0..20_000).map(scope).collect();
    assert_eq!((numbers.len(), numbers.last()), (1024, Some(&1023)));
}

#[test]
fn networks_share_thirty_two_rows_of_each_account_by_a_keyed_hash() {
    let slots = |id: i64, key: &HashKey| -> Vec<String> {
        (0..1000).map(|network| user(id).slot(key, &format!("192.0.2.{network}"))).collect()
    };
    let [own, other] = [slots(7, &key()), slots(8, &key())];
    assert_eq!(own.iter().collect::<std::collections::BTreeSet<_>>().len(), 32);
    let number = |slots: &[String]| slots.iter().map(|slot| slot[slot.len() - 2..].to_owned()).collect::<Vec<_>>();
    assert_ne!(number(&own), number(&other), "another account, another distribution");
    assert_ne!(own, slots(7, &HashKey::derive(&Secret::new("l".repeat(32)))), "it depends on the key");
}
