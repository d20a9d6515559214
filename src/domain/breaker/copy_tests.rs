//! When an isolate calls the database, refuses, asks the breaker, and decides alone.

use super::*;
use crate::domain::breaker::Report;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const POLICY: Policy = Policy {
    failure_threshold: 2,
    failure_percent: 50,
    failure_window_ms: 60_000,
    recovery_timeout_ms: 30_000,
    max_probes: 1,
    probe_timeout_ms: 6_000,
};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

fn view(state: State, retry_after_ms: i64) -> View {
    View { state, forced: false, failure_count: 5, retry_after_ms, version: 0 }
}

/// A question that begins and is never answered.
fn lost(copy: &mut BreakerCopy, now: Timestamp) -> bool {
    let begun = copy.begin_question();
    copy.question_lost(begun, now)
}

fn decision(advice: Advice, refresh: bool) -> Decision {
    Decision { advice, refresh }
}

#[test]
fn every_request_asks_until_the_first_answer_arrives() {
    let mut copy = BreakerCopy::default();
    assert_eq!(copy.decide(at(0), &POLICY), decision(Advice::FirstAsk, false));
    assert_eq!(copy.decide(at(1), &POLICY), decision(Advice::FirstAsk, false));
    copy.learn(&view(State::Closed, 0), at(2));
    assert_eq!(copy.decide(at(3), &POLICY), decision(Advice::Go, false));
}

#[test]
fn a_closed_breaker_is_refreshed_only_when_the_copy_is_stale() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::Closed, 0), at(0));
    for millis in [0, 1, FRESH_MS - 1] {
        assert_eq!(copy.decide(at(millis), &POLICY), decision(Advice::Go, false));
    }
    assert_eq!(copy.decide(at(FRESH_MS), &POLICY), decision(Advice::Go, true));
    assert_eq!(copy.decide(at(FRESH_MS), &POLICY), decision(Advice::Go, false));
}

#[test]
fn an_open_breaker_refuses_at_once_and_is_asked_when_due() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::Open, 30_000), at(0));
    assert_eq!(copy.decide(at(10), &POLICY), decision(Advice::Refuse { retry_after_ms: 29_990 }, false));
    let refuse = Advice::Refuse { retry_after_ms: 10_000 };
    assert_eq!(copy.decide(at(20_000), &POLICY), decision(refuse, true), "an operator may have closed it");
    assert_eq!(copy.decide(at(30_000), &POLICY), decision(Advice::Ask, false));
}

#[test]
fn during_a_probe_the_breaker_is_asked_again_soon() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::HalfOpen, 30_000), at(0));
    assert_eq!(copy.decide(at(0), &POLICY).advice, Advice::Refuse { retry_after_ms: 1_000 });
    assert_eq!(copy.decide(at(1_000), &POLICY).advice, Advice::Ask);
}

#[test]
fn an_unreachable_breaker_is_replaced_and_tried_again() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::Closed, 0), at(0));
    assert!(lost(&mut copy, at(1)), "a change");
    assert!(!lost(&mut copy, at(2)), "no change");
    assert_eq!(copy.decide(at(3), &POLICY), decision(Advice::Go, false));
    for _ in 0..2 {
        copy.local().unwrap().failed(&Report::UNNAMED, at(4), &POLICY);
    }
    assert_eq!(copy.decide(at(4), &POLICY), decision(Advice::Refuse { retry_after_ms: 30_000 }, false));
    assert!(copy.decide(at(2 + FRESH_MS), &POLICY).refresh);
    assert_eq!(copy.decide(at(30_004), &POLICY).advice, Advice::ProbeLocally(1));
    assert!(copy.learn(&view(State::Closed, 0), at(30_005)), "it is back");
    assert!(copy.local().is_none());
    assert_eq!(copy.decide(at(30_006), &POLICY), decision(Advice::Go, false));
}

