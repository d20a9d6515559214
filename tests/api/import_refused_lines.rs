//! Lines that are refused: every code, for each rule behind it. A refused line leaves nothing, and its neighbours are imported.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::import_refusal_table::TABLE;
use crate::support::contract::DESCRIPTION;
use crate::support::import::{
    ADMITTING, HASH, SCOPES, answers, body, count, foreseen_import, import, import_bytes, importer, read, rows, word,
};
use crate::support::world::{Person, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
/// Stands for members that are right.
const EMAIL: &str = r#""email": "ada@example.com""#;

/// Refused as `role_not_allowed`, for every importer.
const PLATFORM_ROLES: [&str; 4] = [
    r#"{EMAIL, "roles": [{"role": "PLATFORM_ADMIN"}]}"#,
    r#"{EMAIL, "roles": [{"role": "PLATFORM_ADMIN", "university_id": 1}]}"#,
    r#"{EMAIL, "roles": [{"role": "PLATFORM_ADMIN", "university_id": null, "department_id": null}]}"#,
    r#"{EMAIL, "roles": [{"role": "TA", "university_id": 1}, {"role": "PLATFORM_ADMIN"}]}"#,
];

fn world() -> World {
    World::through(&PEOPLE, &ADMITTING, |db| db)
}

fn full(line: &str) -> String {
    line.replace("EMAIL", EMAIL).replace("HASH", HASH)
}

/// A line of `length` bytes.
fn padded(length: usize) -> String {
    let line = full("{EMAIL}");
    format!("{line}{}", " ".repeat(length - line.len()))
}

/// Sends lines between others, which are imported: the words of all answers but theirs.
async fn between(world: &World, lines: &[String]) -> Vec<String> {
    let root = world.sign_in("root").await;
    let good = |name: &str| json!({"email": format!("{name}@example.com")}).to_string();
    let text = format!("{}\n{}\n{}", good("first"), lines.join("\n"), good("last"));
    let mut words: Vec<String> = answers(&root, &text).await.iter().map(word).collect();
    assert_eq!([words.remove(0), words.pop().unwrap()], ["created", "created"]);
    words
}

#[tokio::test]
async fn each_rule_has_its_code() {
    for (code, lines) in TABLE {
        let lines: Vec<String> = lines.iter().map(|line| full(line)).collect();
        let world = world();
        let words = between(&world, &lines).await;
        let differing = words.iter().zip(&lines).filter(|(word, _)| **word != format!("refused {code}"));
        assert_eq!(differing.collect::<Vec<_>>(), [], "{code}");
        assert_eq!(words.len(), lines.len());
        assert_eq!(count(&world.service.db, "users"), 3, "{code}");
    }
}

/// Arrays of arrays, as deep as a line may be: the parser does not exhaust the stack.
#[tokio::test]
async fn depth_is_bounded() {
    let nested = |depth: usize| full(&format!(r#"{{EMAIL, "x": {}{}}}"#, "[".repeat(depth), "]".repeat(depth)));
    let objects = full(&format!(r#"{{EMAIL, "x": {}1{}}}"#, r#"{"x":"#.repeat(2000), "}".repeat(2000)));
    let lines = [nested(20), nested(8000), objects, "[".repeat(16_000)];
    let expected = ["refused unknown_member", "refused not_json", "refused not_json", "refused not_json"];
    assert_eq!(between(&world(), &lines).await, expected);
}

#[tokio::test]
async fn long_lines_and_texts_are_refused_from_the_first_unit_too_many() {
    let member = |name: &str, value: String| full(&format!(r#"{{EMAIL, "{name}": "{value}"}}"#));
    let roles = |number: usize| {
        let roles: Vec<Value> = (1..=number).map(|_| json!({"role": "TA", "university_id": 1})).collect();
        full(&format!(r#"{{EMAIL, "roles": {}}}"#, json!(roles)))
    };
    let lines = [
        (padded(16 * 1024 + 1), "refused line_too_long"),
        (padded(600_000), "refused line_too_long"),
        (member("external_id", "\u{e9}".repeat(201)), "refused external_id_invalid"),
        (member("full_name", "\u{e9}".repeat(201)), "refused full_name_invalid"),
        (member("password_hash", format!("{HASH}{}", "a".repeat(512))), "refused hash_malformed"),
        (full(&format!(r#"{{"email": "{}@example.com"}}"#, "a".repeat(65))), "refused email_invalid"),
        (roles(21), "refused roles_too_many"),
        (roles(20), "refused roles_invalid"),
        (padded(16 * 1024), "created"),
    ];
    let world = world();
    let root = world.sign_in("root").await;
    let text: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let words: Vec<String> = answers(&root, &text.join("\n")).await.iter().map(word).collect();
    assert_eq!(words, lines.map(|(_, word)| word));
    assert_eq!(count(&world.service.db, "users"), 2);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_alone() {
    let world = world();
    let root = world.sign_in("root").await;
    let mut bytes = Vec::new();
    for name in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xc3\xa9"] {
        bytes.extend_from_slice(b"{\"email\": \"ada@example.com\", \"full_name\": \"");
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(b"\"}\n");
    }
    let words: Vec<String> = read(import_bytes(&world, &root, bytes).await).iter().map(word).collect();
    let mut expected = vec!["refused not_utf8"; 5];
    expected.push("created");
    assert_eq!(words, expected);
}

#[tokio::test]
async fn no_line_gives_a_role_that_its_importer_may_not_give() {
    let world = world();
    let root = world.sign_in("root").await;
    let (_, both) = importer(&world, &SCOPES).await;
    let (_, without) = importer(&world, &["users:import"]).await;
    let text: Vec<String> = PLATFORM_ROLES.iter().map(|line| full(line)).collect();
    for visitor in [&root, &both, &without] {
        let words: Vec<String> = answers(visitor, &text.join("\n")).await.iter().map(word).collect();
        assert_eq!(words, ["refused role_not_allowed"; 4]);
    }
    let roles = json!({"email": "ada@example.com", "roles": [{"role": "STUDENT", "university_id": 1}]});
    let none = json!({"email": "bob@example.com", "roles": []});
    let words = foreseen_import(&world, &without, &[roles.clone(), none]).await;
    assert_eq!(words, ["refused role_not_allowed", "created"]);
    assert_eq!(import(&both, &[roles]).await, ["created"]);
}

#[tokio::test]
async fn a_refused_file_writes_nothing_and_is_refused_again() {
    let world = world();
    let root = world.sign_in("root").await;
    let lines = [json!({}), json!({"email": "ada@example.com", "x": 1}), json!([])];
    let before = rows(&world.service.db);
    let first = answers(&root, &body(&lines)).await;
    assert_eq!(answers(&root, &body(&lines)).await, first);
    assert_eq!(rows(&world.service.db), before);
    assert_eq!(world.service.last_d1_calls(), 1, "no line has facts to be read");
}

#[test]
fn every_code_of_the_description_has_a_line() {
    let codes = &DESCRIPTION["components"]["schemas"]["ImportAnswer"]["properties"]["code"]["enum"];
    let described: BTreeSet<&str> = codes.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let elsewhere = ["line_too_long", "not_utf8", "roles_too_many", "role_not_allowed"];
    let failures = ["unavailable", "out_of_time", "overtaken", "stopped"];
    let tested = TABLE.iter().map(|(code, _)| *code).chain(elsewhere).chain(failures);
    assert_eq!(tested.collect::<BTreeSet<_>>(), described);
}
