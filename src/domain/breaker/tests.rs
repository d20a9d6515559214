//! The breaker's transitions, one by one and exhaustively; random histories are in `tests/api/breaker.rs`.

use super::*;
use crate::domain::breaker::sample::{POLICY, at};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// One failure of the same isolate each time.
const ONE: Report = Report { isolate: IsolateId::new(7), failures: 1, successes: 0 };

/// A breaker that opened at this time.
fn opened(millis: i64) -> Breaker {
    let mut breaker = Breaker::default();
    for _ in 0..5 {
        breaker.failed(&ONE, at(millis), &POLICY);
    }
    breaker
}

#[test]
fn the_breaker_opens_at_the_failure_threshold() {
    let mut breaker = Breaker::default();
    for failures in 1..=4 {
        breaker.failed(&ONE, at(failures), &POLICY);
        assert_eq!(breaker.state(at(failures)), State::Closed);
        assert_eq!(breaker.admit(at(failures), &POLICY), Admission::Go);
    }
    breaker.failed(&ONE, at(5), &POLICY);
    assert_eq!(breaker.admit(at(5), &POLICY), Admission::Refuse);
    let view = breaker.view(at(5), &POLICY);
    assert_eq!(view, View { state: State::Open, forced: false, failure_count: 5, retry_after_ms: 30_000, version: 0 });
}

#[test]
fn failures_count_only_within_the_window() {
    let mut breaker = Breaker::default();
    for _ in 0..4 {
        breaker.failed(&ONE, at(0), &POLICY);
    }
    assert_eq!(breaker.view(at(59_999), &POLICY).failure_count, 4);
    assert_eq!(breaker.view(at(60_000), &POLICY).failure_count, 0);
    let mut late = breaker.clone();
    late.failed(&ONE, at(60_000), &POLICY);
    assert_eq!(late.state(at(60_000)), State::Closed);
    breaker.failed(&ONE, at(59_999), &POLICY);
    assert_eq!(breaker.state(at(59_999)), State::Open);
}

#[test]
fn after_the_recovery_timeout_one_request_probes() {
    let mut breaker = opened(0);
    assert_eq!(breaker.admit(at(29_999), &POLICY), Admission::Refuse);
    assert_eq!(breaker.state(at(30_000)), State::HalfOpen);
    assert_eq!(breaker.admit(at(30_000), &POLICY), Admission::Probe(1));
    for _ in 0..50 {
        assert_eq!(breaker.admit(at(30_000), &POLICY), Admission::Refuse);
    }
    assert_eq!(breaker.view(at(30_000), &POLICY).retry_after_ms, 30_000);
}

#[test]
fn a_successful_probe_closes_the_breaker_and_resets_the_failures() {
    let mut breaker = opened(0);
    breaker.admit(at(30_000), &POLICY);
    breaker.probe_succeeded(1, ONE.isolate, at(30_001));
    let closed = View { state: State::Closed, forced: false, failure_count: 0, retry_after_ms: 0, version: 0 };
    assert_eq!(breaker.view(at(30_001), &POLICY), closed);
    breaker.failed(&ONE, at(30_001), &POLICY);
    assert_eq!(breaker.state(at(30_001)), State::Closed, "the old failures do not count");
}

#[test]
fn a_failed_probe_opens_the_breaker_for_another_recovery_timeout() {
    let mut breaker = opened(0);
    breaker.admit(at(30_000), &POLICY);
    breaker.probe_failed(1, at(31_000), &POLICY);
    assert_eq!(breaker.view(at(31_000), &POLICY).failure_count, 6);
    assert_eq!(breaker.admit(at(60_999), &POLICY), Admission::Refuse);
    assert_eq!(breaker.admit(at(61_000), &POLICY), Admission::Probe(2));
}

#[test]
fn the_lease_of_a_lost_probe_expires() {
    let mut breaker = opened(0);
    breaker.admit(at(30_000), &POLICY);
    assert_eq!(breaker.admit(at(59_999), &POLICY), Admission::Refuse);
    assert_eq!(breaker.admit(at(60_000), &POLICY), Admission::Probe(1));
    breaker.probe_succeeded(1, ONE.isolate, at(60_001));
    assert_eq!(breaker.state(at(60_001)), State::Closed);
}

#[test]
fn a_lease_lasts_as_long_as_the_probe_and_the_recovery_timeout() {
    assert_eq!(POLICY.lease_ms(), 30_000);
    assert_eq!(Policy { probe_timeout_ms: 61_000, ..POLICY }.lease_ms(), 61_000);
}