#[test]
fn an_open_copy_stays_open_when_the_breaker_becomes_unreachable() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::Open, 30_000), at(0));
    lost(&mut copy, at(10_000));
    assert_eq!(copy.decide(at(10_000), &POLICY).advice, Advice::Refuse { retry_after_ms: 20_000 });
    assert_eq!(copy.decide(at(30_000), &POLICY).advice, Advice::ProbeLocally(1));
}

#[test]
fn a_clock_that_goes_backwards_does_not_freeze_the_copy() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::Closed, 0), at(1_000_000));
    assert_eq!(copy.decide(at(0), &POLICY), decision(Advice::Go, true));
}

#[test]
fn at_most_max_probes_requests_ask_concurrently() {
    let mut copy = BreakerCopy::default();
    copy.learn(&view(State::Open, 30_000), at(0));
    assert_eq!(copy.decide(at(30_000), &POLICY).advice, Advice::Ask);
    for _ in 0..50 {
        assert_eq!(copy.decide(at(30_000), &POLICY).advice, Advice::Refuse { retry_after_ms: 1_000 });
    }
    copy.ask_finished();
    assert_eq!(copy.decide(at(30_001), &POLICY).advice, Advice::Ask);
    assert_eq!(copy.decide(at(31_001), &POLICY).advice, Advice::Ask, "a request that vanished frees its place");
    let two = Policy { max_probes: 2, ..POLICY };
    assert_eq!(copy.decide(at(31_001), &two).advice, Advice::Ask);
    assert_eq!(copy.decide(at(31_001), &two).advice, Advice::Refuse { retry_after_ms: 1_000 });
}

#[test]
fn an_older_view_does_not_replace_a_fresh_newer_one() {
    let newer = View { version: 7, ..view(State::Open, 30_000) };
    let older = View { version: 6, ..view(State::Closed, 0) };
    let mut copy = BreakerCopy::default();
    copy.learn(&newer, at(0));
    copy.learn(&older, at(1));
    assert_eq!(copy.decide(at(1), &POLICY).advice, Advice::Refuse { retry_after_ms: 29_999 });
    copy.learn(&older, at(FRESH_MS));
    assert_eq!(copy.decide(at(FRESH_MS), &POLICY).advice, Advice::Go, "lost storage restarts the versions");
}

#[test]
fn an_unanswered_question_is_ignored_if_another_was_answered() {
    let mut copy = BreakerCopy::default();
    let begun = copy.begin_question();
    copy.learn(&view(State::Closed, 0), at(0));
    assert!(!copy.question_lost(begun, at(1)));
    assert!(copy.local().is_none());
}

#[test]
fn a_forced_state_stays_forced_when_the_breaker_becomes_unreachable() {
    for state in [State::Open, State::Closed] {
        let mut copy = BreakerCopy::default();
        copy.learn(&View { forced: true, ..view(state, 0) }, at(0));
        lost(&mut copy, at(1));
        for _ in 0..10 {
            copy.local().unwrap().failed(&Report::UNNAMED, at(2), &POLICY);
        }
        let advice = copy.decide(at(1_000_000), &POLICY).advice;
        assert_eq!(advice == Advice::Go, state == State::Closed);
        assert_eq!(copy.view(at(2), &POLICY).state, state);
    }
}

#[test]
fn the_view_of_the_copy_can_be_inspected() {
    let mut copy = BreakerCopy::default();
    assert_eq!(copy.view(at(0), &POLICY).state, State::Closed);
    assert!(!copy.is_open());
    copy.learn(&view(State::Open, 30_000), at(0));
    assert!(copy.is_open());
    assert_eq!(copy.view(at(10_000), &POLICY), view(State::Open, 20_000));
    lost(&mut copy, at(10_000));
    assert!(!copy.is_open(), "the local breaker counts failures itself");
    assert_eq!(copy.view(at(10_000), &POLICY).state, State::Open);
}
