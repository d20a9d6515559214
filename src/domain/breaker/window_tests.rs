//! Which reports of which isolates open the breaker.

use super::*;
use crate::domain::breaker::sample::{POLICY, at};
use crate::domain::breaker::tally::Tally;
use crate::domain::breaker::{Admission, Breaker, State};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const fn report(isolate: i64, failures: u32, successes: u32) -> Report {
    Report { isolate: IsolateId::new(isolate), failures, successes }
}

/// Does a breaker with these reports, a millisecond apart, open? Each report has an isolate, failures and successes.
fn opens(reports: &[(i64, u32, u32)]) -> bool {
    let mut breaker = Breaker::default();
    for (millis, (isolate, failures, successes)) in (0..).zip(reports) {
        breaker.failed(&report(*isolate, *failures, *successes), at(millis), &POLICY);
    }
    breaker.entered() == State::Open
}

/// A breaker that a probe of this isolate has just closed.
fn probed_by(isolate: i64) -> Breaker {
    let mut breaker = Breaker::default();
    breaker.failed(&report(9, 5, 0), at(-30_000), &POLICY);
    let Admission::Probe(round) = breaker.admit(at(0), &POLICY) else { panic!("{breaker:?}") };
    breaker.probe_succeeded(round, IsolateId::new(isolate), at(0));
    breaker
}

#[test]
fn the_failures_must_be_a_share_of_the_calls() {
    assert!(opens(&[(1, 1, 1); 5]), "5 of 10");
    assert!(!opens(&[(1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 2)]), "5 of 11");
    assert!(!opens(&[(1, 1, 0), (1, 1, 0), (1, 1, 0), (1, 1, 0)]), "all of 4");
    assert!(opens(&[(1, 4, 0), (1, 1, 0)]), "a report brings the failures of lost ones");
    assert!(!opens(&[(1, 1, 99); 100]), "100 of 10,000");
    let strict = Policy { failure_percent: 100, ..POLICY };
    let lax = Policy { failure_percent: 1, ..POLICY };
    let mut window = Window::default();
    window.note(&report(1, 5, 1), at(0), &POLICY);
    assert!(!window.opens(at(0), &strict) && window.opens(at(0), &lax));
    window.note(&report(1, 0, 494), at(0), &POLICY);
    assert!(window.opens(at(0), &lax), "exactly one per cent");
    window.note(&report(1, 0, 1), at(0), &POLICY);
    assert!(!window.opens(at(0), &lax));
}

#[test]
fn one_isolate_alone_or_two_that_agree_open_the_breaker() {
    assert!(opens(&[(1, 1, 0); 5]), "the only one that has reported");
    assert!(opens(&[(1, 1, 0), (1, 1, 0), (1, 1, 0), (1, 1, 0), (2, 1, 0)]));
    let mut breaker = probed_by(2);
    for millis in 1..20 {
        breaker.failed(&report(1, 1, 0), at(millis), &POLICY);
    }
    assert_eq!(breaker.entered(), State::Closed, "another isolate has just had a good answer");
    let mut agreed = breaker.clone();
    agreed.failed(&report(2, 1, 0), at(20), &POLICY);
    assert_eq!(agreed.entered(), State::Open);
    breaker.failed(&report(1, 1, 0), at(59_999), &POLICY);
    assert_eq!(breaker.entered(), State::Closed);
    breaker.failed(&report(1, 4, 0), at(60_001), &POLICY);
    assert_eq!(breaker.entered(), State::Open, "that was a minute ago");
}

#[test]
fn the_order_in_which_reports_arrive_does_not_matter() {
    let mut reports = [(1, 1, 2), (1, 1, 0), (1, 1, 0), (2, 1, 2), (2, 1, 1)];
    for _ in 0..reports.len() {
        reports.rotate_left(1);
        assert!(opens(&reports), "5 of 10: {reports:?}");
        let one_more = reports.map(|(isolate, failures, successes)| (isolate, failures, successes + 1));
        assert!(!opens(&one_more), "5 of 15: {one_more:?}");
    }
}

