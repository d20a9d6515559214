//! Imported accounts afterwards: in deployments with other settings, after proofs of their owners, and without any sign-in.

use serde_json::{Value, json};

use crate::support::federation::{FEDERATION, federated_sign_in};
use crate::support::import::{
    ADMITTING, HASH, IMPORT, SCOPES, account, count, created, foreseen_import, import, importer, read,
};
use crate::support::mail::{VERIFYING, ask, settle};
use crate::support::provider::Person as ProviderPerson;
use crate::support::world::{Person, Visitor, World};
use crate::support::{PASSWORD, Service};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
const EMAIL: &str = "ada@acme.example";
const NEW_PASSWORD: &str = "seven green bottles on a wall";

fn world(settings: &[(&str, &str)]) -> World {
    World::through(&PEOPLE, &[settings, VERIFYING, &ADMITTING].concat(), |db| db)
}

fn line() -> Value {
    json!({"external_id": "1", "email": EMAIL, "full_name": "Ada", "password_hash": HASH})
}

/// An administrator, whose mails are taken.
async fn root(world: &World) -> Visitor<'_> {
    let root = world.sign_in("root").await;
    settle().await;
    world.service.mailbox.take();
    root
}

#[tokio::test]
async fn a_closed_registration_does_not_close_the_import() {
    let world = world(&[("REGISTRATION", "closed"), ("REGISTRATIONS_PER_HOUR", "1")]);
    let root = root(&world).await;
    let lines: Vec<Value> = (0..3).map(|number| json!({"email": format!("u{number}@example.com")})).collect();
    assert_eq!(foreseen_import(&world, &root, &lines).await, ["created"; 3]);
    assert!(world.service.mailbox.take().is_empty(), "an import mails nothing");
}

/// No clean-up removes an imported account, proven or not, as it removes a registration that was never proven.
#[tokio::test]
async fn an_imported_account_stays_without_a_sign_in() {
    for verification in ["required", "optional", "off"] {
        let world = world(&[("EMAIL_VERIFICATION", verification)]);
        let root = root(&world).await;
        created(&world, &root, &line()).await;
        let before = account(&world.service.db, EMAIL);
        for _ in 0..5 {
            world.service.advance(30 * 24 * 3600);
            world.service.tend().await;
        }
        assert_eq!(account(&world.service.db, EMAIL), before, "{verification}");
        world.service.login(EMAIL, PASSWORD).await.expect(200);
    }
}

/// The owner proves the address by a reset: the account gets empty, and its importer still knows it.
#[tokio::test]
async fn a_reset_by_the_owner_is_not_undone_by_the_line() {
    for is_verified in [false, true] {
        let world = world(&[]);
        let root = root(&world).await;
        let service = &world.service;
        let mut line = line();
        line["email_verified"] = json!(is_verified);
        created(&world, &root, &line).await;
        ask(service, "/auth/password/forgot", EMAIL).await;
        let token = service.mailbox.take_one().token();
        let body = json!({"token": token, "new_password": NEW_PASSWORD});
        service.post("/auth/password/reset", &body).await.expect(200);
        settle().await;
        assert_eq!(
            foreseen_import(&world, &root, &[line.clone()]).await,
            [if is_verified { "exists" } else { "updated" }]
        );
        let found = account(&service.db, EMAIL);
        assert_eq!((&found["external_id"], found["email_verified_at"].is_i64()), (&json!("1"), true));
        service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.login(EMAIL, NEW_PASSWORD).await.expect(200);
        settle().await;
        assert_eq!(import(&root, &[line]).await, ["exists"]);
    }
}

/// A provider that is authoritative for the address signs in to the imported account.
#[tokio::test]
async fn the_owner_of_an_account_without_a_hash_comes_by_a_provider() {
    for is_verified in [false, true] {
        let world = world(&FEDERATION);
        let root = root(&world).await;
        let line = json!({"external_id": "1", "email": EMAIL, "email_verified": is_verified, "full_name": "Ada"});
        let id = created(&world, &root, &line).await;
        let reply = federated_sign_in(&world.service, "acme", &ProviderPerson::of("ada", EMAIL)).await.expect(200);
        let me = world.service.me(&reply.tokens().access).await.expect(200).body;
        let name = if is_verified { json!("Ada") } else { Value::Null };
        assert_eq!((&me["id"], &me["full_name"], &me["email_verified"]), (&json!(id), &name, &json!(true)));
        assert_eq!(import(&root, &[line]).await, ["exists"]);
        assert_eq!(count(&world.service.db, "users"), 2);
    }
}

