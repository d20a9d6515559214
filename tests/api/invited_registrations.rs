//! Registration with an invitation, and the setting that admits no other.

use edge_auth::domain::mail::proof::Purpose;
use serde_json::{Value, json};

use crate::support::mail::{VERIFYING, planted_invitation, settle};
use crate::support::world::{Person, World};
use crate::support::{PASSWORD, Reply};

const PEOPLE: [Person; 3] = [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("dean", "")];

fn world(more: &[(&str, &str)]) -> World {
    let settings: Vec<_> = more.iter().chain(VERIFYING).copied().collect();
    World::through(&PEOPLE, &settings, |db| db)
}

async fn register(world: &World, email: &str, invitation: Option<&str>) -> Reply {
    let mut body = json!({"email": email, "password": PASSWORD});
    if let Some(token) = invitation {
        body["invitation"] = json!(token);
    }
    let reply = world.service.post("/auth/register", &body).await;
    settle().await;
    reply
}

async fn roles_of(world: &World, access: &str) -> Value {
    world.service.get_as("/users/me", access).await.expect(200).body
}

#[tokio::test]
async fn a_mailed_invitation_makes_a_proven_account_with_the_role() {
    let world = world(&[("TOKEN_ROLES", "on")]);
    let token = planted_invitation(&world.service.db, Purpose::Invite, "new@example.com", "INSTRUCTOR");
    let reply = register(&world, "new@example.com", Some(&token)).await.expect(201);
    assert_eq!((world.service.last_d1_calls(), &reply.body["flow"]), (2, &Value::Null));
    assert!(world.service.mailbox.take().is_empty(), "the address needs no further proof");
    let user = roles_of(&world, &reply.tokens().access).await;
    let role = json!([{"university_id": 1, "department_id": null, "role": "INSTRUCTOR"}]);
    assert_eq!((&user["email_verified"], &user["roles"]), (&json!(true), &role));
    register(&world, "new@example.com", Some(&token)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn an_invitation_that_was_handed_over_proves_no_address() {
    let world = world(&[]);
    let token = planted_invitation(&world.service.db, Purpose::InviteHandOver, "new@example.com", "TA");
    let reply = register(&world, "new@example.com", Some(&token)).await.expect(201);
    assert!(reply.body["flow"].is_string());
    assert_eq!(world.service.mailbox.take_one().to(), "new@example.com");
    assert_eq!(roles_of(&world, &reply.tokens().access).await["email_verified"], false);
}

#[tokio::test]
async fn an_invitation_admits_its_address_only_and_touches_no_account() {
    let world = world(&[]);
    let token = planted_invitation(&world.service.db, Purpose::Invite, "dean@example.com", "UNIVERSITY_ADMIN");
    let before = world.dump();
    register(&world, "thief@example.com", Some(&token)).await.expect_error(403, "FORBIDDEN");
    register(&world, "thief@example.com", Some("1.00000000000000000000000000000000"))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // A stranger registered the address first: the owner resets the password, which empties the account.
    register(&world, "dean@example.com", Some(&token)).await.expect_error(409, "CONFLICT");
    assert_eq!(world.dump(), before);
}

#[tokio::test]
async fn a_right_that_is_lost_between_read_and_write_makes_no_account() {
    for lost in [
        "DELETE FROM user_university_roles WHERE user_id = 2",
        "DELETE FROM invitations",
        "UPDATE invitations SET expires_at = 1",
    ] {
        let world = World::overtaken(&PEOPLE, "INSERT INTO users", lost);
        let token = planted_invitation(&world.service.db, Purpose::InviteHandOver, "new@example.com", "TA");
        register(&world, "new@example.com", Some(&token)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM users"), 3, "{lost}");
    }
}

#[tokio::test]
async fn the_setting_admits_invited_addresses_only_or_none() {
    let invited = world(&[("REGISTRATION", "invitation")]);
    let closed = world(&[("REGISTRATION", "closed")]);
    for (world, message) in [(&invited, "Registration needs an invitation"), (&closed, "Registration is closed")] {
        // The same for every address.
        for email in ["new@example.com", "dean@example.com"] {
            let reply = register(world, email, None).await.expect_error(403, "FORBIDDEN");
            assert_eq!(reply.body["error"]["message"], message, "{email}");
        }
        assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM registration_counts"), 0);
    }
    for (world, status) in [(&invited, 201), (&closed, 403)] {
        let token = planted_invitation(&world.service.db, Purpose::Invite, "new@example.com", "TA");
        register(world, "new@example.com", Some(&token)).await.expect(status);
    }
}
