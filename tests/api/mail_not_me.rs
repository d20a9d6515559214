//! The link of a security notice, for an act that was not the owner's.

use serde_json::json;

use crate::support::change::{NEXT, address_of, assert_shut, changed, key, not_me, pending, proven, undo, verify};
use crate::support::mail::{forgot, reset, settle};
use crate::support::mailbox::Letter;
use crate::support::{EMAIL, PASSWORD, Service, Tokens};

const PASSWORDS: [&str; 2] = [PASSWORD, "staple battery horse correct"];
const DAY: i64 = 24 * 3600;

/// Changes the password for the given time; the notice, unless it waits.
async fn change_password(service: &Service, access: &str, time: usize) -> Vec<Letter> {
    let body = json!({"current_password": PASSWORDS[time % 2], "new_password": PASSWORDS[(time + 1) % 2]});
    service.call("PUT", "/users/me/password", access, Some(&body)).await.expect(200);
    settle().await;
    service.mailbox.take()
}

async fn noticed() -> (Service, Tokens, String) {
    let (service, tokens) = proven().await;
    let notices = change_password(&service, &tokens.access, 0).await;
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice.subject(), "Your password for edge-auth was changed");
    assert!(notice.0["text"].as_str().unwrap().contains("https://login.example.com/not-me#token="));
    let token = notice.token();
    (service, tokens, token)
}

#[tokio::test]
async fn the_link_of_a_notice_shuts_everyone_out_until_a_reset() {
    let (service, thief, token) = noticed().await;
    let key = key(&service, &thief.access).await;
    let (flow, letter) = pending(&service, &thief.access, NEXT).await;
    let reply = not_me(&service, &token).await.expect(200);
    assert_eq!(reply.body, json!({"message": "All sessions ended, choose a new password"}));
    assert_shut(&service, &thief, &key).await;
    service.login(EMAIL, PASSWORDS[1]).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let code = json!({"flow": flow, "code": letter.code()});
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), EMAIL);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'not_me'"), 1);
    not_me(&service, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), "third battery horse").await.expect(200);
    service.login(EMAIL, "third battery horse").await.expect(200);
}

#[tokio::test]
async fn a_reset_and_a_change_of_address_void_the_link_and_a_new_password_does_not() {
    for (way, status) in [("password", 200), ("reset", 401), ("address", 401), ("undone", 401)] {
        let (service, tokens, token) = noticed().await;
        match way {
            "password" => assert_eq!(change_password(&service, &tokens.access, 1).await.len(), 1),
            "reset" => {
                let (letter, _) = forgot(&service).await;
                reset(&service, json!({"token": letter.token()}), "third battery horse").await.expect(200);
            }
            _ => {
                let back = changed(&service, &tokens.access, NEXT).await;
                if way == "undone" {
                    undo(&service, &back).await.expect(200);
                }
            }
        }
        assert_eq!(not_me(&service, &token).await.status, status, "{way}");
    }
}

#[tokio::test]
async fn the_link_lives_seven_days() {
    let (service, _, token) = noticed().await;
    service.advance(7 * DAY - 1);
    let (other, _, late) = noticed().await;
    other.advance(7 * DAY);
    not_me(&other, &late).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    other.advance(-7 * DAY);
    not_me(&service, &token).await.expect(200);
}

/// The thief has the new mailbox, and its notices.
#[tokio::test]
async fn the_notice_of_a_thief_voids_no_undo_of_the_owner() {
    let (service, thief) = proven().await;
    let owner = changed(&service, &thief.access, NEXT).await;
    let notices = change_password(&service, &thief.access, 0).await;
    assert_eq!(notices[0].to(), NEXT);
    not_me(&service, &notices[0].token()).await.expect(200);
    assert_eq!(address_of(&service), NEXT);
    undo(&service, &owner).await.expect(200);
    assert_eq!(address_of(&service), EMAIL);
}

/// Beyond ten a day, notices wait for the end of the day as one, and its link is valid then.
#[tokio::test]
async fn a_notice_that_waits_has_a_link_too() {
    let (service, tokens) = proven().await;
    for time in 0..10 {
        assert_eq!(change_password(&service, &tokens.access, time).await.len(), 1, "{time}");
    }
    for time in 10..14 {
        assert_eq!(change_password(&service, &tokens.access, time).await.len(), 0, "{time}");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs"), 11, "merged notices leave no proof");
    service.advance(DAY);
    service.send_mails().await;
    not_me(&service, &service.mailbox.take_one().token()).await.expect(200);
}

/// The reset voids the link of the notice that waits. The notice of the reset takes its place, and none is lost.
#[tokio::test]
async fn a_notice_whose_link_is_void_is_replaced() {
    let (service, tokens) = proven().await;
    for time in 0..11 {
        change_password(&service, &tokens.access, time).await;
    }
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), PASSWORD).await.expect(200);
    assert_eq!(service.mailbox.take().len(), 0);
    service.advance(DAY);
    service.send_mails().await;
    not_me(&service, &service.mailbox.take_one().token()).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM mails"), 0);
}

/// A notice that the previous version queued has no proof: it leads to the page for a new password.
#[tokio::test]
async fn a_notice_of_the_previous_version_is_sent() {
    let (service, _) = proven().await;
    let now = crate::support::clock().millis();
    service.db.execute(&format!(
        "INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
         VALUES (1, 'password_changed', 1, '{EMAIL}', NULL, {now}, {now} + 86400000, 1, {now})"
    ));
    service.send_mails().await;
    let text = service.mailbox.take_one().0["text"].clone();
    assert!(text.as_str().unwrap().contains("https://login.example.com/reset\n"), "{text}");
}
