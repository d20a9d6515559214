//! Second factors and the undo of a changed address.

use edge_auth::domain::mail::proof::Purpose;
use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::json;

use crate::support::authenticator::Authenticator;
use crate::support::change::{NEXT, address_of, change, changed, not_me, pending, undo, verify};
use crate::support::mail::{MAIL, ask, forgot, planted, reset, settle, with};
use crate::support::passkey::{PASSKEYS, register, sign_in};
use crate::support::totp::{enrol, second_factor};
use crate::support::{EMAIL, Service, Tokens};

const NEW_PASSWORD: &str = "staple battery horse correct";

async fn proven() -> (Service, Tokens) {
    let service = with(MAIL, PASSKEYS);
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    (service, tokens)
}

fn factors(service: &Service) -> i64 {
    service.db.one(
        "SELECT (SELECT count(*) FROM totp_secrets) + (SELECT count(*) FROM passkeys)
              + (SELECT count(*) FROM recovery_codes)",
    )
}

#[tokio::test]
async fn an_undo_removes_the_factors_that_a_thief_added_behind_the_change() {
    let (service, thief) = proven().await;
    let token = changed(&service, &thief.access, NEXT).await;
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &thief.access, &mut passkey).await.expect(201);
    let thief = sign_in(&service, &mut passkey).await.expect(200).tokens();
    enrol(&service, &thief.access).await;
    service.call("POST", "/users/me/mfa/totp", &thief.access, None).await.expect(201);
    settle().await;
    service.mailbox.take();
    service.advance(6 * 24 * 3600);
    undo(&service, &token).await.expect(200);
    assert_eq!((factors(&service), address_of(&service).as_str()), (0, EMAIL));
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    service.login(EMAIL, NEW_PASSWORD).await.expect(200);
}

/// The thief enrols while the link of the change is on its way.
#[tokio::test]
async fn an_undo_removes_a_factor_that_was_added_between_the_request_and_the_change() {
    let (service, thief) = proven().await;
    let (flow, letter) = pending(&service, &thief.access, NEXT).await;
    enrol(&service, &thief.access).await;
    settle().await;
    service.mailbox.take();
    service.advance(60);
    verify(&service, &json!({"flow": flow, "code": letter.code()})).await.expect(200);
    let notices = service.mailbox.take();
    let notice = notices.iter().find(|notice| notice.to() == EMAIL).unwrap();
    undo(&service, &notice.token()).await.expect(200);
    assert_eq!((factors(&service), address_of(&service).as_str()), (0, EMAIL));
}

#[tokio::test]
async fn an_undo_keeps_the_factors_of_the_time_before() {
    let (service, tokens) = proven().await;
    let (app, _) = enrol(&service, &tokens.access).await;
    service.advance(24 * 3600);
    let thief = crate::support::totp::sign_in(&service, &app).await;
    settle().await;
    service.mailbox.take();
    let notices = change(&service, &thief.access, NEXT).await;
    let notice = notices.iter().find(|notice| notice.to() == EMAIL).unwrap();
    register(&service, &thief.access, &mut Authenticator::new(SignatureAlgorithm::EdDsa)).await.expect(201);
    settle().await;
    service.mailbox.take();
    service.advance(6 * 24 * 3600);
    undo(&service, &notice.token()).await.expect(200);
    assert_eq!((factors(&service), address_of(&service).as_str()), (2, EMAIL), "the app and its codes");
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    let reply = service.login(EMAIL, NEW_PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap();
    second_factor(&service, token, "code", app.code(0)).await.expect(200);
}

/// A thief with a session adds a passkey, and the owner gets the notice. The passkey must not sign the thief in again.
#[tokio::test]
async fn the_link_of_a_notice_suspends_young_factors() {
    let (service, thief) = proven().await;
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &thief.access, &mut passkey).await.expect(201);
    settle().await;
    let notice = service.mailbox.take_one();
    not_me(&service, &notice.token()).await.expect(200);
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(60);
    let (letter, _) = forgot(&service).await;
    let reply = reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    assert_eq!(reply.body["review"]["passkeys"][0]["suspended"], true);
    service.login(EMAIL, NEW_PASSWORD).await.expect(200);
}

/// The mailbox alone would pass the suspended factors.
#[tokio::test]
async fn after_the_link_of_a_notice_a_mailed_code_signs_in_only_behind_a_new_password() {
    let service = with(MAIL, &[PASSKEYS, &[("EMAIL_SIGN_IN", "on")]].concat());
    let owner = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    enrol(&service, &owner.access).await;
    settle().await;
    let notice = service.mailbox.take_one();
    not_me(&service, &notice.token()).await.expect(200);
    let sign_in_by_code = async || {
        let flow = ask(&service, "/auth/email/code", EMAIL).await;
        let body = json!({"flow": flow, "code": service.mailbox.take_one().code()});
        service.post("/auth/email/sign-in", &body).await
    };
    sign_in_by_code().await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 0);
    service.advance(60);
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    service.mailbox.take();
    service.advance(60);
    sign_in_by_code().await.expect(200);
}

#[tokio::test]
async fn the_link_of_a_notice_passes_no_factor_of_seven_days() {
    let (service, tokens) = proven().await;
    let (app, _) = enrol(&service, &tokens.access).await;
    settle().await;
    service.advance(7 * 24 * 3600);
    let link = planted(&service.db, Purpose::NotMe, EMAIL);
    not_me(&service, &link).await.expect(200);
    service.mailbox.take();
    service.advance(60);
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    let reply = service.login(EMAIL, NEW_PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap();
    second_factor(&service, token, "code", app.code(0)).await.expect(200);
}
