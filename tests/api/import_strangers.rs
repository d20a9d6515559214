//! A stranger has registered an address before its owner is imported: nothing of the stranger works afterwards.

use edge_auth::domain::mail::proof::Purpose;
use serde_json::{Value, json};

use crate::support::factors::with_factors_of;
use crate::support::federation::{FEDERATION, federated_sign_in};
use crate::support::identities::with_identities_of;
use crate::support::import::{ADMITTING, HASH, account, count, created, foreseen_import, import};
use crate::support::mail::{VERIFYING, planted, settle};
use crate::support::provider::Person as ProviderPerson;
use crate::support::world::{Person, Visitor, World};
use crate::support::{PASSWORD, Reply};

const PEOPLE: [Person; 1] = [("root", "PLATFORM_ADMIN")];
const EMAIL: &str = "ada@example.com";
const OF_STRANGER: &str = "seven green bottles on a wall";

fn world(settings: &[(&str, &str)]) -> World {
    World::through(&PEOPLE, &[settings, VERIFYING, &ADMITTING].concat(), |db| db)
}

/// An administrator, whose mails are taken.
async fn root(world: &World) -> Visitor<'_> {
    let root = world.sign_in("root").await;
    settle().await;
    world.service.mailbox.take();
    root
}

/// Runs something as if the address were proven.
fn set_proven(world: &World, is_proven: bool) {
    let value = if is_proven { "1" } else { "NULL" };
    world.service.db.execute(&format!("UPDATE users SET email_verified_at = {value} WHERE email = '{EMAIL}'"));
}

fn line() -> Value {
    json!({"email": EMAIL, "email_verified": true, "password_hash": HASH})
}

async fn register(world: &World) -> Reply {
    let reply = world.service.post("/auth/register", &json!({"email": EMAIL, "password": OF_STRANGER})).await;
    settle().await;
    reply
}

#[tokio::test]
async fn tokens_keys_factors_and_the_password_of_the_stranger_end() {
    let world = world(&FEDERATION);
    let root = root(&world).await;
    let service = &world.service;
    let tokens = register(&world).await.expect(201).tokens();
    set_proven(&world, true);
    let key = json!({"name": "Key", "permissions": ["universities:view"]});
    let key = service.call("POST", "/users/me/api-keys", &tokens.access, Some(&key)).await.expect(201).body;
    let key = key["key"].as_str().unwrap().to_owned();
    with_factors_of(&service.db, "ada", "RECOVERY_CODE TOTP_CODE {passkey}");
    with_identities_of(&service.db, "ada", "{identity}");
    set_proven(&world, false);
    settle().await;
    assert_eq!(foreseen_import(&world, &root, &[line()]).await, ["created"]);
    for is_cleaned_up in [false, true] {
        if is_cleaned_up {
            service.tend().await;
        }
        for (status, reply) in [
            (401, service.me(&tokens.access).await),
            (401, service.refresh(&tokens.refresh).await),
            (401, service.me(&key).await),
            (401, service.login(EMAIL, OF_STRANGER).await),
            (401, federated_sign_in(service, "acme", &ProviderPerson::of("ada", EMAIL)).await),
        ] {
            assert_eq!(reply.status, status, "{is_cleaned_up}: {reply:?}");
        }
    }
    // Guesses at a costly hash cause a wait.
    service.advance(60);
    let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let me = service.me(&tokens.access).await.expect(200).body;
    assert_eq!((&me["email"], &me["email_verified"]), (&json!(EMAIL), &json!(true)));
    let export = service.get_as("/users/me/export", &tokens.access).await.expect(200);
    let events = export.body["audit_events"].as_array().unwrap().len();
    assert_eq!(events, 3, "the import, refused sign-ins and the sign-in, and nothing of the stranger: {}", export.text);
}

