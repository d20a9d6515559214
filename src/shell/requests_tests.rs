//! The whole shell below `entry.rs`: texts in, texts out, with the real router and the real adapters.

use std::cell::Cell;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::*;
use crate::domain::password::common::CommonPasswords;
use crate::domain::time::Timestamp;
use crate::domain::unicode::NormalForm;
use crate::ports::{Db as _, NoEntropy};
use crate::shell::clock;
use crate::shell::tasks::Answer;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECRET_KEY: &str = "5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7";
const FUNCTIONS: Functions = Functions { entropy, normalize, common_passwords };

#[expect(clippy::unnecessary_wraps, reason = "the port may fail")]
fn entropy(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    bytes.fill(0xab);
    Ok(())
}

fn normalize(text: &str, _: NormalForm) -> String {
    text.to_owned()
}

fn common_passwords() -> &'static CommonPasswords {
    static COMMON: OnceLock<CommonPasswords> = OnceLock::new();
    let file = include_bytes!("../domain/password/common_passwords.bin");
    COMMON.get_or_init(|| CommonPasswords::read(file).unwrap())
}

/// A deployment without rate limits.
fn environment() -> String {
    let variables = json!({ "SECRET_KEY": SECRET_KEY, "RATE_LIMITING": "off" });
    json!({ "variables": variables, "bindings": ["DB", "ASSETS", "CIRCUIT_BREAKER"] }).to_string()
}

/// The only want of a turn, and the response.
struct Turn {
    want: Option<(u32, Value)>,
    response: String,
}

fn turn() -> Turn {
    let text = format!("\n{}", tasks::turn());
    let at = text.find("\nR").or_else(|| text.find("\nS")).unwrap_or(text.len());
    let (records, response) = text.split_at(at);
    let mut wants = records.lines().filter(|line| line.starts_with('[')).map(|line| {
        let [kind, number, deadline, given]: [Value; 4] = serde_json::from_str(line).unwrap();
        (u32::try_from(number.as_u64().unwrap()).unwrap(), json!([kind, deadline, given]))
    });
    let want = wants.next();
    assert!(wants.next().is_none(), "{records}");
    Turn { want, response: response.trim_start().to_owned() }
}

fn begin(method: &str, path: &str, content_type: &str) -> Turn {
    configure(&environment());
    clock::set(Timestamp::from_seconds(1_800_000_000));
    let body = if content_type.is_empty() { "" } else { "body" };
    answer(
        &format!("{body}\n{method}\nhttp://a.example{path}\n\n\n\n\n\n{content_type}\n\n\n\n\n\n\n\n\n\n\n:abc"),
        FUNCTIONS,
    );
    turn()
}

/// Answers the want of this turn, which must be this one.
fn then(before: Turn, want: &Value, answer: Answer) -> Turn {
    let (number, wanted) = before.want.expect("a want");
    assert_eq!(wanted, *want);
    tasks::deliver(number, answer);
    turn()
}

fn text(text: &str) -> Answer {
    Answer::Text(text.to_owned())
}

#[test]
fn health_needs_one_turn() {
    let Turn { want, response } = begin("GET", "/health", "");
    assert!(want.is_none());
    let headers = "content-type: application/json\ncache-control: no-store\nx-content-type-options: nosniff\n\
                   referrer-policy: no-referrer\nx-frame-options: DENY";
    assert_eq!(response, format!("R200\n{headers}\n\n{{\"status\":\"ok\"}}"));
}

#[test]
fn a_body_crosses_as_bytes_and_invalid_utf8_is_refused() {
    let want = json!(["body", 10_000, [16384, false]]);
    for bytes in [vec![b'{', 0xff, b'}'], Vec::new()] {
        let begun = begin("POST", "/auth/login", ":application/json");
        let Turn { response, .. } = then(begun, &want, Answer::Bytes(bytes));
        assert!(response.starts_with("R422\n") && response.contains("json_invalid"), "{response}");
    }
}

#[test]
fn a_late_body_is_refused_and_a_broken_one_is_empty() {
    let want = json!(["body", 10_000, [16384, false]]);
    let Turn { response, .. } = then(begin("POST", "/auth/login", ":application/json"), &want, Answer::Late);
    assert!(response.starts_with("R408\n") && response.contains("REQUEST_TIMEOUT"), "{response}");
    let broken = Answer::Failed("Network connection lost.".to_owned());
    let Turn { response, .. } = then(begin("POST", "/auth/login", ":application/json"), &want, broken);
    assert!(response.starts_with("R422\n") && response.contains("json_invalid"), "{response}");
}

