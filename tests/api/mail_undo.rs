//! The undo of a change of address: a thief keeps nothing, whatever the thief does with the new address.

use edge_auth::domain::mail::proof::Purpose;
use serde_json::json;

use crate::support::change::{
    NEXT, address_of, ask_for_change, assert_shut, change, changed, key, not_me, pending, proven, undo, verify,
};
use crate::support::mail::{ask, forgot, reset, settle, token_of};
use crate::support::{EMAIL, PASSWORD, Service};

const NEW_PASSWORD: &str = "staple battery horse correct";
const DAY: i64 = 24 * 3600;

async fn owner_gets_in(service: &Service) {
    service.advance(60);
    let (letter, _) = forgot(service).await;
    reset(service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    service.mailbox.take();
    service.login(EMAIL, NEW_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_undo_brings_the_address_back_and_shuts_the_thief_out() {
    let (service, thief) = proven().await;
    let name = json!({"full_name": "Ada"});
    service.call("PATCH", "/users/me", &thief.access, Some(&name)).await.expect(200);
    let key = key(&service, &thief.access).await;
    let token = changed(&service, &thief.access, NEXT).await;
    let (flow, letter) = pending(&service, &thief.access, "third@example.com").await;
    let hash: String = service.db.one("SELECT password_hash FROM users");
    let reply = undo(&service, &token).await.expect(200);
    assert_eq!(reply.body, json!({"message": "Address restored, choose a new password"}));
    assert_eq!(address_of(&service), EMAIL);
    assert_shut(&service, &thief, &key).await;
    let unusable: String = service.db.one("SELECT password_hash FROM users");
    let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
    assert!(unusable.len() == hash.len() && parameters(&unusable) == parameters(&hash), "a sign-in costs the same");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs"), 0, "the other change is void");
    let code = json!({"flow": flow, "code": letter.code()});
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    owner_gets_in(&service).await;
    let me = service.me(&service.login(EMAIL, NEW_PASSWORD).await.tokens().access).await.body;
    assert_eq!((&me["email_verified"], &me["full_name"]), (&json!(true), &json!("Ada")), "nothing else is lost");
    undo(&service, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let events: i64 = service.db.one("SELECT count(*) FROM audit_events WHERE type = 'email_change_undone'");
    assert_eq!(events, 1);
}

#[tokio::test]
async fn for_seven_days_the_former_address_is_reserved() {
    let (service, tokens) = proven().await;
    let stranger = service.register("stranger@example.com").await;
    changed(&service, &tokens.access, NEXT).await;
    let mut costs = Vec::new();
    for email in [NEXT, EMAIL] {
        let before = service.db.one::<i64>("SELECT total_changes()");
        let body = json!({"email": email, "password": PASSWORD});
        let reply = service.post("/auth/register", &body).await.expect_error(409, "CONFLICT");
        let rows = service.db.one::<i64>("SELECT total_changes()") - before;
        costs.push((reply.body["error"]["message"].clone(), service.last_d1_calls(), rows));
    }
    assert_eq!(costs[0], costs[1], "as an address that has an account");
    ask_for_change(&service, &stranger.access, EMAIL).await.expect(202);
    assert_eq!(service.mailbox.take_one().subject(), "Your address for edge-auth");
    service.advance(7 * DAY - 1);
    service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(409);
    service.advance(1);
    service.register(EMAIL).await;
}

/// The new owner of the mailbox registers, and nothing of the former owner's reaches that account.
#[tokio::test]
async fn after_seven_days_the_undo_has_expired() {
    let (service, tokens) = proven().await;
    let token = changed(&service, &tokens.access, NEXT).await;
    service.advance(7 * DAY);
    undo(&service, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.register(EMAIL).await;
    undo(&service, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), NEXT);
    service.tend().await;
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs"), 0);
}

/// An older version of the service, or a hand in the database, reserves nothing.
#[tokio::test]
async fn an_undo_takes_no_address_of_another_account() {
    let (service, tokens) = proven().await;
    let token = changed(&service, &tokens.access, NEXT).await;
    service.db.execute(&format!("INSERT INTO users (email, password_hash, created_at) VALUES ('{EMAIL}', 'x', 1)"));
    undo(&service, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), NEXT);
}

/// The thief has the new mailbox, so a reset and every change of the password are the thief's.
#[tokio::test]
async fn neither_a_reset_nor_a_new_password_voids_the_undo() {
    let (service, thief) = proven().await;
    let token = changed(&service, &thief.access, NEXT).await;
    let flow = ask(&service, "/auth/password/forgot", NEXT).await;
    let code = json!({"flow": flow, "code": service.mailbox.take_one().code()});
    reset(&service, code, NEW_PASSWORD).await.expect(200);
    let thief = service.login(NEXT, NEW_PASSWORD).await.expect(200).tokens();
    let body = json!({"current_password": NEW_PASSWORD, "new_password": "another battery horse"});
    service.call("PUT", "/users/me/password", &thief.access, Some(&body)).await.expect(200);
    settle().await;
    let notices = service.mailbox.take();
    undo(&service, &token).await.expect(200);
    assert_eq!(address_of(&service), EMAIL);
    service.login(EMAIL, "another battery horse").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for notice in notices {
        not_me(&service, &notice.token()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn the_undo_of_the_first_change_voids_the_later_ones() {
    let (service, thief) = proven().await;
    let first = changed(&service, &thief.access, NEXT).await;
    let second = changed(&service, &thief.access, "third@example.com").await;
    undo(&service, &first).await.expect(200);
    assert_eq!(address_of(&service), EMAIL);
    undo(&service, &second).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), EMAIL);
}

#[tokio::test]
async fn the_undo_of_the_second_change_leaves_that_of_the_first() {
    let (service, thief) = proven().await;
    let first = changed(&service, &thief.access, NEXT).await;
    // The thief's own undo.
    let second = changed(&service, &thief.access, "third@example.com").await;
    undo(&service, &second).await.expect(200);
    assert_eq!(address_of(&service), NEXT);
    undo(&service, &first).await.expect(200);
    assert_eq!(address_of(&service), EMAIL);
    owner_gets_in(&service).await;
}

/// A request carries the moment of its beginning, and its body may come ten seconds later.
#[tokio::test]
async fn a_change_that_began_before_an_earlier_one_is_a_later_change() {
    let (service, thief) = proven().await;
    let first = changed(&service, &thief.access, NEXT).await;
    service.advance(-8);
    let second = changed(&service, &thief.access, "third@example.com").await;
    undo(&service, &first).await.expect(200);
    undo(&service, &second).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(address_of(&service), EMAIL);
}

/// The owner changes the address back. If the thief's mailbox could undo that, the thief would wait until the owner's undo
/// has expired.
#[tokio::test]
async fn a_change_back_is_an_undo() {
    let (service, tokens) = proven().await;
    let first = changed(&service, &tokens.access, NEXT).await;
    assert_eq!(change(&service, &tokens.access, EMAIL).await.len(), 0, "no notice, and no undo");
    assert_eq!(address_of(&service), EMAIL);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs"), 0);
    undo(&service, &first).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.register(NEXT).await;
    // After its end it is a change as any other.
    let (service, tokens) = proven().await;
    changed(&service, &tokens.access, NEXT).await;
    service.advance(7 * DAY);
    let tokens = service.login(NEXT, PASSWORD).await.expect(200).tokens();
    let second = changed(&service, &tokens.access, EMAIL).await;
    undo(&service, &second).await.expect(200);
    assert_eq!(address_of(&service), NEXT);
}

#[tokio::test]
async fn a_disabled_account_is_not_undone_until_it_is_enabled() {
    let (service, tokens) = proven().await;
    let token = changed(&service, &tokens.access, NEXT).await;
    service.db.execute("UPDATE users SET is_active = 0");
    undo(&service, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.db.execute("UPDATE users SET is_active = 1");
    undo(&service, &token).await.expect(200);
}

/// Programs that inspect mails fetch links. A token of another purpose is none.
#[tokio::test]
async fn only_a_post_with_the_right_token_changes_anything() {
    let (service, tokens) = proven().await;
    let token = changed(&service, &tokens.access, NEXT).await;
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        for path in ["/auth/email/undo", "/auth/email/not-me"] {
            let path = format!("{path}?token={token}");
            assert_eq!(service.call(method, &path, &tokens.access, None).await.status, 405, "{method}");
        }
    }
    let id: i64 = token.split_once('.').unwrap().0.parse().unwrap();
    for other in [Purpose::Verify, Purpose::Reset, Purpose::ChangeAddress, Purpose::NotMe, Purpose::HandOver] {
        undo(&service, &token_of(other, id)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let as_not_me = not_me(&service, &token).await;
    as_not_me.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for path in ["/auth/email/verify", "/auth/password/reset"] {
        let body = json!({"token": token, "password": PASSWORD, "new_password": NEW_PASSWORD});
        service.post(path, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(address_of(&service), NEXT);
    undo(&service, &token).await.expect(200);
}

/// The provider is down for days: the notice is sent as long as its link is valid.
#[tokio::test]
async fn the_notice_waits_for_the_provider_and_no_text_of_it_is_stored() {
    let (service, tokens) = proven().await;
    let (flow, letter) = pending(&service, &tokens.access, NEXT).await;
    service.mailbox.refuse(Some("E_INTERNAL_SERVER_ERROR"));
    verify(&service, &json!({"flow": flow, "code": letter.code()})).await.expect(200);
    let tables = ["users", "email_proofs", "mails", "mail_counts", "audit_events", "notice_counts"];
    let rows = tables.map(|table| format!("{:?}", service.db.rows(&format!("SELECT * FROM {table}"))));
    for _ in 0..3 {
        service.advance(DAY);
        service.send_mails().await;
    }
    service.mailbox.refuse(None);
    service.advance(DAY);
    service.send_mails().await;
    let notice = service.mailbox.take_one();
    let everything = rows.concat() + &service.log_lines().concat();
    let tag = |text: &str| text.split_once('.').unwrap().1.to_owned();
    for secret in [tag(&notice.token()), tag(&letter.token()), letter.code(), tag(&flow)] {
        assert!(!everything.contains(&secret), "{secret}");
    }
    assert!(!service.log_lines().iter().any(|line| line.contains(NEXT) || line.contains(EMAIL)));
    undo(&service, &notice.token()).await.expect(200);
}
