//! Thieves of a password, a mailbox or a session, before and after the owner has a second factor.

use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::change::{NEXT, address_of, ask_for_change, change, changed, pending, proven, verify};
use crate::support::factors::waiting_administrator;
use crate::support::mail::{MAIL, VERIFYING, forgot, reset, settle, with, wrong_code};
use crate::support::passkey::{PASSKEYS, register};
use crate::support::totp::{App, account, enrol, first_factor, second_factor, sign_in};
use crate::support::{EMAIL, PASSWORD, Service, Tokens};

const DAY: i64 = 24 * 3600;

/// Signs in with the app; the mails of it are taken away.
async fn signed_in(service: &Service, app: &App) -> Tokens {
    let tokens = sign_in(service, app).await;
    settle().await;
    service.mailbox.take();
    tokens
}

#[tokio::test]
async fn a_pending_change_of_address_ends_with_the_session_that_a_new_factor_ends() {
    let (service, owner) = proven().await;
    let thief = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    settle().await;
    service.mailbox.take();
    let (flow, letter) = pending(&service, &thief.access, NEXT).await;
    enrol(&service, &owner.access).await;
    for body in [
        json!({"token": letter.token(), "password": PASSWORD}),
        json!({"token": letter.token(), "flow": flow}),
        json!({"flow": flow, "code": letter.code()}),
    ] {
        verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(address_of(&service), EMAIL);
}

/// The code for the first second factor would go to the thief.
#[tokio::test]
async fn a_role_that_needs_a_second_factor_changes_no_address_without_one() {
    let (service, tokens) = waiting_administrator().await;
    let refused = ask_for_change(&service, &tokens.access, NEXT).await.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.body["error"]["details"], json!({"required": "mfa"}));
    assert!(service.mailbox.take().is_empty());
    // An unproven address may be that of another person. The code would go there.
    let verifying = with(VERIFYING, &[]);
    let tokens = verifying.register(EMAIL).await;
    let refused = verifying.call("POST", "/users/me/mfa/email-code", &tokens.access, None).await;
    refused.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
}

/// The owner leaves a mailbox that a thief has.
#[tokio::test]
async fn a_change_with_a_factor_of_seven_days_has_no_undo() {
    let (service, tokens) = proven().await;
    let (app, _) = enrol(&service, &tokens.access).await;
    service.advance(7 * DAY);
    let owner = signed_in(&service, &app).await;
    let notices = change(&service, &owner.access, NEXT).await;
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!((notice.to(), notice.subject()), (EMAIL, "Your address for edge-auth was changed"));
    assert!(!notice.text().contains("http"), "{}", notice.text());
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs WHERE purpose = 'undo'"), 0);
    assert_eq!((address_of(&service).as_str(), service.db.one::<i64>("SELECT count(*) FROM totp_secrets")), (NEXT, 1));
}

/// A thief of a session has just added the factor.
#[tokio::test]
async fn a_change_with_a_younger_factor_can_be_undone() {
    let (service, tokens) = proven().await;
    let (app, _) = enrol(&service, &tokens.access).await;
    service.advance(7 * DAY - 120);
    let thief = signed_in(&service, &app).await;
    changed(&service, &thief.access, NEXT).await;
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM email_proofs WHERE purpose = 'undo'"), 1);
}

#[tokio::test]
async fn wrong_recovery_codes_hold_up_no_codes_of_the_app() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    for _ in 0..30 {
        let token = first_factor(&service).await;
        for _ in 0..5 {
            second_factor(&service, &token, "recovery_code", "wrong").await.expect(401);
        }
    }
    let tokens = sign_in(&service, &app).await;
    service.advance(601);
    let step_up = async |body| service.call("POST", "/auth/step-up", &tokens.access, Some(&body)).await;
    step_up(json!({"code": app.code(0)})).await.expect(200);
}

#[tokio::test]
async fn a_new_password_by_mail_gives_no_further_guesses() {
    let (service, tokens) = proven().await;
    let (app, _) = enrol(&service, &tokens.access).await;
    service.advance(7 * DAY);
    for _ in 0..6 {
        let token = first_factor(&service).await;
        second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
    }
    settle().await;
    service.mailbox.take();
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), PASSWORD).await.expect(200);
    let failures = service.db.one::<i64>("SELECT failures FROM throttles WHERE key = 'user/1/second-factor'");
    assert_eq!(failures, 6);
}

#[tokio::test]
async fn an_answer_to_a_token_that_is_void_sends_no_notice() {
    let (service, tokens) = proven().await;
    let (app, _) = enrol(&service, &tokens.access).await;
    settle().await;
    service.mailbox.take();
    let token = first_factor(&service).await;
    for _ in 0..4 {
        second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
    }
    let other = first_factor(&service).await;
    second_factor(&service, &other, "code", app.wrong_code()).await.expect(401);
    settle().await;
    assert_eq!(service.mailbox.take().len(), 1, "the fifth");
    service.advance(60);
    second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
    settle().await;
    service.advance(60);
    for _ in 0..3 {
        second_factor(&service, &token, "code", app.wrong_code()).await.expect(401);
        settle().await;
    }
    assert_eq!(service.mailbox.take().len(), 0, "the sixth is the last one of its token");
}

/// A thief may have had the session of the offer, and has the secret.
#[tokio::test]
async fn an_offer_of_an_app_is_valid_for_ten_minutes() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let offer = service.call("POST", "/users/me/mfa/totp", &tokens.access, None).await.expect(201);
    let app = App::of(offer.body["secret"].as_str().unwrap());
    service.advance(600);
    let body = json!({"code": app.code(0)});
    let confirm = async || service.call("POST", "/users/me/mfa/totp/confirm", &tokens.access, Some(&body)).await;
    confirm().await.expect_error(409, "CONFLICT");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM totp_secrets WHERE is_confirmed = 1"), 0);
}

