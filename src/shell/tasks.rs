//! The tasks of this instance, and the text that each turn returns to JavaScript.
//!
//! Rust asks, and JavaScript does. A call into Rust runs a task until it needs the outside, and returns one text with a
//! line for each record, in order:
//!
//! ```text
//! #<request id>                       the id of this request
//! d{…}, i{…}, w{…}, e{…}              a log line, by its level
//! ["kind",want,deadline in ms,given]  a want: JavaScript does it, and calls back with the number and the answer
//! R…, S…                              the response, always the last record (`wire.rs`)
//! ```
//!
//! Nothing is allocated in JavaScript for a wait, requests interleave by number, and the protocol runs natively in
//! tests. All state belongs to one thread, which Workers guarantee and tests have each for themselves.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::domain::settings::LogLevel;
use crate::domain::time::Timestamp;
use crate::shell::clock::now;

/// The runtime may abandon an event without notice, so its tasks would stay. No event lasts that long.
const LIFETIME_MS: i64 = 3_600_000;
/// Abandoned tasks are looked for if there are more tasks than this.
const MANY: usize = 100;

thread_local! {
    static TASKS: RefCell<HashMap<u32, Task>> = RefCell::default();
    /// The tasks to be polled in this turn.
    static READY: RefCell<Vec<u32>> = RefCell::default();
    static WANTS: RefCell<HashMap<u32, Want>> = RefCell::default();
    /// The task that is being polled.
    static CURRENT: Cell<u32> = const { Cell::new(0) };
    /// The number of the last task or want.
    static LAST: Cell<u32> = const { Cell::new(0) };
    static RECORDS: RefCell<String> = RefCell::default();
    /// Its body may contain line breaks, so it follows the other records, even those of tasks that run after it.
    static RESPONSE: RefCell<String> = RefCell::default();
}

struct Task {
    begun: Timestamp,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// A want that a task waits for.
struct Want {
    task: u32,
    answer: Option<Answer>,
}

/// JavaScript's answer to a want.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The result as text.
    Text(String),
    /// The result as bytes: a request body, which may be invalid UTF-8.
    Bytes(Vec<u8>),
    /// It failed, with this error message.
    Failed(String),
    /// The deadline has passed.
    Late,
}

impl Answer {
    /// The text, or the reason why there is none.
    pub(in crate::shell) fn text(self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Failed(cause) => Err(cause),
            Self::Late | Self::Bytes(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// Starts a task. It runs until its first want at the end of the turn.
pub fn start(future: impl Future<Output = ()> + 'static) {
    let (task, begun) = (next_number(), now());
    TASKS.with_borrow_mut(|tasks| {
        if tasks.len() > MANY {
            tasks.retain(|_, task| begun.millis() - task.begun.millis() < LIFETIME_MS);
        }
        tasks.insert(task, Task { begun, future: Box::pin(future) });
    });
    READY.with_borrow_mut(|ready| ready.push(task));
}

/// Delivers an answer. An answer for which no task waits any longer is dropped.
pub fn deliver(want: u32, answer: Answer) {
    let task = WANTS.with_borrow_mut(|wants| {
        let want = wants.get_mut(&want)?;
        want.answer = Some(answer);
        Some(want.task)
    });
    READY.with_borrow_mut(|ready| ready.extend(task));
}

/// Runs all tasks that can, and returns the text of the turn.
#[must_use]
pub fn turn() -> String {
    while let Some(task) = READY.with_borrow_mut(Vec::pop) {
        run(task);
    }
    take_records() + &RESPONSE.take()
}

/// The records so far, for a turn that a panic ends.
#[must_use]
pub fn take_records() -> String {
    RECORDS.take()
}

fn run(number: u32) {
    // No borrow lasts while a task runs, because it starts others and adds records.
    let Some(mut task) = TASKS.with_borrow_mut(|tasks| tasks.remove(&number)) else { return };
    CURRENT.set(number);
    // Tasks wait for answers only, so no waker is needed.
    if task.future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        TASKS.with_borrow_mut(|tasks| tasks.insert(number, task));
    }
}

fn next_number() -> u32 {
    LAST.set(LAST.get().wrapping_add(1));
    LAST.get()
}

/// Adds the request id, for the responses that JavaScript makes.
pub fn note_request_id(request_id: &str) {
    record(&["#", request_id]);
}

/// Adds a log line.
pub fn log(level: LogLevel, line: &str) {
    let kind = match level {
        LogLevel::Debug => "d",
        LogLevel::Info => "i",
        LogLevel::Warning => "w",
        LogLevel::Error => "e",
    };
    record(&[kind, line]);
}

/// Sets the response of this turn.
pub fn respond(response: String) {
    RESPONSE.set(response);
}

fn record(parts: &[&str]) {
    RECORDS.with_borrow_mut(|records| {
        records.extend(parts.iter().copied());
        records.push('\n');
    });
}

/// Asks JavaScript for something: `given` is JSON, and platform.mjs lists the kinds. Without an answer within
/// `deadline_ms`, unless that is 0, the answer is [`Answer::Late`].
pub fn ask(kind: &'static str, deadline_ms: u32, given: &str) -> Ask {
    let (want, task) = (next_number(), CURRENT.get());
    WANTS.with_borrow_mut(|wants| wants.insert(want, Want { task, answer: None }));
    RECORDS.with_borrow_mut(|records| {
        // Writing to a string cannot fail.
        let _ = writeln!(records, "[\"{kind}\",{want},{deadline_ms},{given}]");
    });
    Ask(want)
}

/// The wait for an answer. It consists of a number, so it is `Send`, as the ports require.
#[must_use]
pub struct Ask(u32);

impl Future for Ask {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Answer> {
        WANTS.with_borrow_mut(|wants| match wants.entry(self.0) {
            Entry::Occupied(mut entry) => entry.get_mut().answer.take().map_or(Poll::Pending, Poll::Ready),
            Entry::Vacant(_) => Poll::Pending,
        })
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        // The table itself may be gone, if a thread of the tests ends with tasks.
        let _ = WANTS.try_with(|wants| wants.borrow_mut().remove(&self.0));
    }
}

#[cfg(test)]
#[path = "tasks_tests.rs"]
mod tests;
