//! The format of a log line, and protection against log injection.

use std::sync::Arc;

use tracing::field::Empty;

use super::*;
use crate::domain::peer::Peer;
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

/// The span of a request with all fields.
macro_rules! request {
    ($($fields:tt)*) => { tracing::info_span!("request", request_id = "abc", $($fields)*).entered() };
}

#[test]
fn a_refusal_names_network_user_session_and_key() {
    let lines = lines(LogLevel::Info, || {
        let network = Peer::new(Some("203.0.113.7"), None).network_bits();
        let _guard = request!(ray = "230b030023ae2822-SJC", network, user_id = Empty, session_id = Empty, kid = Empty);
        let noted = tracing::Span::current();
        tracing::warn!(target: "app.auth", "Before anything is known");
        tracing::record_all!(noted, user_id = 7_i64, session_id = 9_i64, kid = "00ff");
        tracing::info!(target: "app.access", "Request finished");
        tracing::error!(target: "app.errors", status_code = 500_u16, "Request failed");
        tracing::warn!(target: "app.auth", user_id = 8_i64, "An own field wins");
    });
    let head = |level: &str, name: &str, message: &str| {
        format!(
            r#"{{"timestamp":"2027-01-15T08:00:00.000Z","level":"{level}","name":"{name}","message":"{message}","request_id":"abc","ray":"230b030023ae2822-SJC""#
        )
    };
    let network = r#""network":"203.0.113.0/24""#;
    assert_eq!(
        lines,
        [
            format!("{},{network}}}", head("WARNING", "app.auth", "Before anything is known")),
            format!("{}}}", head("INFO", "app.access", "Request finished")),
            format!(
                r#"{},"status_code":500,{network},"user_id":7,"session_id":9,"kid":"00ff"}}"#,
                head("ERROR", "app.errors", "Request failed")
            ),
            format!(
                r#"{},"user_id":8,{network},"session_id":9,"kid":"00ff"}}"#,
                head("WARNING", "app.auth", "An own field wins")
            ),
        ]
    );
}

#[test]
fn the_client_is_a_network_an_address_or_absent() {
    let client = |ip: &'static str| Peer::new(Some(ip), None);
    let lines = lines(LogLevel::Info, || {
        for ip in ["::ffff:203.0.113.7", "2001:db8:7:8::9", "none"] {
            let _guard = request!(network = client(ip).network_bits(), address = Empty);
            tracing::warn!(target: "app.auth", "Network");
        }
        for ip in ["::ffff:203.0.113.7", "2001:db8:7:8::9", "none"] {
            let _guard = request!(network = Empty, address = client(ip).address_bits());
            tracing::warn!(target: "app.auth", "Address");
        }
    });
    let networks: Vec<_> = lines.iter().map(|line| parsed(line)["network"].clone()).collect();
    let expected = [
        "203.0.113.0/24".into(),
        "2001:db8:7::/48".into(),
        serde_json::Value::Null,
        "203.0.113.7".into(),
        "2001:db8:7:8::9".into(),
        serde_json::Value::Null,
    ];
    assert_eq!(networks, expected);
}

#[test]
fn nothing_of_a_request_is_left_for_the_next_or_for_concurrent_ones() {
    let lines = lines(LogLevel::Info, || {
        let first =
            tracing::info_span!("request", request_id = "first", user_id = 1_i64, session_id = 1_i64, kid = "k");
        let second = tracing::info_span!("request", request_id = "second", user_id = Empty, kid = Empty);
        second.in_scope(|| {
            tracing::Span::current().record("user_id", 2_i64);
        });
        first.in_scope(|| tracing::warn!(target: "app.auth", "First"));
        second.in_scope(|| tracing::warn!(target: "app.auth", "Second"));
        drop((first, second));
        let third = tracing::info_span!("request", request_id = "third", user_id = Empty, kid = Empty);
        third.in_scope(|| tracing::warn!(target: "app.auth", "Third"));
        tracing::warn!(target: "app.settings", "Outside");
    });
    let ids = ["request_id", "user_id", "session_id", "kid"];
    let found: Vec<_> = lines.iter().map(|line| ids.map(|id| parsed(line)[id].to_string())).collect();
    let null = "null";
    let expected = [
        [r#""first""#, "1", "1", r#""k""#],
        [r#""second""#, "2", null, null],
        [r#""third""#, null, null, null],
        [null, null, null, null],
    ];
    assert_eq!(found, expected);
}

fn parsed(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap()
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
