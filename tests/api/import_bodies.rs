//! Bodies of an import: their type, their size, and the ways in which they arrive.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, Request};
use edge_auth::http::BodyError;
use http_body::Frame;
use serde_json::{Value, json};

use crate::support::import::{DRY_RUN, IMPORT, answers, body, count, import_bytes, numbered, read, rows, word};
use crate::support::watched_body::{Watch, interrupted_body, slow_body};
use crate::support::world::{Person, Visitor, World};

const PEOPLE: [Person; 2] = [("root", "PLATFORM_ADMIN"), ("second", "PLATFORM_ADMIN")];
const LINE: &str = r#"{"email": "ada@example.com"}"#;

/// A body in pieces, the last of which may be an error.
struct Pieces(VecDeque<Result<Bytes, BodyError>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.pop_front().map(|piece| piece.map(Frame::data)))
    }
}

/// The text in pieces of this length, and perhaps an error behind them.
fn pieces(text: &str, length: usize, end: Option<BodyError>) -> Body {
    let pieces = text.as_bytes().chunks(length).map(|piece| Ok(Bytes::copy_from_slice(piece)));
    Body::new(Pieces(pieces.chain(end.map(Err)).collect()))
}

async fn send(world: &World, visitor: &Visitor<'_>, headers: &[(HeaderName, &str)]) -> u16 {
    let mut request = Request::post("/admin/users/import").header("Authorization", visitor.token());
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    world.service.send(request.body(Body::from(LINE)).unwrap()).await.status
}

#[tokio::test]
async fn only_lines_of_json_are_taken() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    for media_type in [
        "application/x-ndjson",
        "Application/X-NDJSON",
        "application/x-ndjson; charset=utf-8",
        "application/x-ndjson ;charset=\"UTF-8\"; x=y",
    ] {
        assert_eq!(send(&world, &root, &[(CONTENT_TYPE, media_type)]).await, 200, "{media_type}");
    }
    assert_eq!(send(&world, &root, &[]).await, 415);
    for media_type in [
        "",
        "application/json",
        "application/ndjson",
        "application/x-ndjson-seq",
        "application/x-ndjson+json",
        "text/plain",
        "text/csv",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "text/plain; application/x-ndjson",
    ] {
        assert_eq!(send(&world, &root, &[(CONTENT_TYPE, media_type)]).await, 415, "{media_type}");
    }
    for (coding, status) in [("identity", 200), ("gzip", 415), ("br", 415), ("identity, gzip", 415)] {
        let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CONTENT_ENCODING, coding)];
        assert_eq!(send(&world, &root, &headers).await, status, "{coding}");
    }
    assert_eq!(count(&world.service.db, "users"), 3);
}

/// As for bodies of JSON.
#[tokio::test]
async fn another_charset_is_refused() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    for charset in ["iso-8859-1", "utf-16", "\"windows-1252\""] {
        let media_type = format!("application/x-ndjson; charset={charset}");
        assert_eq!(send(&world, &root, &[(CONTENT_TYPE, &media_type)]).await, 415, "{charset}");
    }
}

#[tokio::test]
async fn other_parameters_are_refused_before_the_body() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let before = rows(&world.service.db);
    for (query, field) in [
        ("dry_run=maybe", "dry_run"),
        ("dry_run=", "dry_run"),
        ("dry_run", "dry_run"),
        ("dry_run=1", "dry_run"),
        ("dry_run=True", "dry_run"),
        ("dry_run=true&dry_run=true", "dry_run"),
        ("dry-run=true", "dry-run"),
        ("dry_run=true&limit=1", "limit"),
        ("Dry_run=true", "Dry_run"),
    ] {
        let reply = root.ask(&format!("{IMPORT}?{query} {LINE}")).await;
        let faults = reply.expect_error(422, "VALIDATION_ERROR").faults();
        assert_eq!(faults, [(field.to_owned(), "value_error".to_owned())], "{query}");
    }
    assert_eq!(rows(&world.service.db), before);
    assert_eq!(read(root.ask(&format!("{DRY_RUN} {LINE}")).await).len(), 1);
    assert_eq!(rows(&world.service.db), before);
    assert_eq!(read(root.ask(&format!("{IMPORT}?dry_run=false {LINE}")).await)[0]["outcome"], "created");
    assert_eq!(count(&world.service.db, "users"), 3);
}

/// One bad line among as many good ones as fit: ten batches.
#[tokio::test]
async fn a_full_request_is_written_in_batches_of_fifty() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let mut lines = numbered(500);
    lines[249] = json!({"email": "user-250@example.com", "external_id": "250", "x": 1});
    let answers = answers(&root, &body(&lines)).await;
    assert_eq!(world.service.last_d1_calls(), 1 + 1 + 10);
    assert_eq!(answers.len(), 500);
    for (number, answer) in (1..).zip(&answers) {
        let expected = if number == 250 { "refused unknown_member" } else { "created" };
        assert_eq!((word(answer).as_str(), &answer["line"]), (expected, &json!(number)));
        assert_eq!(answer["external_id"], number.to_string());
    }
    let db = &world.service.db;
    assert_eq!(
        count(db, "users WHERE email = 'user-' || external_id || '@example.com' AND import_id IS NOT NULL"),
        499
    );
    assert_eq!(count(db, "audit_events WHERE type = 'imported'"), 499);
}