/// The thief has seen the recovery codes that came with the thief's passkey.
#[tokio::test]
async fn recovery_codes_are_suspended_with_the_factor_that_gave_them() {
    let service = with(MAIL, PASSKEYS);
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    register(&service, &tokens.access, &mut Authenticator::new(SignatureAlgorithm::EdDsa)).await.expect(201);
    service.db.execute("UPDATE passkeys SET created_at = 1; DELETE FROM recovery_codes");
    let (_, codes) = enrol_again(&service, &tokens).await;
    settle().await;
    service.mailbox.take();
    let (letter, _) = forgot(&service).await;
    reset(&service, json!({"token": letter.token()}), PASSWORD).await.expect(200);
    let reply = service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let details = &reply.body["error"]["details"];
    assert_eq!(details["methods"], json!(["passkey"]));
    let token = details["mfa_token"].as_str().unwrap();
    let refused = second_factor(&service, token, "recovery_code", codes[0].as_str()).await;
    refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // Confirmed, they are valid again.
    let suspended_at: i64 = service.db.one("SELECT suspended_at FROM totp_secrets");
    service.db.execute("UPDATE totp_secrets SET suspended_at = NULL");
    let owner = second_factor(&service, token, "recovery_code", codes[0].as_str()).await.expect(200).tokens();
    // They go with the factor.
    service.db.execute(&format!("UPDATE totp_secrets SET suspended_at = {suspended_at}"));
    service.call("DELETE", "/users/me/mfa/totp", &owner.access, None).await.expect(204);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM recovery_codes"), 0);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 1);
}

/// A thief with a session of a few minutes replaces the codes, and reads the mailbox later. Codes of before the theft stay valid.
#[tokio::test]
async fn recovery_codes_that_were_replaced_in_the_last_week_end_with_a_reset() {
    for (age, count) in [("created_at", 0), ("created_at - 7 * 86400000 - 60000", 1)] {
        let service = with(MAIL, PASSKEYS);
        let tokens = service.register(EMAIL).await;
        service.db.execute("UPDATE users SET email_verified_at = 1");
        let (app, _) = enrol(&service, &tokens.access).await;
        service.db.execute("UPDATE totp_secrets SET created_at = 1, used_step = 0");
        let thief = signed_in(&service, &app).await;
        let replaced =
            service.call("POST", "/users/me/mfa/recovery-codes", &thief.access, Some(&json!({}))).await.expect(200);
        service.db.execute(&format!("UPDATE recovery_codes SET created_at = {age}"));
        settle().await;
        service.mailbox.take();
        let (letter, _) = forgot(&service).await;
        reset(&service, json!({"token": letter.token()}), PASSWORD).await.expect(200);
        assert_eq!(service.db.one::<i64>("SELECT count(*) FROM recovery_codes"), count, "{age}");
        let reply = service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
        let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned();
        let code = replaced.body["recovery_codes"][0].as_str().unwrap();
        let status = if count == 0 { 401 } else { 200 };
        second_factor(&service, &token, "recovery_code", code).await.expect(status);
    }
}

/// The suspended factor may be that of a thief that has learnt the new password. Only the owner reads the mail.
#[tokio::test]
async fn a_password_alone_confirms_no_factor_for_a_role_that_needs_one() {
    let (service, tokens) = waiting_administrator().await;
    service.db.execute(
        "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at, suspended_at) VALUES (1, 1, 1, '', '', 1, 2)",
    );
    let path = "/users/me/factors/confirm";
    let confirm = async |body: Value| service.call("POST", path, &tokens.access, Some(&body)).await;
    let is_suspended = || service.db.one::<i64>("SELECT count(*) FROM totp_secrets WHERE suspended_at IS NOT NULL");
    let refused = confirm(json!({"password": PASSWORD})).await.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.body["error"]["details"], json!({"required": "email_code"}));
    confirm(json!({"flow": "1"})).await.expect_error(422, "VALIDATION_ERROR");
    let asked = service.call("POST", "/users/me/mfa/email-code", &tokens.access, None).await.expect(202);
    settle().await;
    let letter = service.mailbox.take_one();
    let flow = &asked.body["flow"];
    confirm(json!({"flow": flow, "code": wrong_code(&letter.code())}))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(is_suspended(), 1);
    let mailed = json!({"flow": flow, "code": letter.code()});
    confirm(mailed.clone()).await.expect(200);
    assert_eq!(is_suspended(), 0);
    // The code is used up.
    service.db.execute("UPDATE totp_secrets SET suspended_at = 2");
    confirm(mailed).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(is_suspended(), 1);
}

/// Enrols an app beside a passkey, which the session does not present here.
async fn enrol_again(service: &Service, tokens: &Tokens) -> (App, Vec<String>) {
    service.db.execute("UPDATE passkeys SET suspended_at = 1");
    let enrolled = enrol(service, &tokens.access).await;
    service.db.execute("UPDATE passkeys SET suspended_at = NULL");
    enrolled
}

#[tokio::test]
async fn a_reset_by_an_administrator_needs_a_factor_to_remove() {
    let service = Service::new();
    let root = service.register("root@example.com").await;
    let user = service.register(EMAIL).await;
    service.db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1)");
    let reset = async || service.call("DELETE", "/admin/users/2/mfa", &root.access, None).await;
    reset().await.expect_error(404, "NOT_FOUND");
    service.me(&user.access).await.expect(200);
    enrol(&service, &user.access).await;
    reset().await.expect(204);
    service.me(&user.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    let events = "SELECT count(*) FROM audit_events WHERE type = 'factors_reset'";
    assert_eq!(service.db.one::<i64>(events), 1);
}
