//! A line meets an account: the outcome for every state of the account, and all rows behind it. Only a line that proves the
//! address replaces an account, and only one that may be a stranger's: its address was never proven, and no administrator and no
//! importer has given it anything.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::federation_accounts::{add, contents};
use crate::lost_answers::LostAnswers;
use crate::support::clock;
use crate::support::import::{
    ADMITTING, HASH, SCOPES, account, count, events, foreseen_import, import, importer, rows,
};
use crate::support::mail::{MAIL, VERIFYING, settle};
use crate::support::world::{Person, Visitor, World};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
const EMAIL: &str = "ada@example.com";
/// The account that the line meets, and one that its importer made before.
const MET: i64 = 7;
const OTHER: i64 = 8;

/// The state of the account, and the outcome of a line that proves the address. But for `plain`, each has a name, a session, a
/// key, a known device, an identity and, unless it is `roleless`, a role. A factor is an app, a passkey and recovery codes.
const STATES: [(&str, &str); 25] = [
    ("none", "created"),
    ("erased", "created"),
    ("plain unverified", "replaced"),
    ("plain unverified disabled", "exists"),
    ("plain unverified imported", "exists"),
    ("plain unverified own", "exists"),
    ("plain verified", "exists"),
    ("plain verified disabled", "exists"),
    ("roleless unverified", "replaced"),
    ("roleless unverified factor", "replaced"),
    ("roleless unverified passwordless", "replaced"),
    ("roleless unverified disabled", "exists"),
    ("roleless unverified factor imported", "exists"),
    ("unverified", "exists"),
    ("unverified factor", "exists"),
    ("unverified disabled", "exists"),
    ("unverified administrator", "exists"),
    ("unverified department administrator", "exists"),
    ("unverified platform administrator", "exists"),
    ("verified", "exists"),
    ("roleless verified factor", "exists"),
    ("verified disabled", "exists"),
    ("roleless verified passwordless", "exists"),
    ("verified administrator", "exists"),
    ("roleless reserved", "exists"),
];

/// Further deployments. Do they prove addresses?
const MODES: [(&[(&str, &str)], bool); 3] =
    [(&[("EMAIL_VERIFICATION", "required")], true), (MAIL, false), (&[], false)];

/// A line that proves the address or does not, with a hash or without, and with no external id, a new one, or that of the other
/// account of its importer.
fn line(is_verified: bool, has_hash: bool, external_id: &str) -> Value {
    let mut line = json!({"email": EMAIL, "email_verified": is_verified, "full_name": "Of The Line"});
    if has_hash {
        line["password_hash"] = json!(HASH);
    }
    if !external_id.is_empty() {
        line["external_id"] = json!(external_id);
    }
    line
}

/// The states with these outcomes, the outcome, and each line.
fn cells(outcomes: &[&str]) -> Vec<(&'static str, &'static str, Value)> {
    let mut cells = Vec::new();
    for (state, outcome) in STATES.into_iter().filter(|(_, outcome)| outcomes.contains(outcome)) {
        for (is_verified, has_hash, external_id) in [
            (true, true, ""),
            (true, true, "new"),
            (true, false, "new"),
            (false, true, ""),
            (false, false, "new"),
            (true, true, "other"),
        ] {
            let is_nothing = external_id == "other" || (outcome == "replaced" && !is_verified);
            cells.push((state, if is_nothing { "exists" } else { outcome }, line(is_verified, has_hash, external_id)));
        }
    }
    cells
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
    for (word, sql) in [
        ("imported", "UPDATE users SET imported_by = 'user/99', external_id = 'new', import_id = 9 WHERE id = 7"),
        ("own", "UPDATE users SET imported_by = 'user/1' WHERE id = 7"),
        ("roleless", "DELETE FROM user_university_roles WHERE user_id = 7"),
    ] {
        if state.contains(word) {
            db.execute(sql);
        }
    }
    db.execute(&format!(
        "INSERT INTO users (id, email, password_hash, created_at, imported_by, external_id)
         VALUES ({OTHER}, 'other@example.org', 'a hash', 1, 'user/1', 'other')"
    ));
}

fn world(mode: &[(&'static str, &'static str)]) -> World {
    let mail = if mode.is_empty() { &[] } else { VERIFYING };
    World::through(&PEOPLE, &[mode, mail, &ADMITTING].concat(), |db| db)
}

async fn root(world: &World) -> Visitor<'_> {
    let root = world.sign_in("root").await;
    settle().await;
    root
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

/// Nothing is left of the account that was replaced, as soon as the clean-up has run.
async fn is_gone(world: &World, state: &str) {
    let db = &world.service.db;
    let address = format!("erased:{MET}");
    assert_eq!(db.one::<String>(&format!("SELECT email FROM users WHERE id = {MET}")), address, "{state}");
    world.service.tend().await;
    world.service.tend().await;
    assert!(contents(db, MET).is_empty(), "{state}: {:?}", contents(db, MET));
}