/// Links and codes that were mailed before, and the flow of the registration.
#[tokio::test]
async fn pending_proofs_of_the_stranger_are_void() {
    let world = world(&[]);
    let root = root(&world).await;
    let service = &world.service;
    let flow = register(&world).await.expect(201).body["flow"].clone();
    let letter = service.mailbox.take_one();
    let reset = planted(&service.db, Purpose::Reset, EMAIL);
    let verify = planted(&service.db, Purpose::Verify, EMAIL);
    let change = planted(&service.db, Purpose::ChangeAddress, EMAIL);
    created(&world, &root, &line()).await;
    let before = account(&service.db, EMAIL);
    for (path, body) in [
        ("/auth/email/verify", json!({"flow": flow, "code": letter.code()})),
        ("/auth/email/verify", json!({"token": letter.token(), "flow": flow})),
        ("/auth/email/verify", json!({"token": verify, "password": OF_STRANGER})),
        ("/auth/email/verify", json!({"token": change, "password": OF_STRANGER})),
        ("/auth/password/reset", json!({"token": reset, "new_password": "a stranger's next password"})),
    ] {
        service.post(path, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(account(&service.db, EMAIL), before);
    service.tend().await;
    assert_eq!(count(&service.db, "email_proofs"), 0);
}

/// Waits that the stranger has caused do not keep the owner out.
#[tokio::test]
async fn waits_of_the_stranger_end() {
    let world = world(&[]);
    let root = root(&world).await;
    register(&world).await.expect(201);
    for _ in 0..12 {
        world.service.login(EMAIL, "a wrong password").await.expect(401);
    }
    world.service.login(EMAIL, OF_STRANGER).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    created(&world, &root, &line()).await;
    world.service.login(EMAIL, PASSWORD).await.expect(200);
}

/// A line that does not prove the address tells nothing to the owner of the password either.
#[tokio::test]
async fn a_line_that_proves_nothing_leaves_the_stranger() {
    let world = world(&[]);
    let root = root(&world).await;
    let tokens = register(&world).await.expect(201).tokens();
    let mut line = line();
    line["email_verified"] = json!(false);
    assert_eq!(foreseen_import(&world, &root, &[line]).await, ["exists"]);
    world.service.me(&tokens.access).await.expect(200);
    world.service.login(EMAIL, PASSWORD).await.expect(401);
    world.service.login(EMAIL, OF_STRANGER).await.expect(200);
}

/// With `EMAIL_VERIFICATION = required` a registration is no account before its proof, so the line makes one.
#[tokio::test]
async fn a_registration_that_waits_for_its_proof_gets_no_imported_account() {
    for is_verified in [true, false] {
        let world = world(&[("EMAIL_VERIFICATION", "required")]);
        world.verify("root");
        let root = root(&world).await;
        let flow = register(&world).await.expect(202).body["flow"].clone();
        let code = world.service.mailbox.take_one().code();
        let mut line = line();
        line["email_verified"] = json!(is_verified);
        assert_eq!(foreseen_import(&world, &root, &[line]).await, ["created"], "{is_verified}");
        let before = account(&world.service.db, EMAIL);
        let proof = json!({"flow": flow, "code": code});
        let reply = world.service.post("/auth/email/verify", &proof).await;
        settle().await;
        assert_eq!(reply.status, 401, "{is_verified}: {reply:?}");
        assert_eq!(account(&world.service.db, EMAIL), before);
        // As at an address without an account.
        world.service.login(EMAIL, OF_STRANGER).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
        // Accounts on file sign in, and are asked to verify.
        world.service.login(EMAIL, PASSWORD).await.expect(200);
    }
}

/// A former holder can get the address back for a week.
#[tokio::test]
async fn an_address_that_can_be_undone_is_imported_after_a_week() {
    let world = world(&[]);
    let root = root(&world).await;
    let end = crate::support::clock().plus_seconds(7 * 24 * 3600);
    world.service.db.execute(&format!(
        "INSERT INTO email_proofs
             (id, purpose, user_id, address, password_version, is_of_owner, created_at, expires_at, code_expires_at)
         VALUES (1, 'undo', 1, '{EMAIL}', 1, 0, 1, {}, 1)",
        end.millis()
    ));
    assert_eq!(foreseen_import(&world, &root, &[line()]).await, ["exists"]);
    world.service.advance(7 * 24 * 3600 - 300);
    let root = world.sign_in("root").await;
    settle().await;
    assert_eq!(foreseen_import(&world, &root, &[line()]).await, ["exists"]);
    world.service.advance(300);
    assert_eq!(import(&root, &[line()]).await, ["created"]);
}