#[test]
fn reports_of_probes_from_an_earlier_round_are_ignored() {
    let mut breaker = opened(0);
    breaker.admit(at(30_000), &POLICY);
    breaker.probe_failed(1, at(30_001), &POLICY);
    breaker.admit(at(60_001), &POLICY);
    let probing = breaker.clone();
    breaker.probe_succeeded(1, ONE.isolate, at(60_002));
    breaker.probe_failed(1, at(60_002), &POLICY);
    assert_eq!(breaker, probing);
    breaker.probe_succeeded(2, ONE.isolate, at(60_003));
    breaker.probe_failed(2, at(60_003), &POLICY);
    assert_eq!(breaker.state(at(60_003)), State::Closed, "only one report per round counts");
}

#[test]
fn the_policy_can_allow_several_concurrent_probes() {
    let policy = Policy { max_probes: 3, ..POLICY };
    let mut breaker = opened(0);
    for _ in 0..3 {
        assert_eq!(breaker.admit(at(30_000), &policy), Admission::Probe(1));
        assert_eq!(breaker.view(at(30_000), &policy).state, State::HalfOpen);
    }
    assert_eq!(breaker.admit(at(30_000), &policy), Admission::Refuse);
    breaker.probe_failed(1, at(30_500), &policy);
    breaker.probe_succeeded(1, ONE.isolate, at(30_501));
    assert_eq!(breaker.state(at(30_501)), State::Open, "the first report decides");
}

#[test]
fn late_failures_of_earlier_requests_change_nothing() {
    let mut breaker = opened(0);
    breaker.failed(&ONE, at(10_000), &POLICY);
    assert_eq!(breaker, opened(0), "the recovery is not postponed");
    breaker.admit(at(30_000), &POLICY);
    let probing = breaker.clone();
    breaker.failed(&ONE, at(30_001), &POLICY);
    assert_eq!(breaker, probing);
}

#[test]
fn forced_states_hold_until_the_next_command() {
    let mut breaker = Breaker::default();
    breaker.command(Command::Open);
    assert_eq!(breaker.admit(at(1_000_000_000), &POLICY), Admission::Refuse);
    let view = View { state: State::Open, forced: true, failure_count: 0, retry_after_ms: 30_000, version: 0 };
    assert_eq!(breaker.view(at(0), &POLICY), view);
    breaker.command(Command::Closed);
    for _ in 0..10 {
        breaker.failed(&ONE, at(0), &POLICY);
    }
    assert_eq!(breaker.admit(at(0), &POLICY), Admission::Go);
    assert!(breaker.view(at(0), &POLICY).forced);
    breaker.command(Command::Automatic);
    assert_eq!(breaker, Breaker::default());
}