/// The bound is one of the import: a hash that is on file is verified, whatever the bound is then.
#[tokio::test]
async fn a_lower_bound_locks_out_none_of_the_imported() {
    let before = World::through(&PEOPLE, &ADMITTING, |db| db);
    let root = before.sign_in("root").await;
    created(&before, &root, &json!({"email": EMAIL, "password_hash": HASH})).await;
    let stored: String = before.service.db.one(&format!("SELECT password_hash FROM users WHERE email = '{EMAIL}'"));
    let db = before.service.db.clone();
    drop(before);
    let service = Service::on(db.clone(), db.clone(), &[("IMPORT_MAX_HASH_COST", "1")]);
    service.login(EMAIL, PASSWORD).await.expect(200);
    settle().await;
    let replaced: String = db.one(&format!("SELECT password_hash FROM users WHERE email = '{EMAIL}'"));
    assert_ne!(replaced, stored);
}

/// A wrong current password at a costly hash counts in proportion as well.
#[tokio::test]
async fn a_guess_of_a_signed_in_user_counts_in_proportion() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let root = world.sign_in("root").await;
    let id = created(&world, &root, &json!({"email": EMAIL, "password_hash": HASH})).await;
    let tokens = world.service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    settle().await;
    world.service.db.execute(&format!("UPDATE users SET password_hash = 'imported:{HASH}' WHERE id = {id}"));
    let change = async |current: &str| {
        let body = json!({"current_password": current, "new_password": NEW_PASSWORD});
        world.service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await
    };
    let failures = || {
        world.service.db.one::<i64>(&format!(
            "SELECT coalesce(sum(failures), 0) FROM throttles WHERE key = 'user/{id}/reauthentication'"
        ))
    };
    change("a wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(failures(), 5);
    change("a wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    change(PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(failures(), 10, "a wait has begun");
    world.service.advance(60);
    change(PASSWORD).await.expect(200);
    world.service.login(EMAIL, NEW_PASSWORD).await.expect(200);
}

/// The export of a user shows the network of the user's own acts, and an import is none of them.
#[tokio::test]
async fn the_network_of_an_importer_is_not_shown_to_the_user() {
    let world = World::through(&PEOPLE, &ADMITTING, |db| db);
    let (_, service) = importer(&world, &SCOPES).await;
    let root = world.sign_in("root").await;
    let roles = json!([{"role": "TA", "university_id": 1}]);
    for (visitor, name) in [(&root, "a"), (&service, "b")] {
        let email = format!("{name}@example.com");
        let line = json!({"email": email, "password_hash": HASH, "roles": roles, "external_id": "1"});
        let (head, body) = visitor.request(&format!("{IMPORT} {line}"));
        let head = head.header("CF-Connecting-IP", "203.0.113.7").header("User-Agent", "importer/1");
        assert_eq!(read(world.service.send(head.body(body.into()).unwrap()).await)[0]["outcome"], "created");
        let events =
            "SELECT * FROM audit_events WHERE ip IS NOT NULL AND user_agent = 'importer/1' AND type = 'imported'";
        assert!(!world.service.db.rows(events).is_empty(), "the administrators see it");
        let tokens = world.service.login(&email, PASSWORD).await.expect(200).tokens();
        let export = world.service.get_as("/users/me/export", &tokens.access).await.expect(200);
        assert_eq!(export.body["imports"], json!([{"external_id": "1"}]));
        assert!(export.text.contains("imported") && export.text.contains("role_granted"));
        for word in ["203.0.113", "importer/1"] {
            assert!(!export.text.contains(word), "{name}: {}", export.text);
        }
    }
}
