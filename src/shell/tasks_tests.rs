//! Tasks that interleave, answers that come late, and the order of the records.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::shell::clock;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Starts a task, and returns the text of the turn and the number of its last want.
fn begin(future: impl Future<Output = ()> + 'static) -> (String, u32) {
    start(future);
    (turn(), LAST.get())
}

fn resume(want: u32, answer: Answer) -> String {
    deliver(want, answer);
    turn()
}

fn text(text: &str) -> Answer {
    Answer::Text(text.to_owned())
}

fn assert_idle() {
    assert!(TASKS.with_borrow(HashMap::is_empty), "a task is left");
    assert!(WANTS.with_borrow(HashMap::is_empty), "a want is left");
}

#[test]
fn a_task_without_wants_ends_in_one_turn_and_its_response_comes_last() {
    let (text, _) = begin(async {
        note_request_id("abc");
        respond("R200\n\n{}".to_owned());
        for (level, line) in [(LogLevel::Debug, "1"), (LogLevel::Info, "2"), (LogLevel::Warning, "3")] {
            log(level, line);
        }
        start(async { log(LogLevel::Error, "4") });
    });
    assert_eq!(text, "#abc\nd1\ni2\nw3\ne4\nR200\n\n{}");
    assert_idle();
}

#[test]
fn tasks_interleave_by_the_numbers_of_their_wants() {
    let task = |name: &'static str| async move {
        let answer = ask("file", 250, "\"/x\"").await;
        log(LogLevel::Info, &format!("{name} {answer:?}"));
    };
    let (first_text, first) = begin(task("first"));
    let (_, second) = begin(task("second"));
    assert_eq!(first_text, format!("[\"file\",{first},250,\"/x\"]\n"));
    assert_eq!(resume(second, Answer::Failed("gone".to_owned())), "isecond Failed(\"gone\")\n");
    assert_eq!(resume(first, Answer::Bytes(vec![255])), "ifirst Bytes([255])\n");
    assert_idle();
}

#[test]
fn of_two_wants_at_once_the_late_answer_is_ignored() {
    let (records, timer) = begin(async {
        let (mut answer, mut timer) = (pin!(ask("file", 0, "1")), pin!(ask("pause", 0, "2")));
        let first = poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => timer.as_mut().poll(context).map(|_| None),
        });
        let first = first.await;
        log(LogLevel::Info, &format!("{first:?}"));
        ask("pause", 0, "3").await;
    });
    assert_eq!(records.lines().count(), 2);
    let records = resume(timer, text(""));
    assert!(records.starts_with("iNone\n"), "{records}");
    assert_eq!(resume(timer - 1, text("late")), "", "its task waits for another want");
    assert_eq!(resume(timer, text("twice")), "");
    assert_eq!(resume(LAST.get(), text("")), "");
    assert_idle();
}

#[test]
fn tasks_that_the_runtime_has_abandoned_are_dropped_after_their_lifetime() {
    clock::set(Timestamp::from_millis(0));
    for _ in 0..=MANY {
        let _ = begin(async { drop(ask("pause", 0, "null").await) });
    }
    clock::set(Timestamp::from_millis(LIFETIME_MS - 1));
    let _ = begin(async {});
    assert_eq!(TASKS.with_borrow(HashMap::len), MANY + 1);
    clock::set(Timestamp::from_millis(LIFETIME_MS));
    let _ = begin(async {});
    assert_idle();
}