/// Imports a line for an account in a state, and checks all rows.
async fn check(mode: &[(&'static str, &'static str)], state: &str, outcome: &str, line: Value) {
    let world = world(mode);
    let root = root(&world).await;
    fill(&world, state);
    let db = &world.service.db;
    let before = rows(db);
    let words = foreseen_import(&world, &root, std::slice::from_ref(&line)).await;
    assert_eq!(words, [if outcome == "exists" { "exists" } else { "created" }], "{mode:?} {state}: {line}");
    if outcome == "exists" {
        assert_eq!(rows(db), before, "{state}: {line}");
        return;
    }
    assert_eq!(account(db, EMAIL), expected(&line, clock().millis()), "{state}: {line}");
    let id: i64 = db.one(&format!("SELECT id FROM users WHERE email = '{EMAIL}'"));
    assert!(id > OTHER, "{state}: the account is another one");
    let words = contents(db, id);
    let allowed = ["address ", "verified", "active", "password imported:", "name Of The Line"];
    assert!(words.iter().all(|word| allowed.iter().any(|start| word.starts_with(start))), "{state}: {words:?}");
    let mut expected = vec![json!(["imported", id, 1, null])];
    if outcome == "replaced" {
        expected.insert(0, json!(["deleted", MET, 1, "emptied"]));
    }
    let mut found = events(db);
    found.sort_by_key(Value::to_string);
    assert_eq!(found, expected, "{state}: {line}");
    assert_eq!(import(&root, &[line]).await, ["exists"], "{state}");
    if outcome == "replaced" {
        is_gone(&world, state).await;
    }
}

#[tokio::test]
async fn an_account_in_use_stays_as_it_is() {
    for (state, outcome, line) in cells(&["exists"]) {
        check(VERIFYING, state, outcome, line).await;
    }
}

#[tokio::test]
async fn an_account_that_may_be_a_strangers_is_replaced_by_a_proof() {
    for (state, outcome, line) in cells(&["created", "replaced"]) {
        check(VERIFYING, state, outcome, line).await;
    }
}

#[tokio::test]
async fn where_no_address_is_proven_no_account_is_replaced() {
    for (mode, proves_addresses) in MODES {
        for (state, outcome) in STATES.into_iter().filter(|(_, outcome)| *outcome != "exists") {
            let is_nothing = outcome == "replaced" && !proves_addresses;
            check(mode, state, if is_nothing { "exists" } else { outcome }, line(true, true, "new")).await;
        }
    }
}

#[tokio::test]
async fn a_line_that_replaces_an_account_has_all_of_its_members() {
    for lossy in [false, true] {
        let settings = [VERIFYING, &ADMITTING].concat();
        let world = World::through(&PEOPLE, &settings, |db| if lossy { Arc::new(LostAnswers(db)) } else { db });
        let (service, caller) = importer(&world, &SCOPES).await;
        fill(&world, "roleless unverified factor");
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
        let id = found[1][1].clone();
        let expected = [
            json!(["deleted", MET, null, "emptied"]),
            json!(["imported", id, null, client]),
            json!(["role_granted", id, null, "INSTRUCTOR"]),
            json!(["role_granted", id, null, "UNIVERSITY_ADMIN"]),
        ];
        assert_eq!(found, expected, "lossy: {lossy}");
        assert!(id.as_i64().unwrap() > OTHER);
        is_gone(&world, "lossy").await;
    }
}

/// Each account loses its own rows and keeps those of its neighbours.
#[tokio::test]
async fn accounts_beside_a_replaced_one_stay_the_same() {
    let world = world(VERIFYING);
    let root = root(&world).await;
    let db = &world.service.db;
    for (id, name) in [(7, "a"), (70, "b"), (77, "c"), (6, "d")] {
        add(db, id, "unverified factor", &format!("{name}@example.com"));
    }
    db.execute("DELETE FROM user_university_roles WHERE user_id IN (6, 7, 70)");
    let neighbours = [70, 77, 6];
    let before = neighbours.map(|id| contents(db, id));
    let lines = ["a", "d"].map(|name| json!({"email": format!("{name}@example.com"), "email_verified": name == "a"}));
    assert_eq!(import(&root, &lines).await, ["created", "exists"]);
    world.service.tend().await;
    assert_eq!(neighbours.map(|id| contents(db, id)), before);
    let lines = ["b", "c", "d"].map(|name| json!({"email": format!("{name}@example.com"), "email_verified": true}));
    assert_eq!(import(&root, &lines).await, ["created", "exists", "created"], "several of one batch");
    world.service.tend().await;
    assert_eq!(contents(db, 77), before[1]);
    assert_eq!(count(db, "sessions WHERE user_id NOT IN (1, 77)"), 0);
    assert_eq!(count(db, "users"), 1 + 4);
}