#[test]
fn stored_format_unchanged() {
    let mut breaker = opened(0);
    let stored = |breaker: &Breaker| serde_json::to_string(breaker).unwrap();
    assert_eq!(stored(&Breaker::default()), r#"{"mode":{"state":"closed","failures":[]},"round":0,"version":0}"#);
    assert_eq!(
        stored(&breaker),
        r#"{"mode":{"state":"open","failure_count":5,"until":1030000},"round":0,"version":0}"#
    );
    breaker.admit(at(30_000), &POLICY);
    let half_open = r#"{"mode":{"state":"half_open","failure_count":5,"leases":[1060000]},"round":1,"version":0}"#;
    assert_eq!(stored(&breaker), half_open);
    assert_eq!(serde_json::from_str::<Breaker>(half_open).unwrap(), breaker);
    breaker.command(Command::Open);
    assert_eq!(stored(&breaker), r#"{"mode":{"state":"forced","open":true},"round":1,"version":0}"#);
    let mut closed = Breaker::default();
    closed.failed(&Report { successes: 2, ..ONE }, at(0), &POLICY);
    let window = r#"{"calls":[[1000000,1,2]],"isolates":[[7,1000000,1]]}"#;
    let format = format!(r#"{{"mode":{{"state":"closed","failures":[],"window":{window}}},"round":0,"version":0}}"#);
    assert_eq!(stored(&closed), format);
    assert_eq!(serde_json::from_str::<Breaker>(&format).unwrap(), closed);
}

#[test]
fn state_stored_by_another_version_can_be_read() {
    let old = r#"{"mode":{"state":"open","failure_count":5,"until":7},"round":3,"member of a later version":1}"#;
    assert_eq!(serde_json::from_str::<Breaker>(old).unwrap().entered(), State::Open);
    let old = r#"{"mode":{"state":"closed","failures":[1000000,1000010,1000020,1000030]},"round":3,"version":9}"#;
    let mut breaker: Breaker = serde_json::from_str(old).unwrap();
    breaker.clamp(at(40), &POLICY);
    assert_eq!(breaker.view(at(40), &POLICY).failure_count, 4);
    assert!(serde_json::to_string(&breaker).unwrap().contains(r#""failures":[],"#), "readable after a rollback");
    breaker.failed(&Report::UNNAMED, at(50), &POLICY);
    assert_eq!(breaker.entered(), State::Open, "old isolates report without an id");
}

#[test]
fn setting_the_clock_back_does_not_lengthen_a_wait() {
    let mut breaker = opened(3_600_000);
    breaker.clamp(at(0), &POLICY);
    assert_eq!(breaker.view(at(0), &POLICY).retry_after_ms, 30_000);
    assert_eq!(breaker.admit(at(30_000), &POLICY), Admission::Probe(1));
    breaker.clamp(at(-1_000_000), &POLICY);
    assert_eq!(breaker.admit(at(-970_000), &POLICY), Admission::Probe(1));
    let mut closed = Breaker::default();
    closed.failed(&ONE, at(3_600_000), &POLICY);
    closed.clamp(at(0), &POLICY);
    assert_eq!(closed.view(at(60_000), &POLICY).failure_count, 0);
}

#[test]
fn a_local_breaker_continues_from_a_view() {
    for (state, forced, expected) in [
        (State::Closed, false, Admission::Go),
        (State::Open, false, Admission::Refuse),
        (State::HalfOpen, false, Admission::Refuse),
        (State::Closed, true, Admission::Go),
        (State::Open, true, Admission::Refuse),
    ] {
        let view = View { state, forced, failure_count: 5, retry_after_ms: 1, version: 9 };
        let mut breaker = Breaker::from_view(&view, at(10));
        assert_eq!(breaker.admit(at(0), &POLICY), expected);
        assert_eq!(breaker.view(at(0), &POLICY).forced, forced);
    }
}

/// Applies one of the six possible events, numbered 0 to 5.
fn apply(breaker: &mut Breaker, event: usize, now: Timestamp, policy: &Policy) -> Option<Admission> {
    match event {
        0 => return Some(breaker.admit(now, policy)),
        1 => breaker.failed(&ONE, now, policy),
        2 => breaker.probe_succeeded(breaker.round, ONE.isolate, now),
        3 => breaker.probe_failed(breaker.round, now, policy),
        4 => breaker.probe_failed(breaker.round.wrapping_sub(1), now, policy),
        _ => {}
    }
    None
}

#[test]
fn every_history_of_seven_events_keeps_the_invariants() {
    // Small numbers reach every state within few events. Each event takes one tick.
    let policy = Policy {
        failure_threshold: 2,
        failure_percent: 50,
        failure_window_ms: 3,
        recovery_timeout_ms: 2,
        max_probes: 1,
        probe_timeout_ms: 1,
    };
    for history in 0..6_usize.pow(7) {
        let mut breaker = Breaker::default();
        let mut probes: Vec<i64> = Vec::new();
        let mut events = history;
        for tick in 0..7 {
            let now = at(tick);
            if let Some(Admission::Probe(_)) = apply(&mut breaker, events % 6, now, &policy) {
                probes.push(tick);
            }
            events /= 6;
        }
        let too_close = probes.windows(2).any(|pair| pair[1] - pair[0] < policy.recovery_timeout_ms);
        assert!(!too_close, "history {history}: probes at {probes:?}");
        assert_no_dead_end(breaker, at(7), &policy);
    }
}

/// From any state, the breaker reaches a database that answers again.
fn assert_no_dead_end(mut breaker: Breaker, now: Timestamp, policy: &Policy) {
    let wait = policy.recovery_timeout_ms.max(policy.lease_ms());
    let later = Timestamp::from_millis(now.millis() + wait);
    match breaker.admit(later, policy) {
        Admission::Go => {}
        Admission::Probe(round) => {
            breaker.probe_succeeded(round, ONE.isolate, later);
            assert_eq!(breaker.admit(later, policy), Admission::Go);
        }
        Admission::Refuse => panic!("{breaker:?} is a dead end"),
    }
}
