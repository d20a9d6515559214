//! New names of accounts that were imported before: only by their importer, and only until they sign in.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::lost_answers::LostAnswers;
use crate::support::PASSWORD;
use crate::support::federation::{FEDERATION, federated_sign_in};
use crate::support::import::{
    ADMITTING, HASH, SCOPES, account, count, created, events, foreseen_import, import, importer, rows,
};
use crate::support::mail::{ask, settle};
use crate::support::provider::Person as ProviderPerson;
use crate::support::world::{Person, World};

const PEOPLE: [Person; 2] = [("root", "PLATFORM_ADMIN"), ("second", "PLATFORM_ADMIN")];
const EMAIL: &str = "ada@acme.example";

fn line(full_name: &str) -> Value {
    json!({"external_id": "1", "email": EMAIL, "email_verified": true, "full_name": full_name, "password_hash": HASH})
}

fn world() -> World {
    let mail = [("MAIL", "binding"), ("MAIL_FROM", "login@example.com"), ("EMAIL_SIGN_IN", "on")];
    World::through(&PEOPLE, &[&ADMITTING[..], &mail, &FEDERATION].concat(), |db| db)
}

fn name(world: &World) -> Value {
    account(&world.service.db, EMAIL)["full_name"].clone()
}

#[tokio::test]
async fn the_name_of_an_account_that_never_signed_in_follows_its_importer() {
    let world = world();
    let (_, visitor) = importer(&world, &SCOPES).await;
    created(&world, &visitor, &line("Ada")).await;
    let before = rows(&world.service.db);
    assert_eq!(foreseen_import(&world, &visitor, &[line("Ada"), line(" Ada ")]).await, ["exists", "exists"]);
    assert_eq!(rows(&world.service.db), before);
    // By the id, by the address, and by both.
    let by_id = json!({"external_id": "1", "email": "other@example.com", "full_name": "A. Lovelace"});
    let by_address = json!({"email": EMAIL, "full_name": "Ada King"});
    for (line, name_then) in [(by_id, "A. Lovelace"), (by_address, "Ada King"), (line("Ada"), "Ada")] {
        assert_eq!(foreseen_import(&world, &visitor, std::slice::from_ref(&line)).await, ["updated"], "{line}");
        assert_eq!(world.service.last_d1_calls(), 1 + 1 + 1);
        assert_eq!(name(&world), name_then);
    }
    assert_eq!(count(&world.service.db, "users"), 3);
    let account = account(&world.service.db, EMAIL);
    assert_eq!((&account["external_id"], &account["untouched"]), (&json!("1"), &json!(1)));
    let renamed: Vec<Value> =
        events(&world.service.db).into_iter().filter(|event| event[0] == "profile_changed").collect();
    assert_eq!(renamed.len(), 3);
    assert!(renamed.iter().all(|event| event[1] == 3 && event[2].is_null()), "{renamed:?}");
}

#[tokio::test]
async fn an_administrator_is_the_actor_of_a_new_name() {
    let world = world();
    let second = world.sign_in("second").await;
    created(&world, &second, &line("Ada")).await;
    assert_eq!(import(&second, &[line("Ada King")]).await, ["updated"]);
    assert_eq!(events(&world.service.db).last(), Some(&json!(["profile_changed", 3, 2, null])));
}

#[tokio::test]
async fn a_name_is_never_removed() {
    let world = world();
    let root = world.sign_in("root").await;
    created(&world, &root, &line("Ada")).await;
    for full_name in [json!(null), json!(""), json!(" \t")] {
        let line = json!({"external_id": "1", "email": EMAIL, "full_name": full_name});
        assert_eq!(foreseen_import(&world, &root, &[line]).await, ["exists"]);
    }
    assert_eq!(name(&world), "Ada");
}

#[tokio::test]
async fn another_importer_changes_no_name() {
    let world = world();
    let (root, second) = (world.sign_in("root").await, world.sign_in("second").await);
    let (_, service) = importer(&world, &SCOPES).await;
    created(&world, &second, &line("Ada")).await;
    for visitor in [&root, &service] {
        assert_eq!(foreseen_import(&world, visitor, &[line("Else")]).await, ["exists"]);
    }
    world.service.post("/auth/register", &json!({"email": "own@example.com", "password": PASSWORD})).await.expect(201);
    settle().await;
    let own = json!({"email": "own@example.com", "full_name": "Else"});
    assert_eq!(foreseen_import(&world, &second, &[own]).await, ["exists"], "a registration was not imported");
    assert_eq!(name(&world), "Ada");
}

