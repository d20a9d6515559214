//! The bookmarks that clients hold: their owners, and the facts that they do not tell.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use edge_auth::ports::Db;
use serde_json::{Value, json};

use crate::near::ask_with;
use crate::support::PASSWORD;
use crate::support::mail::MAIL;
use crate::support::replicated::{FAR, NEAR, replicated_world, replicated_world_with, signed_in};
use crate::support::world::address;

const HEADER: &str = "x-edge-auth-bookmark";

/// A plain bookmark grows with each write of any user. Two of them around a request for a mail would tell whether it found an
/// account.
#[tokio::test]
async fn clients_hold_bookmarks_encrypted_and_strangers_none() {
    let (world, db) = replicated_world().await;
    let reply = world.service.login(&address("bob"), PASSWORD).await.expect(200);
    assert_eq!(reply.header("x-edge-auth-bookmark"), None);
    let tokens = reply.tokens();
    let claims = tokens.access.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let bob = world.with_token(&tokens.access);
    let changed = bob.ask(r#"PATCH /users/me {"full_name": "Robert"}"#).await.expect(200);
    let state = db.bookmark().unwrap();
    for sealed in [claims["bmk"].as_str().unwrap(), changed.header("x-edge-auth-bookmark").unwrap()] {
        assert_eq!(sealed.len(), 116);
        let bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
        assert!(!bytes.windows(8).any(|window| window == &state.as_str().as_bytes()[..8]), "{sealed}");
    }
}

/// Keys read the primary on the same routes, so they need no bookmark.
#[tokio::test]
async fn keys_read_the_primary() {
    let (world, db) = replicated_world().await;
    let ulla = world.sign_in("ulla").await;
    let permissions = ["universities:view", "departments:manage"];
    let body = json!({"name": "Key", "permissions": permissions, "current_password": PASSWORD});
    let made = ulla.ask(&format!("POST /users/me/api-keys {body}")).await.expect(201).body;
    db.catch_up();
    db.asked();
    let key = world.with_token(made["key"].as_str().unwrap());
    key.ask("GET /universities/1").await.expect(200);
    assert_eq!(db.asked(), FAR);
    for (caller, has_bookmark) in [(&key, false), (&ulla, true)] {
        let body = json!({"name": format!("Department {has_bookmark}")});
        let added = caller.ask(&format!("POST /universities/1/departments {body}")).await.expect(201);
        assert_eq!(added.header("x-edge-auth-bookmark").is_some(), has_bookmark);
    }
    db.asked();
    world.anonymous().ask("GET /courses").await.expect(200);
    assert_eq!(db.asked(), FAR);
}

/// Where a token is optional, only that of a live session has a bookmark.
#[tokio::test]
async fn a_stranger_on_a_route_for_both_gets_none() {
    let (world, _) = replicated_world_with(MAIL).await;
    let bob = world.sign_in("bob").await;
    let ended = world.sign_in("eve").await;
    world.service.db.execute(&format!("DELETE FROM sessions WHERE user_id = {}", world.id("eve")));
    let own = bob.ask("POST /auth/email/verification").await.expect(202);
    assert!(own.header(HEADER).is_some());
    let ask = format!("POST /auth/email/verification {}", json!({"email": address("stu")}));
    for (visitor, name) in [(world.anonymous(), "none"), (ended, "ended"), (world.with_token("x.y.z"), "broken")] {
        assert_eq!(visitor.ask(&ask).await.expect(202).header(HEADER), None, "{name}");
    }
    let refused = bob.ask(r#"POST /universities {"name": "N", "slug": "n"}"#).await.expect(403);
    assert_eq!(refused.header(HEADER), None);
}

/// The service compares bookmarks. One of a request that cannot write would tell its owner whether others have written since.
#[tokio::test]
async fn a_request_that_cannot_write_has_none() {
    let (world, _) = replicated_world().await;
    let root = world.sign_in("root").await;
    let check = root.ask(r#"POST /authz/check {"permission": "platform:administer"}"#).await.expect(200);
    assert_eq!(check.header(HEADER), None);
    let changed = root.ask(r#"PATCH /users/me {"full_name": "R"}"#).await.expect(200);
    assert!(changed.header(HEADER).is_some());
}

/// Bookmarks of another service, and altered ones, cost the way to the primary and nothing else: the replica serves the
/// other users as before.
#[tokio::test]
async fn a_flood_of_forged_bookmarks_keeps_no_other_request_from_the_replica() {
    let (world, db) = replicated_world().await;
    let (other, _) = replicated_world_with(&[("SECRET_KEY", "another-secret-key-of-32-characters")]).await;
    let (bob, eve) = (signed_in(&world, &db, "bob").await, signed_in(&world, &db, "eve").await);
    let change = r#"PATCH /users/me {"full_name": "Robert"}"#;
    let foreign = other.sign_in("bob").await.ask(change).await.expect(200);
    let own = bob.ask(change).await.expect(200).header(HEADER).unwrap().to_owned();
    db.catch_up();
    db.asked();
    ask_with(&bob, &world, "GET /users/me", &own).await.expect(200);
    assert_eq!(db.asked(), NEAR, "unaltered");
    let altered = (0..own.len()).map(|place| {
        let mut text = own.clone().into_bytes();
        text[place] = if text[place] == b'A' { b'z' } else { b'A' };
        String::from_utf8(text).unwrap()
    });
    for forged in altered.chain([foreign.header(HEADER).unwrap().to_owned()]) {
        ask_with(&bob, &world, "GET /users/me", &forged).await.expect(200);
        assert_eq!(db.asked(), FAR, "{forged}");
        eve.ask("GET /users/me").await.expect(200);
        assert_eq!(db.asked(), NEAR);
    }
}