/// As many roles as a line can have: fewer lines in a batch.
#[tokio::test]
async fn lines_with_many_roles_are_written_in_smaller_batches() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let places = [(1, None), (1, Some(1)), (1, Some(2)), (1, Some(3)), (2, None), (2, Some(4))];
    let mut roles: Vec<Value> = places
        .iter()
        .flat_map(|(university, department)| {
            let role = |role| json!({"role": role, "university_id": university, "department_id": department});
            ["STUDENT", "TA", "INSTRUCTOR"].map(role)
        })
        .collect();
    roles.extend([1, 2].map(|university| json!({"role": "UNIVERSITY_ADMIN", "university_id": university})));
    assert_eq!(roles.len(), 20);
    let mut lines = numbered(120);
    for line in &mut lines[20..] {
        line["roles"] = json!(roles);
    }
    assert!(answers(&root, &body(&lines)).await.iter().all(|answer| answer["outcome"] == "created"));
    let batches = world.service.last_d1_calls() - 2;
    assert_eq!(batches, 1 + 8, "32 lines, and 12 in each further batch but the last");
    let db = &world.service.db;
    assert_eq!(count(db, "user_university_roles WHERE user_id > 2"), 2000);
    assert_eq!(count(db, "audit_events WHERE type = 'role_granted'"), 2000);
    assert_eq!(count(db, "audit_events WHERE type = 'imported'"), 120);
}

#[tokio::test]
async fn more_lines_or_bytes_than_allowed_write_nothing() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let before = rows(&world.service.db);
    let line = |number: usize| format!(r#"{{"email": "user-{number}@example.com"}}"#);
    let padded = |number: usize| format!("{:<16383}\n", line(number));
    let mebibyte: String = (0..64).map(padded).collect();
    assert_eq!(mebibyte.len(), 1024 * 1024);
    let lines: String = (0..500).map(|number| line(number) + "\n").collect();
    for text in [
        format!("{lines}{{}}"),
        format!("{lines}\n"),
        format!("{}{LINE}\n", "\n".repeat(500)),
        "x\n".repeat(501),
        format!("{mebibyte} "),
        format!("{mebibyte}\n"),
        "x".repeat(1024 * 1024 + 1),
    ] {
        for length in [text.len(), 65_536, 1000] {
            let reply = import_bytes(&world, &root, pieces(&text, length, None)).await;
            reply.expect_error(413, "PAYLOAD_TOO_LARGE");
        }
    }
    assert_eq!(rows(&world.service.db), before);
    let answers = read(import_bytes(&world, &root, pieces(&mebibyte, 1000, None)).await);
    assert!(answers.iter().all(|answer| answer["outcome"] == "created") && answers.len() == 64);
}

#[tokio::test]
async fn a_body_that_is_announced_to_be_too_large_is_not_waited_for() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    for (length, status, was_asked) in [("1048576", 408, true), ("1048577", 413, false), ("99999999999", 413, false)] {
        let watch = Watch::default();
        let head = root.request(&format!("{IMPORT} x")).0.header(CONTENT_LENGTH, length);
        assert_eq!(world.service.send(head.body(watch.body()).unwrap()).await.status, status);
        assert_eq!(watch.was_asked(), was_asked, "{length}");
    }
}

#[tokio::test]
async fn a_body_arrives_in_any_pieces() {
    let text = format!(
        "\u{feff}\r\n{LINE}\r\n\n{{\"email\": \"e\u{301}@b\u{fc}cher.example\"}}\n{{\"external_id\": \"\u{1f600}\"}}"
    );
    let mut seen = Vec::new();
    for length in [1, 2, 3, 7, 64, text.len()] {
        let world = World::of(&PEOPLE);
        let root = world.sign_in("root").await;
        let reply = import_bytes(&world, &root, pieces(&text, length, None)).await;
        seen.push(read(reply));
    }
    let words: Vec<String> = seen[0].iter().map(word).collect();
    assert_eq!(words, ["refused not_json", "created", "created", "refused email_invalid"]);
    assert_eq!(seen[0].iter().map(|answer| answer["line"].clone()).collect::<Vec<_>>(), [1, 2, 4, 5]);
    assert!(seen.iter().all(|answers| *answers == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_or_comes_late_writes_nothing() {
    let world = World::of(&PEOPLE);
    let root = world.sign_in("root").await;
    let before = rows(&world.service.db);
    let text = body(&numbered(300));
    for length in [10, 1000, text.len()] {
        for (end, status) in [(BodyError::TimedOut, 408), (BodyError::Broken, 422)] {
            let reply = import_bytes(&world, &root, pieces(&text, length, Some(end))).await;
            assert_eq!(reply.status, status, "{reply:?}");
        }
    }
    assert_eq!(rows(&world.service.db), before);
}

/// After a slow body the right of the importer is asked for again.
#[tokio::test]
async fn a_right_that_ends_while_the_body_arrives_writes_nothing() {
    for (sql, code) in [
        ("UPDATE users SET is_active = 0 WHERE id = 1", "AUTH_INACTIVE_USER"),
        ("DELETE FROM user_university_roles WHERE user_id = 1", "FORBIDDEN"),
    ] {
        let world = World::of(&PEOPLE);
        let root = world.sign_in("root").await;
        let reply = import_bytes(&world, &root, slow_body(2, LINE.to_owned())).await;
        assert_eq!(read(reply)[0]["outcome"], "created", "a slow body is no fault");
        let db = world.service.db.clone();
        let slow = interrupted_body(2, body(&numbered(2)), move || db.execute(sql));
        import_bytes(&world, &root, slow).await.expect_error(403, code);
        assert_eq!(count(&world.service.db, "users"), 3, "{sql}");
    }
}
