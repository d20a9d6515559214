//! A line meets an account: the outcome for every state of the account, and all rows behind it. Only a line that proves the
//! address takes an account over, and only one whose address was never proven and that administers nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::federation_accounts::{add, contents};
use crate::lost_answers::LostAnswers;
use crate::support::import::{
    ADMITTING, HASH, SCOPES, account, count, events, foreseen_import, import, importer, rows,
};
use crate::support::world::{Person, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
const EMAIL: &str = "ada@example.com";
/// The account that the line meets, and one that its importer made before.
const MET: i64 = 7;
const OTHER: i64 = 8;

/// The state of the account, and the outcome of a line that proves the address. Each has a name, a role, a session, a key, a
/// known device and an identity, but for `plain`. A factor is an app, a passkey and recovery codes.
const STATES: [(&str, &str); 20] = [
    ("none", "created"),
    ("erased", "created"),
    ("plain unverified", "emptied"),
    ("plain verified", "exists"),
    ("plain verified disabled", "exists"),
    ("unverified", "emptied"),
    ("unverified factor", "emptied"),
    ("unverified passwordless", "emptied"),
    ("unverified disabled", "emptied"),
    ("unverified imported", "emptied"),
    ("unverified administrator", "exists"),
    ("unverified department administrator", "exists"),
    ("unverified platform administrator", "exists"),
    ("unverified disabled administrator", "exists"),
    ("verified", "exists"),
    ("verified factor", "exists"),
    ("verified disabled", "exists"),
    ("verified passwordless", "exists"),
    ("verified administrator", "exists"),
    ("reserved", "exists"),
];

/// The states, and each line: does it prove the address, has it a hash, and whose is its external id?
fn cells() -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    let flags = [false, true];
    STATES.into_iter().flat_map(move |(state, outcome)| {
        flags.into_iter().flat_map(move |is_verified| {
            flags.into_iter().flat_map(move |has_hash| {
                ["", "new", "other"].into_iter().map(move |external_id| {
                    let mut line = json!({"email": EMAIL, "email_verified": is_verified, "full_name": "Of The Line"});
                    if has_hash {
                        line["password_hash"] = json!(HASH);
                    }
                    if !external_id.is_empty() {
                        line["external_id"] = json!(external_id);
                    }
                    let is_nothing = external_id == "other" || (outcome == "emptied" && !is_verified);
                    (state, if is_nothing { "exists" } else { outcome }, line)
                })
            })
        })
    })
}

fn fill(world: &World, state: &str) {
    let db = &world.service.db;
    let is_verified = !state.contains("unverified");
    match state {
        "none" => {}
        "erased" => db.execute(&format!(
            "INSERT INTO users (id, email, password_hash, created_at, is_active, erasure_cursor) VALUES ({MET}, 'erased:{MET}', '', 1, 0, 0)"
        )),
        _ if state.starts_with("plain") => db.execute(&format!(
            "INSERT INTO users (id, email, password_hash, created_at, is_active, email_verified_at)
             VALUES ({MET}, '{EMAIL}', 'a hash', 1, {}, {})",
            !state.contains("disabled"),
            if is_verified { "1" } else { "NULL" }
        )),
        _ => add(db, MET, state, EMAIL),
    }
    if state.contains("imported") {
        db.execute(&format!("UPDATE users SET imported_by = 'user/99', external_id = 'new' WHERE id = {MET}"));
    }
    db.execute(&format!(
        "INSERT INTO users (id, email, password_hash, created_at, imported_by, external_id)
         VALUES ({OTHER}, 'other@example.org', 'a hash', 1, 'user/1', 'other')"
    ));
}

/// All that the line says, and nothing else.
fn expected(line: &Value, created_at: i64) -> Value {
    let is_verified = line["email_verified"] == true;
    json!({
        "email": EMAIL, "full_name": "Of The Line", "is_active": 1, "created_at": created_at,
        "email_verified_at": if is_verified { json!(created_at) } else { Value::Null },
        "has_password": i64::from(line["password_hash"].is_string()), "imported_by": "user/1",
        "external_id": line["external_id"], "untouched": 1, "mail_refused_at": null, "registered_network": null, "roles": "[]",
    })
}

