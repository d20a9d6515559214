//! The format of a log line, and protection against log injection.

use std::sync::Arc;

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn clock() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000)
}

fn lines(level: LogLevel, write: impl FnOnce()) -> Vec<String> {
    let min_level: &'static MinLevel = Box::leak(Box::default());
    min_level.set(level);
    let written: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = Arc::clone(&written);
    let push = move |_, line: &str| lines.lock().unwrap().push(line.to_owned());
    tracing::subscriber::with_default(JsonLines::new(push, clock, min_level), write);
    written.lock().unwrap().clone()
}

#[test]
fn line_format_unchanged() {
    let lines = lines(LogLevel::Info, || {
        let _guard = tracing::info_span!("request", request_id = "abc").entered();
        tracing::warn!(target: "app.auth", code = "X", status_code = 401_u16, retried = false, "Request refused");
    });
    assert_eq!(
        lines,
        [concat!(
            r#"{"timestamp":"2027-01-15T08:00:00.000Z","level":"WARNING","name":"app.auth","message":"Request refused","#,
            r#""request_id":"abc","code":"X","status_code":401,"retried":false}"#
        )]
    );
}

#[test]
fn input_cannot_forge_a_line_or_a_field() {
    let hostile = "/a\n{\"level\":\"ERROR\"}\r\u{2028}\",\"admin\":\"true";
    let lines = lines(LogLevel::Info, || tracing::info!(target: "app.access", path = hostile, "Request started"));
    assert_eq!(lines.len(), 1);
    assert!(!lines[0].contains('\n') && !lines[0].contains('\r'));
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["path"], hostile);
    assert_eq!(line["level"], "INFO");
    assert!(line.get("admin").is_none());
}

#[test]
fn lines_below_the_level_are_not_written() {
    let write = || {
        tracing::debug!(target: "app.x", "d");
        tracing::info!(target: "app.x", "i");
        tracing::warn!(target: "app.x", "w");
        tracing::error!(target: "app.x", "e");
    };
    let count = |level| lines(level, write).len();
    assert_eq!(count(LogLevel::Debug), 4);
    assert_eq!(count(LogLevel::Info), 3);
    assert_eq!(count(LogLevel::Warning), 2);
    assert_eq!(count(LogLevel::Error), 1);
}

#[test]
fn events_of_other_crates_are_not_published() {
    assert!(lines(LogLevel::Debug, || tracing::error!(target: "hyper::proto", "body: secret")).is_empty());
}
