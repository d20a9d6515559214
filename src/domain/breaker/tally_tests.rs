//! The successes that a report brings, and reports that do not arrive.

use super::*;
use crate::domain::breaker::sample::{POLICY, at};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const ID: IsolateId = IsolateId::new(7);

fn tally(successes: u32, now: Timestamp) -> Tally {
    let mut tally = Tally::default();
    (0..successes).for_each(|_| tally.succeeded(now));
    tally
}

/// The failures and successes of the next report.
fn reported(tally: &mut Tally, now: Timestamp) -> (u32, u32) {
    let report = tally.failed(ID, now, &POLICY);
    assert_eq!(report.isolate, ID);
    (report.failures, report.successes)
}

#[test]
fn the_first_report_of_a_window_brings_the_last_successes_and_later_ones_bring_all() {
    let mut tally = tally(1_000, at(0));
    assert_eq!(reported(&mut tally, at(1)), (1, 2));
    assert_eq!(reported(&mut tally, at(1)), (1, 0), "each success is reported once");
    (0..99).for_each(|_| tally.succeeded(at(2)));
    assert_eq!(reported(&mut tally, at(60_000)), (1, 99));
    (0..99).for_each(|_| tally.succeeded(at(60_001)));
    assert_eq!(reported(&mut tally, at(120_000)), (1, 2), "a minute without a report");
}

#[test]
fn successes_older_than_the_window_do_not_count() {
    assert_eq!(reported(&mut tally(3, at(0)), at(59_999)), (1, 2));
    assert_eq!(reported(&mut tally(3, at(0)), at(60_000)), (1, 0));
    assert_eq!(reported(&mut tally(3, at(0)), at(-1)), (1, 0), "the clock was set back");
}

#[test]
fn a_report_that_did_not_arrive_is_part_of_the_next() {
    let mut tally = tally(1, at(0));
    let first = tally.failed(ID, at(1), &POLICY);
    tally.lost(&first);
    assert_eq!(reported(&mut tally, at(2)), (2, 1));
    let second = tally.failed(ID, at(3), &POLICY);
    tally.lost(&second);
    assert_eq!(reported(&mut tally, at(60_003)), (1, 0), "unless it is too old");
}

#[test]
fn the_look_back_depends_on_threshold_and_percentage() {
    let look_back =
        |threshold, percent| Policy { failure_threshold: threshold, failure_percent: percent, ..POLICY }.look_back();
    assert_eq!(look_back(5, 50), 2);
    assert_eq!(look_back(5, 25), 7);
    assert_eq!(look_back(5, 100), 1);
    assert_eq!(look_back(1, 50), 1);
    assert_eq!(look_back(1000, 1), 49_500);
    for threshold in 1..=100 {
        for percent in 1..=60 {
            let (failures, successes) = (u64::from(threshold), 2 * u64::from(look_back(threshold, percent)));
            let is_enough = failures * 100 >= (failures + successes) * u64::from(percent);
            assert!(is_enough || look_back(threshold, percent) == 1, "{threshold} failures at {percent} %");
        }
    }
}