#[tokio::test]
async fn an_account_is_taken_over_only_by_the_owner_of_an_address_that_was_never_proven() {
    for (state, outcome, line) in cells() {
        let world = World::through(&PEOPLE, &ADMITTING, |db| db);
        let root = world.sign_in("root").await;
        fill(&world, state);
        let db = &world.service.db;
        let before = rows(db);
        let words = foreseen_import(&world, &root, std::slice::from_ref(&line)).await;
        assert_eq!(words, [if outcome == "exists" { "exists" } else { "created" }], "{state}: {line}");
        if outcome == "exists" {
            assert_eq!(rows(db), before, "{state}: {line}");
            continue;
        }
        let now = crate::support::clock().millis();
        assert_eq!(account(db, EMAIL), expected(&line, now), "{state}: {line}");
        let id: i64 = db.one(&format!("SELECT id FROM users WHERE email = '{EMAIL}'"));
        assert_eq!(id == MET, outcome == "emptied", "{state}: {line}");
        let words = contents(db, id);
        let allowed = ["address ", "verified", "active", "password imported:", "name Of The Line"];
        assert!(words.iter().all(|word| allowed.iter().any(|start| word.starts_with(start))), "{state}: {words:?}");
        let emptied = json!(["email_verified", MET, 1, "emptied"]);
        let imported = json!(["imported", id, 1, null]);
        let expected = if outcome == "emptied" { vec![emptied, imported] } else { vec![imported] };
        let mut found = events(db);
        found.sort_by_key(Value::to_string);
        assert_eq!(found, expected, "{state}: {line}");
        assert_eq!(import(&root, &[line]).await, ["exists"], "{state}");
    }
}

#[tokio::test]
async fn an_emptied_account_has_the_roles_of_its_line_only() {
    for lossy in [false, true] {
        let world = World::through(&PEOPLE, &ADMITTING, |db| if lossy { Arc::new(LostAnswers(db)) } else { db });
        let (service, caller) = importer(&world, &SCOPES).await;
        fill(&world, "unverified factor");
        let line = json!({
            "external_id": "1", "email": EMAIL, "email_verified": true, "password_hash": HASH, "is_active": false,
            "created_at": "1970-01-01T00:00:05Z",
            "roles": [{"role": "INSTRUCTOR", "university_id": 1}, {"role": "UNIVERSITY_ADMIN", "university_id": 2}],
        });
        assert_eq!(import(&caller, &[line]).await, ["created"]);
        let account = account(&world.service.db, EMAIL);
        let shown = ["full_name", "is_active", "created_at", "roles"].map(|name| account[name].clone());
        assert_eq!(json!(shown), json!([null, 0, 5000, r#"["INSTRUCTOR@1","UNIVERSITY_ADMIN@2"]"#]));
        let client = service["client_id"].as_str();
        let mut found = events(&world.service.db);
        found.sort_by_key(Value::to_string);
        let expected = [
            json!(["email_verified", MET, null, "emptied"]),
            json!(["imported", MET, null, client]),
            json!(["role_granted", MET, null, "INSTRUCTOR"]),
            json!(["role_granted", MET, null, "UNIVERSITY_ADMIN"]),
        ];
        assert_eq!(found, expected, "lossy: {lossy}");
    }
}

/// Each account loses its own rows and keeps those of its neighbours.
#[tokio::test]
async fn accounts_beside_an_emptied_one_stay_the_same() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let root = world.sign_in("root").await;
    let db = &world.service.db;
    for (id, name) in [(7, "a"), (70, "b"), (77, "c"), (6, "d")] {
        add(db, id, "unverified factor", &format!("{name}@example.com"));
    }
    let neighbours = [70, 77, 6];
    let before = neighbours.map(|id| contents(db, id));
    let lines = ["a", "c"].map(|name| json!({"email": format!("{name}@example.com"), "email_verified": name == "a"}));
    assert_eq!(import(&root, &lines).await, ["created", "exists"]);
    assert_eq!(neighbours.map(|id| contents(db, id)), before);
    assert_eq!(contents(db, 7).len(), 3);
    let lines = ["b", "c", "d"].map(|name| json!({"email": format!("{name}@example.com"), "email_verified": true}));
    assert_eq!(import(&root, &lines).await, ["created"; 3], "several of one batch");
    assert!(neighbours.iter().all(|id| contents(db, *id).len() == 3));
    assert_eq!(count(db, "sessions"), 1, "that of root");
}