/// Signs in by the way of this name.
async fn sign_in(world: &World, way: &str) {
    let service = &world.service;
    match way {
        "password" => drop(service.login(EMAIL, PASSWORD).await.expect(200)),
        "code" => {
            let flow = ask(service, "/auth/email/code", EMAIL).await;
            let code = service.mailbox.take_one().code();
            service.post("/auth/email/sign-in", &json!({"flow": flow, "code": code})).await.expect(200);
        }
        "provider" => drop(federated_sign_in(service, "acme", &ProviderPerson::of("ada", EMAIL)).await.expect(200)),
        _ => panic!("{way}"),
    }
    settle().await;
}

#[tokio::test]
async fn after_the_first_sign_in_the_name_belongs_to_the_user() {
    for way in ["password", "code", "provider"] {
        let world = world();
        let root = world.sign_in("root").await;
        let id = created(&world, &root, &line("Ada")).await;
        sign_in(&world, way).await;
        assert_eq!(account(&world.service.db, EMAIL)["untouched"], 0, "{way}");
        assert_eq!(foreseen_import(&world, &root, &[line("Else")]).await, ["exists"], "{way}");
        world.service.db.execute(&format!("DELETE FROM sessions WHERE user_id = {id}"));
        assert_eq!(import(&root, &[line("Else")]).await, ["exists"], "{way}: a session that ended was one");
        assert_eq!(name(&world), "Ada", "{way}");
    }
}

#[tokio::test]
async fn a_refused_sign_in_is_none() {
    let world = world();
    let root = world.sign_in("root").await;
    created(&world, &root, &line("Ada")).await;
    world.service.login(EMAIL, "a wrong password").await.expect(401);
    assert_eq!(import(&root, &[line("Ada King")]).await, ["updated"]);
}

/// A sign-in between the read and the batch.
#[tokio::test]
async fn a_sign_in_that_overtakes_a_new_name_keeps_the_old_one() {
    let session = "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at) VALUES (7, 3, 1, 1, 9007199254740991)";
    let world = World::overtaken_with(&PEOPLE, &ADMITTING, "UPDATE users AS u SET full_name", session);
    let root = world.sign_in("root").await;
    created(&world, &root, &line("Ada")).await;
    let neighbour = json!({"email": "bob@example.com"});
    assert_eq!(import(&root, &[line("Else"), neighbour]).await, ["failed overtaken", "created"]);
    assert_eq!(import(&root, &[line("Else")]).await, ["exists"]);
    assert_eq!(name(&world), "Ada");
    assert!(events(&world.service.db).iter().all(|event| event[0] == "imported"));
}

#[tokio::test]
async fn a_batch_of_names_that_is_executed_twice_is_recorded_once() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| Arc::new(LostAnswers(db)));
    let root = world.sign_in("root").await;
    created(&world, &root, &line("Ada")).await;
    let neighbour = json!({"email": "bob@example.com"});
    assert_eq!(import(&root, &[line("Ada King"), neighbour]).await, ["updated", "created"]);
    let mut kinds: Vec<Value> = events(&world.service.db).into_iter().map(|event| event[0].clone()).collect();
    kinds.sort_by_key(Value::to_string);
    assert_eq!(kinds, ["imported", "imported", "profile_changed"]);
}

/// The first of two lines that rename one account counts, as of those that create one.
#[tokio::test]
async fn of_two_names_of_one_account_in_a_request_the_first_counts() {
    let by_address = json!({"email": EMAIL, "full_name": "Second"});
    let by_other_id = json!({"external_id": "9", "email": EMAIL, "full_name": "Second"});
    let by_id = json!({"external_id": "1", "email": "other@example.com", "full_name": "Second"});
    for (second, is_by_other_key) in [(line("Second"), false), (by_address, false), (by_other_id, false), (by_id, true)]
    {
        let world = world();
        let root = world.sign_in("root").await;
        created(&world, &root, &line("Ada")).await;
        let first = if is_by_other_key { json!({"email": EMAIL, "full_name": "First"}) } else { line("First") };
        assert_eq!(foreseen_import(&world, &root, &[first, second]).await, ["updated", "exists"]);
        assert_eq!(name(&world), "First");
        assert_eq!(count(&world.service.db, "audit_events WHERE type = 'profile_changed'"), 1);
    }
}
