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

#[tokio::test]
async fn a_file_with_a_user_twice_changes_nothing_when_it_is_sent_again() {
    let a = "a@example.com";
    for lines in [
        [line(Some("1"), a, "First"), line(Some("1"), a, "Second")],
        [line(Some("1"), a, "First"), line(Some("1"), "b@example.com", "Second")],
        [line(None, a, "First"), line(None, "A@example.com", "Second")],
        [line(Some("1"), a, "First"), line(None, a, "Second")],
        [line(None, a, "First"), line(Some("1"), a, "Second")],
        [line(Some("1"), a, "First"), line(Some("2"), a, "Second")],
    ] {
        let world = world();
        let root = world.sign_in("root").await;
        assert_eq!(foreseen_import(&world, &root, &lines).await, ["created", "exists"], "{lines:?}");
        let before = rows(&world.service.db);
        for _ in 0..2 {
            assert_eq!(foreseen_import(&world, &root, &lines).await, ["exists", "exists"], "{lines:?}");
            assert_eq!(rows(&world.service.db), before, "{lines:?}");
        }
    }
}

/// The address belongs to an account with another external id of the same importer, which never signed in.
#[tokio::test]
async fn an_account_of_another_user_gets_no_name() {
    let world = world();
    let root = world.sign_in("root").await;
    created(&world, &root, &line(Some("1"), "ada@example.com", "Ada")).await;
    assert_eq!(foreseen_import(&world, &root, &[line(Some("2"), "ADA@example.com", "Adam")]).await, ["exists"]);
    assert_eq!(users(&world), [json!(["ada@example.com", "1", "Ada"])]);
    // Without an id the address decides.
    assert_eq!(foreseen_import(&world, &root, &[line(None, "ada@example.com", "Ada King")]).await, ["updated"]);
    assert_eq!(users(&world), [json!(["ada@example.com", "1", "Ada King"])]);
}

/// User 1 never proved the address `a`, and has another one now. User 2 has proven it. An import takes nothing from user 1, so the
/// administrators move the address.
#[tokio::test]
async fn an_address_of_an_imported_account_is_not_handed_on() {
    let mut proven = line(Some("2"), "a@example.com", "Two");
    proven["email_verified"] = json!(true);
    let moved = line(Some("1"), "b@example.com", "One");
    for is_first in [true, false] {
        let world = World::through(&PEOPLE, &[VERIFYING, &ADMITTING].concat(), |db| db);
        let root = world.sign_in("root").await;
        settle().await;
        created(&world, &root, &line(Some("1"), "a@example.com", "Former")).await;
        let mut lines = [proven.clone(), moved.clone()];
        let mut expected = ["exists", "updated"];
        if !is_first {
            lines.reverse();
            expected.reverse();
        }
        assert_eq!(foreseen_import(&world, &root, &lines).await, expected);
        assert_eq!(users(&world), [json!(["a@example.com", "1", "One"])]);
        assert_eq!(foreseen_import(&world, &root, &lines).await, ["exists", "exists"]);
        world.service.db.execute("UPDATE users SET email = 'b@example.com' WHERE external_id = '1'");
        import(&root, &lines).await;
        assert_eq!(users(&world), [json!(["a@example.com", "2", "Two"]), json!(["b@example.com", "1", "One"])]);
    }
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