/// Nothing is wanted of JavaScript, so nothing can keep the request waiting.
#[test]
fn a_body_is_not_asked_for_by_a_request_that_is_refused_or_takes_none() {
    for (method, path, content_type, status) in [
        ("POST", "/nowhere", ":application/json", 404),
        ("PUT", "/auth/login", ":application/json", 405),
        ("PATCH", "/users/me", ":application/json", 401),
        ("POST", "/auth/login", ":text/plain", 415),
        ("GET", "/health", ":application/json", 200),
    ] {
        let Turn { want, response } = begin(method, path, content_type);
        assert_eq!(want, None, "{method} {path}");
        assert!(response.starts_with(&format!("R{status}\n")), "{method} {path}: {response}");
    }
}

/// One want for both prefixes of an IPv6 address. In a thread of its own, because its settings are the isolate's.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_counters_of_an_address_are_one_want_and_come_before_the_body() {
    let refused = |address: &str, counters: Value| {
        answer(
            &format!("body\nPOST\nhttp://a.example/auth/login\n\n\n\n\n\n\n\n\n\n\n:{address}\n\n\n\n\n\n:abc"),
            FUNCTIONS,
        );
        let Turn { want, response } = then(turn(), &json!(["limit", 250, counters]), text("false"));
        assert_eq!(want, None);
        assert!(response.starts_with("R429\n") && response.contains("\nretry-after: 60\n"), "{response}");
    };
    let isolate = std::thread::spawn(move || {
        let bindings: Vec<_> = limits::bindings().chain(["DB", "ASSETS", "CIRCUIT_BREAKER"]).collect();
        configure(&json!({ "variables": { "SECRET_KEY": SECRET_KEY }, "bindings": bindings }).to_string());
        clock::set(Timestamp::from_seconds(1_800_000_000));
        let ipv6 = json!([["LOGIN_LIMITER", "2001:db8:1:2::/64"], ["LOGIN_WIDE_LIMITER", "2001:db8:1::/48"]]);
        refused("2001:db8:1:2::7", ipv6);
        refused("::ffff:192.0.2.7", json!([["LOGIN_LIMITER", "192.0.2.7"]]));
    });
    isolate.join().unwrap();
}

#[test]
fn a_page_is_a_stream_that_stays_in_javascript() {
    // The digests of all files come first, for the entity tags, and once.
    let digests = json!(["file", 5000, "/digests.txt"]);
    let Turn { response, .. } = then(begin("GET", "/docs", ""), &digests, Answer::Late);
    assert!(response.starts_with("R500\n"), "{response}");
    let begun = then(begin("GET", "/docs", ""), &digests, text("abc /docs/index.html\n"));
    let want = json!(["stream", 5000, "/docs/index.html"]);
    let Turn { response, .. } = then(begun, &want, text(""));
    assert!(response.starts_with("S200\n") && response.ends_with("\n\n"), "{response}");
    for (method, answer, status) in [
        ("GET", text(""), "S200\n"),
        ("HEAD", text(""), "R200\n"),
        ("GET", Answer::Failed("status 404".to_owned()), "R500\n"),
        ("GET", Answer::Late, "R500\n"),
    ] {
        let Turn { response, .. } = then(begin(method, "/docs", ""), &want, answer);
        assert!(response.starts_with(status), "{response}");
    }
}

thread_local! {
    /// The number of the statement of readiness.
    static STATEMENT: Cell<u64> = const { Cell::new(0) };
}

fn alive() -> Answer {
    text("[4096,[{\"alive\":1}]]")
}

fn asked(question: &str) -> Value {
    json!(["breaker", 500, format!("https://circuit-breaker.invalid/{question}?abc")])
}

/// The object's answer, with these members.
fn told(members: &Value) -> Answer {
    let view = json!({"state": "closed", "forced": false, "failure_count": 0, "retry_after_ms": 0, "version": 1});
    let mut answer = json!({"admission": null, "view": view});
    answer.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    text(&answer.to_string())
}

fn lost() -> Answer {
    Answer::Failed("D1_ERROR: Network connection lost.".to_owned())
}

fn disconnected() -> Answer {
    Answer::Failed("D1_ERROR: Can't read from request stream because client disconnected.".to_owned())
}

fn begin_readiness() -> Turn {
    begin("GET", "/health/ready", "")
}

/// The call of D1 for readiness, which knows the statement by its number, with this much time.
fn batch_within(deadline: u32) -> Value {
    json!(["batch", deadline, [[STATEMENT.get(), [], null]]])
}

/// Readiness whose call of D1 is answered like this.
fn readiness(answer: Answer) -> Turn {
    then(begin_readiness(), &batch_within(5000), answer)
}

