//! Thieves and strangers against registrations, invitations, changes of address and notices that wait for a mail.

use serde_json::json;

use crate::support::change::{NEXT, pending, proven, verify};
use crate::support::mail::{VERIFYING, settle, with};
use crate::support::world::{Person, World, address};
use crate::support::{EMAIL, PASSWORD, Service};

const OTHER: &str = "staple battery horse correct";
const PEOPLE: [Person; 3] = [("root", "PLATFORM_ADMIN"), ("ulla", "UNIVERSITY_ADMIN@1"), ("dean", "")];

/// The second address of each pair shares the counters of addresses without an account with the first one.
#[tokio::test]
async fn the_waits_of_others_do_not_tell_whether_an_address_has_an_account() {
    let before = with(VERIFYING, &[]);
    before.register("account@example.com").await;
    let db = before.db.clone();
    drop(before);
    let settings: Vec<_> = [("EMAIL_VERIFICATION", "required")].iter().chain(VERIFYING).copied().collect();
    let service = Service::on(db.clone(), db, &settings);
    for (ip, victim, neighbour) in [
        ("203.0.113.1", "account@example.com", "p1184@evil.example"),
        ("203.0.113.2", "ghost@example.com", "p202@evil.example"),
    ] {
        let body = json!({"email": victim, "password": OTHER});
        service.post_from(ip, "/auth/register", &body).await.expect(202);
        for guessed in [neighbour, victim] {
            service.post_from(ip, "/auth/login", &body).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
            for _ in 0..8 {
                let wrong = json!({"email": guessed, "password": "a wrong password"});
                service.post_from(ip, "/auth/login", &wrong).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            }
        }
        service.post_from(ip, "/auth/login", &body).await.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    }
    // Guesses end: after 100 wrong ones the right one is told no more, either.
    service.db.execute("UPDATE registrations SET failures = 99");
    for (ip, victim) in [("203.0.113.3", "account@example.com"), ("203.0.113.4", "ghost@example.com")] {
        let wrong = json!({"email": victim, "password": "a wrong password"});
        service.post_from(ip, "/auth/login", &wrong).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let right = json!({"email": victim, "password": OTHER});
        service.post_from(ip, "/auth/login", &right).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn no_invitation_outlives_the_role_that_it_offers() {
    for role in ["PLATFORM_ADMIN", "TA"] {
        let world = World::through(&PEOPLE, VERIFYING, |db| db);
        let (root, dean) = (world.sign_in("root").await, world.sign_in("dean").await);
        let by_address = format!(r#"POST /universities/1/roles {{"email": "{}", "role": "{role}"}}"#, address("dean"));
        let by_id = format!(r#"POST /universities/1/roles {{"user_id": {}, "role": "{role}"}}"#, world.id("dean"));
        root.ask(&by_address).await.expect(202);
        settle().await;
        let token = world.service.mailbox.take_one().token();
        let accept = format!(r#"POST /invitations/accept {{"token": "{token}"}}"#);
        let grant = root.ask(&by_id).await.expect(201).body["id"].take();
        assert_eq!(root.all("/universities/1/invitations").await.len(), 0, "fulfilled");
        // One that was made while the role was held.
        root.ask(&by_address).await.expect(202);
        root.ask(&format!("DELETE /universities/1/roles/{grant}")).await.expect(204);
        assert_eq!(root.all("/universities/1/invitations").await.len(), 0, "it went with the role");
        dean.ask(&accept).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_change_ends_with_the_session_that_asked_for_it() {
    for way in ["one", "logout", "reuse"] {
        let (service, tokens) = proven().await;
        let (flow, letter) = pending(&service, &tokens.access, NEXT).await;
        match way {
            "one" => {
                let sessions = service.get_as("/auth/sessions", &tokens.access).await.expect(200).body;
                let path = format!("/auth/sessions/{}", sessions["sessions"][0]["id"]);
                service.call("DELETE", &path, &tokens.access, None).await.expect(204);
            }
            "logout" => drop(service.logout(&tokens.refresh).await.expect(200)),
            _ => {
                service.refresh(&tokens.refresh).await.expect(200);
                service.advance(200);
                service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
            }
        }
        for body in [json!({"flow": flow, "code": letter.code()}), json!({"flow": flow, "token": letter.token()})] {
            verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        }
        // A thief of the password would finish the change by it.
        let by_password = json!({"token": letter.token(), "password": PASSWORD});
        verify(&service, &by_password).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn the_owner_hears_of_a_change_and_of_an_erasure_behind_ten_notices() {
    let (service, tokens) = proven().await;
    for number in 0..12 {
        let body = json!({"name": format!("Key {number}"), "permissions": ["universities:view"]});
        service.call("POST", "/users/me/api-keys", &tokens.access, Some(&body)).await.expect(201);
        settle().await;
    }
    assert_eq!(service.mailbox.take().len(), 10, "further notices wait");
    let (flow, letter) = pending(&service, &tokens.access, NEXT).await;
    verify(&service, &json!({"flow": flow, "code": letter.code()})).await.expect(200);
    let notice = service.mailbox.take_one();
    assert_eq!((notice.to(), notice.subject()), (EMAIL, "Your address for edge-auth was changed"));
    let password = json!({"password": PASSWORD});
    service.call("POST", "/users/me/delete", &tokens.access, Some(&password)).await.expect(204);
    settle().await;
    let farewell = service.mailbox.take_one();
    assert_eq!((farewell.to(), farewell.subject()), (EMAIL, "Your account at edge-auth was erased"));
}
