//! Invitations: a grant by address gives an unproven account nothing, and its answer tells nothing about an account.

use edge_auth::domain::mail::proof::Purpose;
use serde_json::{Value, json};

use crate::support::mail::{VERIFYING, planted_invitation, settle};
use crate::support::world::{Person, Visitor, World, address};

const PEOPLE: [Person; 6] = [
    ("root", "PLATFORM_ADMIN"),
    ("ulla", "UNIVERSITY_ADMIN@1"),
    ("dora", "DEPARTMENT_ADMIN@1/1"),
    ("dean", ""),
    ("mia", "STUDENT@1"),
    ("vera", "UNIVERSITY_ADMIN@1 UNIVERSITY_ADMIN@2"),
];

fn with_mail() -> World {
    World::through(&PEOPLE, VERIFYING, |db| db)
}

/// Invites an address, and returns the invitation.
async fn invite(by: &Visitor<'_>, name: &str, role: &str) -> Value {
    let request = format!(r#"POST /universities/1/roles {{"email": "{}", "role": "{role}"}}"#, address(name));
    let invitation = by.ask(&request).await.expect(202).body["invitation"].take();
    settle().await;
    invitation
}

/// The token of the newest mail.
fn mailed(world: &World) -> String {
    world.service.mailbox.take_one().token()
}

async fn accept(visitor: &Visitor<'_>, token: &str) -> crate::support::Reply {
    visitor.ask(&format!(r#"POST /invitations/accept {{"token": "{token}"}}"#)).await
}

fn roles(world: &World, name: &str) -> i64 {
    world.service.db.one(&format!("SELECT count(*) FROM user_university_roles WHERE user_id = {}", world.id(name)))
}

#[tokio::test]
async fn a_grant_to_an_unproven_address_gives_nothing_to_its_account() {
    let world = with_mail();
    let (ulla, dean) = (world.sign_in("ulla").await, world.sign_in("dean").await);
    invite(&ulla, "dean", "UNIVERSITY_ADMIN").await;
    let token = mailed(&world);
    assert_eq!(roles(&world, "dean"), 0, "the stranger that registered the address has no role");
    dean.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
    // The owner of the mailbox proves the address, which empties the account, and accepts.
    let granted = accept(&dean, &token).await.expect(201).body;
    assert_eq!((&granted["role"], &granted["user_id"]), (&json!("UNIVERSITY_ADMIN"), &json!(world.id("dean"))));
    assert_eq!(dean.ask("GET /users/me").await.expect(200).body["email_verified"], true, "the mail proves the address");
    accept(&dean, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let events = "SELECT group_concat(type || ' ' || coalesce(actor_id, 0)) FROM audit_events WHERE user_id = 4";
    assert_eq!(world.service.db.one::<String>(events), "signed_in 0,role_granted 2,email_verified 0");
}

/// Everything that a caller could learn: the answer without its ids and times, and the statements.
#[tokio::test]
async fn the_answer_is_the_same_for_every_address_that_is_no_proven_member() {
    let world = with_mail();
    world.verify("vera");
    world.service.db.execute("DELETE FROM user_university_roles WHERE user_id = 6 AND university_id = 1");
    let ulla = world.sign_in("ulla").await;
    let mut seen = Vec::new();
    // Not registered; registered; a member that proved nothing; proven, of another university.
    for name in ["nobody", "dean", "mia", "vera"] {
        let written = world.service.db.one::<i64>("SELECT total_changes()");
        let mut invitation = invite(&ulla, name, "TA").await;
        let written = world.service.db.one::<i64>("SELECT total_changes()") - written;
        let members: Vec<String> = invitation.as_object().unwrap().keys().cloned().collect();
        assert_eq!(invitation["email"].take(), address(name).as_str());
        assert_eq!(world.service.mailbox.take_one().to(), address(name));
        seen.push((members, written));
    }
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    // A proven member is known to the university anyway.
    world.verify("mia");
    let request = format!(r#"POST /universities/1/roles {{"email": "{}", "role": "TA"}}"#, address("mia"));
    ulla.ask(&request).await.expect(201);
    assert!(world.service.mailbox.take().is_empty());
}

#[tokio::test]
async fn only_the_owner_of_the_address_accepts_and_only_while_the_inviter_may_invite() {
    let world = with_mail();
    let (dean, mia) = (world.sign_in("dean").await, world.sign_in("mia").await);
    let token = planted_invitation(&world.service.db, Purpose::Invite, &address("dean"), "UNIVERSITY_ADMIN");
    accept(&mia, &token).await.expect_error(403, "FORBIDDEN");
    world
        .anonymous()
        .ask(&format!(r#"POST /invitations/accept {{"token": "{token}"}}"#))
        .await
        .expect_error(401, "AUTH_TOKEN_INVALID");
    let dismiss = "DELETE FROM user_university_roles WHERE user_id = 2";
    let restore = "INSERT INTO user_university_roles (user_id, role, university_id, created_at) VALUES (2, 'UNIVERSITY_ADMIN', 1, 1)";
    for (make, undo) in [
        (dismiss, restore),
        // The role of a department's administrator does not reach as far.
        (
            "UPDATE user_university_roles SET role = 'DEPARTMENT_ADMIN', department_id = 1 WHERE user_id = 2",
            "UPDATE user_university_roles SET role = 'UNIVERSITY_ADMIN', department_id = NULL WHERE user_id = 2",
        ),
        ("UPDATE users SET is_active = 0 WHERE id = 2", "UPDATE users SET is_active = 1 WHERE id = 2"),
    ] {
        world.service.db.execute(make);
        accept(&dean, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        world.service.db.execute(undo);
    }
    assert_eq!(roles(&world, "dean"), 0);
    accept(&dean, &token).await.expect(201);
}

#[tokio::test]
async fn a_right_that_is_lost_between_read_and_write_gives_nothing() {
    for lost in [
        "DELETE FROM user_university_roles WHERE user_id = 2",
        "UPDATE users SET is_active = 0 WHERE id = 2",
        "DELETE FROM invitations",
        "UPDATE users SET email = 'other@example.com' WHERE id = 4",
    ] {
        let world = World::overtaken(&PEOPLE, "INSERT INTO user_university_roles", lost);
        let dean = world.sign_in("dean").await;
        let token = planted_invitation(&world.service.db, Purpose::InviteHandOver, &address("dean"), "TA");
        let status = accept(&dean, &token).await.status;
        assert!(matches!(status, 401 | 409), "{lost}: {status}");
        assert_eq!(roles(&world, "dean"), 0, "{lost}");
        assert_eq!(
            world.service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'role_granted'"),
            0,
            "{lost}"
        );
    }
}

#[tokio::test]
async fn without_mail_the_administrator_hands_the_token_over_and_it_proves_nothing() {
    let world = World::of(&PEOPLE);
    let (ulla, dean) = (world.sign_in("ulla").await, world.sign_in("dean").await);
    let invitation = invite(&ulla, "dean", "INSTRUCTOR").await;
    let token = invitation["token"].as_str().unwrap().to_owned();
    let listed = ulla.all("/universities/1/invitations").await;
    assert_eq!((listed.len(), &listed[0]["id"], listed[0].get("token")), (1, &invitation["id"], None));
    accept(&dean, &token.replace('.', ".0")).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    accept(&dean, &token).await.expect(201);
    assert_eq!(dean.ask("GET /users/me").await.expect(200).body["email_verified"], false);
    assert_eq!(ulla.all("/universities/1/invitations").await.len(), 0);
}

#[tokio::test]
async fn the_same_invitation_is_one_and_sends_a_mail_a_minute() {
    let world = with_mail();
    let (ulla, vera) = (world.sign_in("ulla").await, world.sign_in("vera").await);
    let first = invite(&ulla, "dean", "TA").await;
    let token = mailed(&world);
    let second = invite(&vera, "dean", "TA").await;
    assert!(world.service.mailbox.take().is_empty(), "within a minute");
    world.service.advance(61);
    let third = invite(&ulla, "dean", "TA").await;
    assert_eq!((&first["id"], &first["id"], &first["created_at"]), (&second["id"], &third["id"], &third["created_at"]));
    assert_eq!((&second["invited_by"], &third["invited_by"]), (&json!(6), &json!(2)), "the latest inviter counts");
    assert_eq!(mailed(&world), token, "the same link");
    assert_ne!(first["expires_at"], third["expires_at"]);
    // Another role, or another department, is another one.
    assert_ne!(invite(&ulla, "dean", "STUDENT").await["id"], first["id"]);
    assert_eq!(ulla.all("/universities/1/invitations?limit=1").await.len(), 2);
}

#[tokio::test]
async fn an_invitation_ends_after_seven_days_and_when_it_is_withdrawn() {
    let world = with_mail();
    let (ulla, dora, dean) = (world.sign_in("ulla").await, world.sign_in("dora").await, world.sign_in("dean").await);
    let invitation = invite(&ulla, "dean", "TA").await;
    let token = mailed(&world);
    let path = format!("DELETE /universities/1/invitations/{}", invitation["id"]);
    dora.ask(&path).await.expect_error(403, "FORBIDDEN");
    assert_eq!(dora.all("/universities/1/invitations").await.len(), 0, "not narrowed to her department");
    let root = world.sign_in("root").await;
    let of_platform = invite(&root, "mia", "PLATFORM_ADMIN").await;
    world.service.mailbox.take();
    assert_eq!(root.all("/universities/1/invitations").await.len(), 2);
    assert_eq!(ulla.all("/universities/1/invitations").await.len(), 1, "that of the platform is hidden");
    let hidden = format!("DELETE /universities/1/invitations/{}", of_platform["id"]);
    ulla.ask(&hidden).await.expect_error(403, "FORBIDDEN");
    root.ask(&hidden).await.expect(204);
    world.sign_in("vera").await.ask(&path.replace("/1/", "/2/")).await.expect_error(404, "NOT_FOUND");
    ulla.ask(&path).await.expect(204);
    ulla.ask(&path).await.expect_error(404, "NOT_FOUND");
    accept(&dean, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    invite(&ulla, "dean", "TA").await;
    let token = mailed(&world);
    world.service.advance(7 * 86_400);
    accept(&world.sign_in("dean").await, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(world.sign_in("ulla").await.all("/universities/1/invitations").await.len(), 0);
}

#[tokio::test]
async fn a_department_administrator_invites_to_the_department_and_sees_its_invitations() {
    let world = World::of(&PEOPLE);
    let dora = world.sign_in("dora").await;
    let body = |role: &str, department: i64| {
        format!(
            r#"POST /universities/1/roles {{"email": "new@example.com", "role": "{role}", "department_id": {department}}}"#
        )
    };
    dora.ask(&body("DEPARTMENT_ADMIN", 1)).await.expect_error(403, "FORBIDDEN");
    dora.ask(&body("TA", 2)).await.expect_error(403, "FORBIDDEN");
    let id = dora.ask(&body("TA", 1)).await.expect(202).body["invitation"]["id"].take();
    let seen = dora.all("/universities/1/invitations").await;
    assert_eq!((seen.len(), &seen[0]["id"]), (1, &id));
    dora.ask(&format!("DELETE /universities/1/invitations/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_university_has_200_pending_invitations_and_200_mails_a_day() {
    let world = with_mail();
    let ulla = world.sign_in("ulla").await;
    let first = invite(&ulla, "dean", "TA").await;
    world.service.db.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199)
         INSERT INTO invitations (id, university_id, email, role, invited_by, created_at, expires_at, sent_at, nonce)
         SELECT i, 1, 'p' || i || '@example.com', 'TA', 2, created_at, expires_at, created_at, 1 FROM n, invitations
         WHERE invitations.id = {}",
        first["id"]
    ));
    let one_more = r#"POST /universities/1/roles {"email": "more@example.com", "role": "TA"}"#;
    let reply = ulla.ask(one_more).await.expect_error(409, "CONFLICT");
    assert_eq!(reply.body["error"]["message"], "Too many pending invitations");
    invite(&ulla, "dean", "TA").await;
    world
        .service
        .db
        .execute("DELETE FROM invitations WHERE id = 1; UPDATE mail_counts SET count = 200 WHERE key = 'university/1'");
    ulla.ask(one_more).await.expect_error(429, "RATE_LIMITED");
    world.service.advance(86_400);
    world.sign_in("ulla").await.ask(one_more).await.expect(202);
}