/// The report of a failure, the good calls before it, and the last question of readiness, which is not ready.
fn report_failure(failed: Turn, good: u32) {
    let reported = then(failed, &reported_as(good), told(&json!({})));
    finish(reported, "R503");
}

/// The isolate's id follows from the entropy of the tests.
fn reported_as(good: u32) -> Value {
    asked(&format!("failed/-6076574518398440533.1.{good}"))
}

fn finish(inspecting: Turn, status: &str) {
    let Turn { response, .. } = then(inspecting, &asked("inspect"), told(&json!({})));
    assert!(response.starts_with(status) && response.contains("\"shared\":true"), "{response}");
}

/// Readiness goes through breaker and database. One test, because the copy of the breaker is the isolate's.
#[test]
fn batches_pass_the_breaker_and_statements_cross_once() {
    let admitted = then(begin_readiness(), &asked("admit"), told(&json!({"admission": "go"})));
    let statement = admitted.want.as_ref().unwrap().1[2][0].clone();
    assert!(statement[2].as_str().unwrap().starts_with("SELECT"), "{statement}");
    STATEMENT.set(statement[0].as_u64().unwrap());
    finish(then(admitted, &json!(["batch", 5000, [statement]]), alive()), "R200");
    assert_eq!(D1::for_task(1, FUNCTIONS.entropy).size_bytes(), Some(4096), "the isolate remembers the size");

    for (failure, good) in [(Answer::Late, 1), (lost(), 0), (text("[4096,null]"), 0)] {
        report_failure(readiness(failure), good);
    }
    // A call of a client that disconnected is neither a failure nor a good answer.
    finish(readiness(disconnected()), "R503");
    a_question_that_the_object_does_not_know_is_asked_in_its_earlier_form();
    the_deadline_of_a_call_begins_after_the_hash();
    one_transient_failure_for_ten_calls_is_repeated();
}

/// An object of the first versions answers with nothing, later ones say so.
fn a_question_that_the_object_does_not_know_is_asked_in_its_earlier_form() {
    for unknown in [text(""), told(&json!({"is_unknown": true}))] {
        let refused = then(readiness(Answer::Late), &reported_as(0), unknown);
        finish(then(refused, &asked("failed"), told(&json!({}))), "R503");
    }
}

fn one_transient_failure_for_ten_calls_is_repeated() {
    // Eight calls came before.
    (0..2).for_each(|_| finish(readiness(alive()), "R200"));
    let pausing = readiness(lost());
    // 50 and the random byte, 0xab.
    let repeating = then(pausing, &json!(["pause", 0, 221]), text(""));
    finish(then(repeating, &batch_within(5000 - 221), alive()), "R200");
    // A success of the repetition is a success.
    report_failure(readiness(lost()), 3);

    (0..10).for_each(|_| finish(readiness(alive()), "R200"));
    let failing = begin_readiness();
    clock::set(Timestamp::from_millis(1_800_000_004_800));
    report_failure(then(failing, &batch_within(5000), lost()), 10);
}

fn the_deadline_of_a_call_begins_after_the_hash() {
    let body = json!({"email": "ada@example.com", "password": "correct horse battery"}).to_string();
    let begun = begin("POST", "/auth/register", ":application/json");
    let waiting = then(begun, &json!(["body", 10_000, [16384, false]]), Answer::Bytes(body.into_bytes()));
    let hashed = then(waiting, &json!(["pause", 0, null]), text(""));
    // Nothing but the time is asked for in the turn of the hash.
    clock::set(Timestamp::from_millis(1_800_000_000_200));
    let Turn { want, .. } = then(hashed, &json!(["pause", 0, 0]), text(""));
    let (number, batch) = want.expect("a batch");
    assert_eq!((&batch[0], &batch[1]), (&json!("batch"), &json!(5000)));
    tasks::deliver(number, disconnected());
    let Turn { response, .. } = turn();
    assert!(response.starts_with("R503\n"), "{response}");
}

#[test]
fn a_missing_binding_or_setting_is_named_and_never_its_value() {
    let environment = json!({ "variables": { "SECRET_KEY": "short" }, "bindings": ["DB", "ASSETS"] }).to_string();
    let wrong = read_settings(&serde_json::from_str(&environment).unwrap()).unwrap_err();
    assert_eq!(wrong.names, ["SECRET_KEY", "CIRCUIT_BREAKER"]);
    let environment = environment.replace("short", SECRET_KEY);
    let wrong = read_settings(&serde_json::from_str(&environment).unwrap()).unwrap_err();
    let expected: Vec<_> = ["CIRCUIT_BREAKER"].into_iter().chain(limits::bindings()).collect();
    assert_eq!(wrong.names, expected);
}
