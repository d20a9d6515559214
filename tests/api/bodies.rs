//! Invalid request bodies: every public operation that reads one, with every kind of fault.

use axum::body::Body;
use axum::http::Request;
use edge_auth::http::MAX_BODY_BYTES;
use serde_json::json;

use crate::support::contract::DESCRIPTION;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

/// Every path with a public POST that reads a JSON body. (Authenticated routes share the reader.)
fn paths() -> Vec<&'static str> {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let is_public = |item: &serde_json::Value| item["post"]["security"].is_null();
    let takes_json = |item: &serde_json::Value| item["post"]["requestBody"]["content"]["application/json"].is_object();
    let paths = paths.iter().filter(|(_, item)| takes_json(item) && is_public(item));
    paths.map(|(path, _)| path.as_str()).collect()
}

fn is_required(path: &str) -> bool {
    DESCRIPTION["paths"][path]["post"]["requestBody"]["required"] == true
}

/// The answer to a body without members. An operation that needs none misses a token.
fn answer_to_nothing(path: &str) -> u16 {
    if is_required(path) { 422 } else { 401 }
}

async fn post_as(service: &Service, path: &str, content_type: Option<&str>, body: &str) -> Reply {
    let mut request = Request::post(path);
    if let Some(content_type) = content_type {
        request = request.header("Content-Type", content_type);
    }
    service.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn text_that_is_not_json_is_json_invalid() {
    let service = Service::new();
    let deep = "[".repeat(10_000);
    let deep_member = format!("{{\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let texts: [&[u8]; 13] = [
        b"",
        b" ",
        b"{",
        b"{]",
        b"email=a",
        b"{\"email\":}",
        b"{\"email\":\"a\"} x",
        b"{'email':'a'}",
        b"\xef\xbb\xbf{}",
        b"{\"email\":\"\xff\xfe\"}",
        b"{\"email\":\"\\ud800\"}",
        deep.as_bytes(),
        deep_member.as_bytes(),
    ];
    for path in paths() {
        for text in texts.iter().filter(|text| is_required(path) || !text.is_empty()) {
            let reply = service.post_text(path, text.to_vec()).await.expect_error(422, "VALIDATION_ERROR");
            assert_eq!(reply.faults(), [("body".to_owned(), "json_invalid".to_owned())], "{path} {text:?}");
        }
    }
}

#[tokio::test]
async fn duplicate_members_are_refused() {
    let service = Service::new();
    let text = format!(r#"{{"email":"eve@example.com","password":"{PASSWORD}","email":"{EMAIL}"}}"#);
    for path in paths() {
        let reply = service.post_text(path, text.clone()).await.expect_error(422, "VALIDATION_ERROR");
        assert_eq!(reply.faults(), [("body".to_owned(), "json_invalid".to_owned())], "{path}");
    }
    // An escaped name is the same name.
    let escaped = r#"{"refresh_token":"a","refresh\u005ftoken":"b"}"#;
    service.post_text("/auth/refresh", escaped).await.expect_error(422, "VALIDATION_ERROR");
}

/// With its `raw_value` feature `serde_json::Value` parses the text of such a member again at each level of nesting,
/// with a fresh depth limit each time.
#[tokio::test]
async fn no_member_name_is_special_to_the_parser() {
    const NAME: &str = "$serde_json::private::RawValue";
    let service = Service::new();
    let disguised = json!({"email": {NAME: format!("\"{EMAIL}\"")}, "password": PASSWORD});
    let reply = service.post("/auth/register", &disguised).await.expect_error(422, "VALIDATION_ERROR");
    assert_eq!(reply.faults(), [("email".to_owned(), "type_error".to_owned())]);
    let escape = |text: &str| text.replace('\\', "\\u005c").replace('"', "\\u0022");
    let mut bomb = "[".repeat(125);
    for _ in 0..28 {
        bomb = format!("{}{{\"{NAME}\":\"{}\"", "[".repeat(125), escape(&bomb));
    }
    for path in paths() {
        let reply = service.post_text(path, format!("{{\"x\":{bomb}")).await.expect_error(422, "VALIDATION_ERROR");
        assert_eq!(reply.faults(), [("body".to_owned(), "json_invalid".to_owned())]);
    }
}

#[tokio::test]
async fn json_that_is_not_an_object_is_a_type_error_of_the_body() {
    let service = Service::new();
    for path in paths() {
        for text in ["null", "true", "0", "-1.5", "1e400", "\"text\"", "[]", "[{\"email\":\"a\"}]"] {
            let reply = service.post_text(path, text).await.expect_error(422, "VALIDATION_ERROR");
            let kind = if text == "1e400" { "json_invalid" } else { "type_error" };
            assert_eq!(reply.faults(), [("body".to_owned(), kind.to_owned())], "{path} {text}");
        }
    }
}

#[tokio::test]
async fn a_body_without_a_json_media_type_is_refused() {
    let service = Service::new();
    let wrong = [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("application/jsonp"),
        Some("text/json"),
        Some("application/json; charset=utf-16"),
        Some("application/json; charset=iso-8859-1"),
        Some("application/json; charset=\"utf-16\""),
        Some("application/json; charset=utf-8; charset=utf-16"),
        Some("application/json; charset="),
        Some("json"),
    ];
    for path in paths() {
        for content_type in wrong {
            post_as(&service, path, content_type, "{}").await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        for content_type in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; charset=utf8",
            "application/json; charset=\"utf8\"",
            "application/json; charset=us-ascii",
            "application/json; charset=\"US-ASCII\"",
            "application/json; Charset=UTF8; profile=x",
            "application/json; profile=\"a; charset=utf-16\"",
            "application/json; profile=\"a\\\"; charset=utf-16\"",
            "application/vnd.api+json",
        ] {
            post_as(&service, path, Some(content_type), "{}").await.expect(answer_to_nothing(path));
        }
    }
}

#[tokio::test]
async fn a_coded_body_is_refused_with_the_codings_that_are_accepted() {
    let service = Service::new();
    for path in paths() {
        for (coding, status) in [
            ("gzip", 415),
            ("GZIP", 415),
            ("br", 415),
            ("identity, gzip", 415),
            ("aws-chunked", 415),
            ("identity", answer_to_nothing(path)),
            ("Identity", answer_to_nothing(path)),
            ("", answer_to_nothing(path)),
        ] {
            let request = Request::post(path).header("Content-Type", "application/json");
            let request = request.header("Content-Encoding", coding).body(Body::from("{}")).unwrap();
            let reply = service.send(request).await.expect(status);
            assert_eq!(reply.header("accept-encoding"), (status == 415).then_some("identity"), "{path} {coding}");
        }
        let reply = post_as(&service, path, Some("text/plain"), "{}").await.expect(415);
        assert_eq!(reply.header("accept-encoding"), None, "the media type is the reason");
    }
}

/// A well-formed body of exactly this many bytes.
fn body_of(length: usize) -> String {
    let frame = json!({"refresh_token": "x", "email": EMAIL, "password": PASSWORD, "padding": ""}).to_string();
    json!({"refresh_token": "x", "email": EMAIL, "password": PASSWORD, "padding": "p".repeat(length - frame.len())})
        .to_string()
}

#[tokio::test]
async fn a_body_over_16_kib_is_refused_before_it_is_parsed() {
    let service = Service::new();
    for path in paths() {
        let fits = service.post_text(path, body_of(MAX_BODY_BYTES)).await;
        assert_ne!(fits.status, 413, "{path}");
        service.post_text(path, body_of(MAX_BODY_BYTES + 1)).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        service.post_text(path, vec![b'x'; 1_000_000]).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        // A Content-Length above the limit is enough to refuse; a smaller one is not trusted.
        for (claimed, status) in [("99999", 413), ("18446744073709551615", 413), ("3", 413)] {
            let length = if claimed == "3" { MAX_BODY_BYTES + 1 } else { 200 };
            let request =
                Request::post(path).header("Content-Type", "application/json").header("Content-Length", claimed);
            service.send(request.body(Body::from(body_of(length))).unwrap()).await.expect(status);
        }
    }
}

#[tokio::test]
async fn the_reply_does_not_echo_the_request() {
    let service = Service::new();
    let reply = service.post_text("/auth/login", "{\"password\":\"hunter2hunter2\"").await.expect(422);
    assert!(!reply.text.contains("hunter2"));
    let reply = service.login("hunter2 is no address", "hunter2hunter2").await.expect(422);
    assert!(!reply.text.contains("hunter2"));
}
