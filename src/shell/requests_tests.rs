//! The whole shell below `entry.rs`: texts in, texts out, with the real router and the real adapters.

use serde_json::{Value, json};

use super::*;
use crate::domain::time::Timestamp;
use crate::domain::unicode::NormalForm;
use crate::ports::{Db as _, NoEntropy};
use crate::shell::clock;
use crate::shell::tasks::Answer;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const FUNCTIONS: Functions = Functions { entropy, normalize };

#[expect(clippy::unnecessary_wraps, reason = "the port may fail")]
fn entropy(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    bytes.fill(0xab);
    Ok(())
}

fn normalize(text: &str, _: NormalForm) -> String {
    text.to_owned()
}

/// A deployment without rate limits.
fn environment() -> String {
    let variables = json!({ "SECRET_KEY": "5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7", "RATE_LIMITING": "off" });
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
    answer(&format!("{body}\n{method}\nhttp://a.example{path}\n\n\n\n\n\n{content_type}\n\n\n\n\n:abc"), FUNCTIONS);
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
    let want = json!(["body", 0, [16384, false]]);
    for bytes in [vec![b'{', 0xff, b'}'], Vec::new()] {
        let begun = begin("POST", "/auth/login", ":application/json");
        let Turn { response, .. } = then(begun, &want, Answer::Bytes(bytes));
        assert!(response.starts_with("R422\n") && response.contains("json_invalid"), "{response}");
    }
}

#[test]
fn a_page_is_a_stream_that_stays_in_javascript() {
    // The digests of all files come first, for the entity tag.
    let digests = json!(["file", 0, "/digests.txt"]);
    let tagged = |method: &str| then(begin(method, "/docs", ""), &digests, text("abc /docs/index.html\n"));
    let want = json!(["stream", 0, "/docs/index.html"]);
    let Turn { response, .. } = then(tagged("GET"), &want, text(""));
    assert!(response.starts_with("S200\n") && response.ends_with("\n\n"), "{response}");
    let Turn { response, .. } = then(tagged("HEAD"), &want, text(""));
    assert!(response.starts_with("R200\n"), "{response}");
    let Turn { response, .. } = then(tagged("GET"), &want, Answer::Failed("status 404".to_owned()));
    assert!(response.starts_with("R500\n"), "{response}");
}

/// Readiness goes through breaker and database. One test, because the copy of the breaker is the isolate's.
#[test]
fn batches_pass_the_breaker_and_statements_cross_once() {
    let url = |question: &str| format!("https://circuit-breaker.invalid/{question}?abc");
    let view = json!({"state": "closed", "forced": false, "failure_count": 0, "retry_after_ms": 0, "version": 1});
    let answer = |admission: Value| text(&json!({"admission": admission, "view": view}).to_string());
    let asked = |question: &str| json!(["breaker", 500, url(question)]);

    let begun = begin("GET", "/health/ready", "");
    let admitted = then(begun, &asked("admit"), answer(json!("go")));
    let statement = admitted.want.as_ref().unwrap().1[2][0].clone();
    assert!(statement[2].as_str().unwrap().starts_with("SELECT"), "{statement}");
    let batch = |text: Value| json!(["batch", 5000, [[statement[0], statement[1], text]]]);
    let inspecting = then(admitted, &batch(statement[2].clone()), text("[4096,[{\"alive\":1}]]"));
    let Turn { response, .. } = then(inspecting, &asked("inspect"), answer(Value::Null));
    assert!(response.starts_with("R200\n") && response.contains("\"ready\""), "{response}");
    assert_eq!(D1::for_task(1).size_bytes(), Some(4096), "the isolate remembers the size");

    for failure in [Answer::Late, Answer::Failed("D1_ERROR: Network connection lost.".to_owned()), text("[4096,null]")]
    {
        let failed = then(begin("GET", "/health/ready", ""), &batch(Value::Null), failure);
        let reported = then(failed, &asked("failed"), answer(Value::Null));
        let Turn { response, .. } = then(reported, &asked("inspect"), answer(Value::Null));
        assert!(response.starts_with("R503\n") && response.contains("\"failing\""), "{response}");
    }
}

#[test]
fn a_missing_binding_or_setting_is_named_and_never_its_value() {
    let environment = json!({ "variables": { "SECRET_KEY": "short" }, "bindings": ["DB", "ASSETS"] }).to_string();
    let wrong = read_settings(&serde_json::from_str(&environment).unwrap()).unwrap_err();
    assert_eq!(wrong.names, ["SECRET_KEY", "CIRCUIT_BREAKER"]);
    let environment = environment.replace("short", "5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7");
    let wrong = read_settings(&serde_json::from_str(&environment).unwrap()).unwrap_err();
    assert!(wrong.names.contains(&"CIRCUIT_BREAKER") && wrong.names.contains(&"LOGIN_LIMITER"), "{:?}", wrong.names);
}
