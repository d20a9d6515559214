//! Concurrent writes between the caller's read and the batch that links an identity, unlinks one, or steps up with one.

use crate::support::federation::{FEDERATION, MAILING, come_back_with_code, exchange_as, start_as};
use crate::support::mail::settle;
use crate::support::provider::Person as Visitor;
use crate::support::world::{Person, World, address};
use crate::support::{PASSWORD, Reply};

const PEOPLE: [Person; 2] = [("bob", ""), ("eve", "")];
/// The statement that uses a flow up. It is in the batch that links or steps up.
const REDEEM: &str = "INTO used_flows (id, redeemed_by";
/// The statement that unlinks.
const UNLINK: &str = "DELETE FROM identities WHERE id = :identity_id";

/// The identity of the flow becomes that of a user.
fn linked_to(user: i64) -> String {
    format!(
        "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
         VALUES (99, {user}, 'acme', 'https://id.acme.example', '1', 1)"
    )
}

fn world(statement: &'static str, sql: &str) -> World {
    // The statements of a test are constants.
    let sql: &'static str = Box::leak(sql.to_owned().into_boxed_str());
    let optional = [("EMAIL_VERIFICATION", "optional")];
    let settings = [&optional, &MAILING[..], &FEDERATION].concat();
    let world = World::overtaken_with(&PEOPLE, &settings, statement, sql);
    world.verify("bob");
    world
}

async fn token(world: &World) -> String {
    let tokens = world.service.login(&address("bob"), PASSWORD).await.expect(200).tokens();
    // The mail about a new device.
    settle().await;
    world.service.mailbox.take();
    tokens.access
}

async fn exchange(world: &World, access: &str, purpose: &str) -> Reply {
    let started = start_as(&world.service, "acme", access, purpose).await;
    let code = come_back_with_code(&world.service, &started, &Visitor::of("1", "")).await;
    exchange_as(&world.service, Some(access), &started.flow, &code).await
}

fn count(world: &World, rows: &str) -> i64 {
    world.service.db.one(&format!("SELECT count(*) FROM {rows}"))
}

/// The code of the error and its reason, if it has one.
fn refusal(reply: &Reply) -> (u16, &str) {
    let error = &reply.body["error"];
    let reason = error["details"]["reason"].as_str();
    (reply.status, reason.or_else(|| error["code"].as_str()).unwrap_or_default())
}

#[tokio::test]
async fn a_link_is_made_only_if_its_conditions_still_hold() {
    let full = "WITH RECURSIVE n AS (SELECT 100 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 119)
                INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
                SELECT id, 1, 'acme', 'https://id.acme.example', 'old ' || id, 1 FROM n";
    for (sql, expected) in [
        ("DELETE FROM sessions", (401, "AUTH_TOKEN_REVOKED")),
        ("UPDATE sessions SET created_at = 1, expires_at = 2", (401, "AUTH_TOKEN_REVOKED")),
        ("UPDATE users SET is_active = 0 WHERE id = 1", (401, "AUTH_TOKEN_REVOKED")),
        ("UPDATE users SET email_verified_at = NULL WHERE id = 1", (401, "AUTH_TOKEN_REVOKED")),
        (
            "UPDATE users SET email = 'erased:1', is_active = 0, erasure_cursor = 0 WHERE id = 1",
            (401, "AUTH_TOKEN_REVOKED"),
        ),
        ("UPDATE used_flows SET redeemed_by = 7", (401, "AUTH_INVALID_CREDENTIALS")),
        (&linked_to(2), (409, "linked_to_other")),
        (full, (409, "too_many")),
    ] {
        let world = world(REDEEM, sql);
        let access = token(&world).await;
        let refused = exchange(&world, &access, "link").await;
        assert_eq!(refusal(&refused), expected, "{sql}");
        assert_eq!(count(&world, "identities WHERE user_id = 1 AND subject = '1'"), 0, "{sql}");
        assert_eq!(count(&world, "audit_events WHERE type = 'identity_linked'"), 0, "{sql}");
        assert!(world.service.mailbox.take().is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn an_identity_that_the_same_user_linked_concurrently_is_shown() {
    let world = world(REDEEM, &linked_to(1));
    let access = token(&world).await;
    let linked = exchange(&world, &access, "link").await.expect(200);
    assert_eq!((linked.body["id"].as_i64(), count(&world, "identities")), (Some(99), 1));
    assert!(world.service.mailbox.take().is_empty(), "the other request has told the owner");
}

#[tokio::test]
async fn a_step_up_is_refused_once_its_conditions_are_gone() {
    for sql in [
        "DELETE FROM sessions",
        "DELETE FROM identities",
        "UPDATE identities SET suspended_at = 1",
        "UPDATE identities SET user_id = 2",
        "UPDATE users SET has_password = 1 WHERE id = 1",
        "UPDATE users SET is_active = 0 WHERE id = 1",
        "UPDATE used_flows SET redeemed_by = 7",
        "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at)
         VALUES (1, 1, 1, 'sealed', 'key', 1)",
    ] {
        let world = world(REDEEM, sql);
        let access = token(&world).await;
        world.service.db.execute(&linked_to(1));
        world.service.db.execute("UPDATE users SET has_password = 0 WHERE id = 1");
        let refused = exchange(&world, &access, "step_up").await.expect(401);
        assert!(refused.body.get("access_token").is_none(), "{sql}");
    }
}

#[tokio::test]
async fn an_identity_is_unlinked_only_if_another_way_in_is_left() {
    for (sql, expected, left) in [
        ("DELETE FROM sessions", (401, "AUTH_TOKEN_REVOKED"), 2),
        ("UPDATE users SET has_password = 0 WHERE id = 1; DELETE FROM identities WHERE id = 98", (409, "CONFLICT"), 1),
        (
            "UPDATE users SET has_password = 0 WHERE id = 1; UPDATE identities SET suspended_at = 1 WHERE id = 98",
            (409, "CONFLICT"),
            2,
        ),
        (
            "UPDATE users SET has_password = 0 WHERE id = 1; UPDATE identities SET user_id = 2 WHERE id = 98",
            (409, "CONFLICT"),
            2,
        ),
        // That of a provider that is not in the settings.
        (
            "UPDATE users SET has_password = 0 WHERE id = 1; UPDATE identities SET issuer = 'https://gone.example' WHERE id = 98",
            (409, "CONFLICT"),
            2,
        ),
        ("UPDATE identities SET user_id = 2 WHERE id = 99", (404, "NOT_FOUND"), 2),
        ("DELETE FROM identities WHERE id = 99", (404, "NOT_FOUND"), 1),
        // A second one is a way in.
        ("UPDATE users SET has_password = 0 WHERE id = 1", (204, ""), 1),
    ] {
        let world = world(UNLINK, sql);
        let access = token(&world).await;
        world.service.db.execute(&linked_to(1));
        world.service.db.execute(
            "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
             VALUES (98, 1, 'google', 'https://accounts.google.com', '1', 1)",
        );
        let other = token(&world).await;
        let reply = world.service.call("DELETE", "/users/me/identities/99", &access, None).await;
        assert_eq!((refusal(&reply), count(&world, "identities")), (expected, left), "{sql}");
        let is_unlinked = reply.status == 204;
        assert_eq!(count(&world, "audit_events WHERE type = 'identity_unlinked'") == 1, is_unlinked, "{sql}");
        if !sql.contains("sessions") {
            world.service.me(&access).await.expect(200);
            world.service.me(&other).await.expect(if is_unlinked { 401 } else { 200 });
        }
    }
}
