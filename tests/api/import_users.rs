//! Users of another system that share an address, or hand one on: each account stays that of one user.

use serde_json::{Value, json};

use crate::support::import::{ADMITTING, account, count, created, foreseen_import, import, rows};
use crate::support::mail::{VERIFYING, settle};
use crate::support::world::{Person, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];

fn world() -> World {
    World::through(&PEOPLE, &ADMITTING, |db| db)
}

fn line(external_id: Option<&str>, email: &str, full_name: &str) -> Value {
    json!({"external_id": external_id, "email": email, "full_name": full_name})
}

/// Address, external id and name of each account, without root.
fn users(world: &World) -> Vec<Value> {
    let rows = world.service.db.rows("SELECT email, external_id, full_name FROM users WHERE id > 1 ORDER BY email");
    rows.iter().map(|row| json!([row["email"], row["external_id"], row["full_name"]])).collect()
}

/// Ids and names are texts, whatever they look like.
#[tokio::test]
async fn ids_and_names_are_texts() {
    let world = world();
    let root = world.sign_in("root").await;
    let texts = [
        "1",
        "01",
        "1.0",
        "1e0",
        " 1",
        "+1",
        "null",
        "true",
        "\"",
        "\\",
        "\\u0031",
        "'",
        "'; DROP TABLE users; --",
        "[]",
        "{}",
        "$",
        "%",
        "a",
        "A",
        "\u{e9}",
        "e\u{301}",
        "\u{1f600}",
        "user/1",
        "service/1",
        "\u{a0}",
    ];
    let lines: Vec<Value> = (0..)
        .zip(texts)
        .map(|(number, text)| json!({"external_id": text, "email": format!("u{number}@example.com"), "full_name": format!("x{text}x")}))
        .collect();
    assert_eq!(foreseen_import(&world, &root, &lines).await, vec!["created"; texts.len()]);
    for (line, text) in lines.iter().zip(texts) {
        let account = account(&world.service.db, line["email"].as_str().unwrap());
        assert_eq!((&account["external_id"], &account["full_name"]), (&json!(text), &json!(format!("x{text}x"))));
    }
    assert_eq!(foreseen_import(&world, &root, &lines).await, vec!["exists"; texts.len()]);
    assert_eq!(count(&world.service.db, "users"), 1 + i64::try_from(texts.len()).unwrap());
}
