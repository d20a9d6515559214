//! The functions that JavaScript calls. Each is synchronous, and hands over the text of its turn (`tasks.rs`).
//!
//! They are the thinnest layer: everything else in this folder runs natively, too. None returns a string, because the
//! glue code would free it after a crash, and so hide the error that ended the instance.

#![expect(unreachable_pub, reason = "JavaScript calls these functions")]

use std::cell::OnceCell;
use std::sync::OnceLock;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::domain::password::common::CommonPasswords;
use crate::domain::time::Timestamp;
use crate::ports::NoEntropy;
use crate::shell::breaker_object::{self, Storage};
use crate::shell::clock;
use crate::shell::logging::JsonLines;
use crate::shell::requests::{self, Functions, MIN_LEVEL, Trigger};
use crate::shell::tasks::{self, Answer};
use crate::shell::unicode::normalize;

#[wasm_bindgen]
extern "C" {
    /// The object of `entry.mjs` that takes the text of a turn.
    pub type Turn;

    #[wasm_bindgen(method)]
    fn take(this: &Turn, records: &str);

    /// The bytes of `common_passwords.bin`.
    #[wasm_bindgen(method, js_name = commonPasswords)]
    fn common_passwords(this: &Turn) -> Vec<u8>;

    /// The SQL storage of a Durable Object.
    pub type Sql;

    /// Runs a statement with a JSON list of values; returns its rows as JSON.
    #[wasm_bindgen(method, catch)]
    fn exec(this: &Sql, statement: &str, values: &str) -> Result<String, JsValue>;
}

thread_local! {
    static TURN: OnceCell<Turn> = const { OnceCell::new() };
}

const FUNCTIONS: Functions = Functions { entropy, normalize, common_passwords };

/// The file that the bundle has beside the Wasm.
fn common_passwords() -> &'static CommonPasswords {
    static COMMON: OnceLock<CommonPasswords> = OnceLock::new();
    #[expect(clippy::expect_used, reason = "a deployment with a damaged file must not accept every password")]
    COMMON.get_or_init(|| {
        let file = TURN.with(|turn| turn.get().map(Turn::common_passwords));
        CommonPasswords::read(&file.unwrap_or_default()).expect("the filter of common passwords is damaged")
    })
}

/// Runs once per instance, before any other call.
#[wasm_bindgen]
pub fn connect(turn: Turn, environment: &str) {
    // Both are set once per instance.
    let _ = TURN.with(|known| known.set(turn));
    let _ = tracing::subscriber::set_global_default(JsonLines::new(tasks::log, clock::now, &MIN_LEVEL));
    std::panic::set_hook(Box::new(|panic| {
        let cause = panic.to_string();
        tracing::error!(target: "app.errors", cause, "Panicked");
        hand_over(&tasks::take_records());
    }));
    requests::configure(environment);
}

/// Begins to answer a request.
#[wasm_bindgen]
pub fn answer(head: &str, now: f64) {
    turn(now, || requests::answer(head, FUNCTIONS));
}

/// Begins to clean up.
#[wasm_bindgen]
pub fn clean(now: f64) {
    turn(now, || requests::run_trigger(Trigger::Upkeep, FUNCTIONS));
}

/// Begins to send the mails that are due.
#[wasm_bindgen]
pub fn send_mails(now: f64) {
    turn(now, || requests::run_trigger(Trigger::Mail, FUNCTIONS));
}

/// Goes on with the answer to a want.
#[wasm_bindgen]
pub fn resume(want: u32, text: String, now: f64) {
    turn(now, || tasks::deliver(want, Answer::Text(text)));
}

/// Goes on with the body of a request, which may be invalid UTF-8.
#[wasm_bindgen]
pub fn resume_with_bytes(want: u32, bytes: Vec<u8>, now: f64) {
    turn(now, || tasks::deliver(want, Answer::Bytes(bytes)));
}

/// Goes on without an answer: with the error, or with none if the deadline has passed.
#[wasm_bindgen]
pub fn resume_failed(want: u32, error: Option<String>, now: f64) {
    turn(now, || tasks::deliver(want, error.map_or(Answer::Late, Answer::Failed)));
}

/// Answers a question to the Durable Object of the circuit breaker.
#[wasm_bindgen]
pub fn ask_breaker(url: &str, sql: &Sql, now: f64) {
    turn(now, || tasks::respond(breaker_object::answer(url, sql)));
}

fn turn(now: f64, begin: impl FnOnce()) {
    #[expect(clippy::cast_possible_truncation, reason = "JavaScript's clock has whole milliseconds")]
    clock::set(Timestamp::from_millis(now as i64));
    begin();
    hand_over(&tasks::turn());
}

fn hand_over(records: &str) {
    TURN.with(|turn| turn.get().map(|turn| turn.take(records)));
}

impl Storage for Sql {
    fn run(&self, statement: &str, values: &str) -> Result<String, String> {
        self.exec(statement, values).map_err(|error| format!("{error:?}"))
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place that draws random bytes")]
fn entropy(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}