#[test]
fn reports_end_with_the_window_and_their_number_is_bounded() {
    let mut window = Window::default();
    for isolate in 0..10_000 {
        let now = at(isolate * 60);
        window.note(&report(isolate, 1, 1), now, &POLICY);
        assert!(window.calls.len() <= 61 && window.isolates.len() <= MAX_ISOLATES);
    }
    let last = at(9_999 * 60);
    let failures = window.failures(last, &POLICY);
    assert!((980..=1_000).contains(&failures), "{failures}: entries are forgotten by their first report");
    assert!(serde_json::to_string(&window).unwrap().len() < 2_500);
    let later = Timestamp::from_millis(last.millis() + 60_000);
    assert_eq!(window.failures(later, &POLICY), 0);
    window.note(&report(1, 1, 0), later, &POLICY);
    assert_eq!((window.calls.len(), window.isolates.len()), (1, 1));
}

#[test]
fn numbers_that_no_isolate_sends_do_not_overflow() {
    let mut window = Window::default();
    for _ in 0..3 {
        window.note(&report(1, u32::MAX, u32::MAX), at(0), &POLICY);
    }
    assert_eq!(window.failures(at(0), &POLICY), u32::MAX);
    assert!(window.opens(at(0), &POLICY));
}

/// Isolates that call a database, and the breaker to which they report. Random numbers follow from the seed.
struct World {
    breaker: Breaker,
    isolates: Vec<(IsolateId, Tally)>,
    seed: u64,
}

impl World {
    fn of(isolates: i64) -> Self {
        let isolates = (1..=isolates).map(|id| (IsolateId::new(id), Tally::default())).collect();
        Self { breaker: Breaker::default(), isolates, seed: 42 }
    }

    fn random(&mut self) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.seed >> 33).unwrap()
    }

    /// One call of some isolate, which fails with this probability in per mille.
    fn call(&mut self, now: Timestamp, per_mille: usize) {
        let (fails, some) = (self.random() % 1000 < per_mille, self.random());
        let count = self.isolates.len();
        let (id, tally) = &mut self.isolates[some % count];
        if fails {
            let report = tally.failed(*id, now, &POLICY);
            self.breaker.failed(&report, now, &POLICY);
        } else {
            tally.succeeded(now);
        }
    }

    /// A call per millisecond for this long; the time at which the breaker opens.
    fn run(&mut self, from: i64, to: i64, per_mille: usize) -> Option<i64> {
        (from..to).find(|millis| {
            self.call(at(*millis), per_mille);
            self.breaker.entered() == State::Open
        })
    }
}

#[test]
fn a_thousand_requests_a_second_with_one_per_cent_of_failures_leave_it_closed() {
    for isolates in [1, 2, 10, 100, 3_000] {
        let mut world = World::of(isolates);
        // Long enough for each isolate to have had a few good answers.
        assert_eq!(world.run(0, 30_000, 0), None);
        assert_eq!(world.run(30_000, 630_000, 10), None, "{isolates} isolates");
    }
}

#[test]
fn an_outage_opens_it_after_a_few_calls_of_each_isolate() {
    for (isolates, calls) in [(1, 5), (2, 5), (10, 60), (100, 400)] {
        let mut world = World::of(isolates);
        assert_eq!(world.run(0, 60_000, 0), None);
        let opened = world.run(60_000, 70_000, 1000).unwrap() - 60_000 + 1;
        assert!(opened <= calls, "{isolates} isolates: after {opened} failures");
    }
}

#[test]
fn an_outage_after_a_minute_with_failures_opens_it_within_the_window() {
    let mut world = World::of(10);
    assert_eq!(world.run(0, 60_000, 10), None);
    let opened = world.run(60_000, 120_000, 1000).unwrap() - 60_000;
    assert!(opened <= 31_000, "after {opened} ms: the failures must be half of all calls of the minute");
}

#[test]
fn a_reset_of_the_database_that_fails_one_call_of_each_isolate_leaves_it_closed() {
    let mut world = World::of(200);
    assert_eq!(world.run(0, 10_000, 0), None);
    for index in 0..world.isolates.len() {
        let (id, tally) = &mut world.isolates[index];
        let report = tally.failed(*id, at(10_000), &POLICY);
        world.breaker.failed(&report, at(10_000), &POLICY);
    }
    assert_eq!(world.breaker.entered(), State::Closed);
}
