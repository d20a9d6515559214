//! Second factors and the ways back into an account: a new password by mail, a mailed sign-in code, and emptied accounts.

use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::mail::{MAIL, ask, forgot, reset, settle, with};
use crate::support::passkey::{PASSKEYS, PATH, claims, register, sign_in};
use crate::support::totp::{App, codes, enrol, second_factor};
use crate::support::world::World;
use crate::support::{EMAIL, PASSWORD, Reply, Service, Tokens};

const NEW_PASSWORD: &str = "staple battery horse correct";
const DAY: i64 = 24 * 3600;
const CONFIRM: &str = "/users/me/factors/confirm";

/// A service with mail and passkeys, and an account whose address is proven.
async fn proven(settings: &[(&str, &str)]) -> (Service, Tokens) {
    let service = with(MAIL, &[settings, PASSKEYS].concat());
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    (service, tokens)
}

/// Gives the account an app, and a passkey with the session that the app opens.
async fn with_factors(service: &Service, tokens: &Tokens) -> (App, Authenticator, Tokens) {
    let (app, _) = enrol(service, &tokens.access).await;
    let tokens = crate::support::totp::sign_in(service, &app).await;
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(service, &tokens.access, &mut passkey).await.expect(201);
    settle().await;
    service.mailbox.take();
    (app, passkey, tokens)
}

/// Sets a new password by mail; returns the review.
async fn reset_by_mail(service: &Service) -> Value {
    let (letter, _) = forgot(service).await;
    let reply = reset(service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    service.mailbox.take();
    reply.body["review"].clone()
}

async fn login(service: &Service) -> Reply {
    service.login(EMAIL, NEW_PASSWORD).await
}

fn methods(reply: Reply) -> Value {
    reply.expect_error(401, "AUTH_MFA_REQUIRED").body["error"]["details"]["methods"].clone()
}

#[tokio::test]
async fn a_reset_by_mail_does_not_pass_a_factor_of_seven_days() {
    let (service, tokens) = proven(&[]).await;
    let (app, mut passkey, _) = with_factors(&service, &tokens).await;
    let young = service.db.one::<i64>("SELECT max(created_at) FROM passkeys") / 1000 + 7 * DAY;
    service.advance(young - crate::support::clock().seconds());
    let review = reset_by_mail(&service).await;
    assert_eq!(review["totp"]["suspended"], false);
    assert!(review["totp"]["created_at"].is_string());
    assert_eq!(review["passkeys"][0]["suspended"], false);
    let reply = login(&service).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let details = &reply.body["error"]["details"];
    assert_eq!(details["methods"], json!(["totp", "passkey", "recovery_code"]));
    let token = details["mfa_token"].as_str().unwrap();
    second_factor(&service, token, "code", app.code(0)).await.expect(200);
    sign_in(&service, &mut passkey).await.expect(200);
}

#[tokio::test]
async fn younger_factors_are_suspended_until_their_owner_confirms_them() {
    let (service, tokens) = proven(&[]).await;
    let (app, mut passkey, _) = with_factors(&service, &tokens).await;
    service.advance(7 * DAY - 61);
    let review = reset_by_mail(&service).await;
    assert_eq!(review["totp"]["suspended"], true);
    let of_passkey = &review["passkeys"][0];
    assert_eq!((&of_passkey["name"], &of_passkey["suspended"]), (&json!("Laptop"), &json!(true)));
    assert!(of_passkey["id"].is_i64() && of_passkey["created_at"].is_string());
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let owner = login(&service).await.expect(200).tokens();
    let factors = service.get_as("/users/me/mfa", &owner.access).await.expect(200).body;
    assert_eq!(factors["totp"]["suspended"], true);
    assert_eq!(service.get_as(PATH, &owner.access).await.expect(200).body["items"][0]["suspended"], true);
    let step_up = json!({"code": app.code(0)});
    let refused = service.call("POST", "/auth/step-up", &owner.access, Some(&step_up)).await;
    refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(601);
    service.call("POST", CONFIRM, &owner.access, None).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let password = json!({"password": NEW_PASSWORD});
    for _ in 0..2 {
        let confirmed = service.call("POST", CONFIRM, &owner.access, Some(&password)).await;
        // The second time, the password alone is no step-up.
        if confirmed.status == 200 {
            assert_eq!(confirmed.body, json!({"message": "Second factors confirmed"}));
        } else {
            confirmed.expect_error(401, "AUTH_STEP_UP_REQUIRED");
        }
    }
    assert_eq!(methods(login(&service).await), json!(["totp", "passkey", "recovery_code"]));
    sign_in(&service, &mut passkey).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'factors_confirmed'"), 1);
}

#[tokio::test]
async fn an_older_factor_is_asked_for_beside_a_suspended_one() {
    let (service, tokens) = proven(&[]).await;
    let (app, _) = enrol(&service, &tokens.access).await;
    service.advance(7 * DAY);
    let tokens = crate::support::totp::sign_in(&service, &app).await;
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &tokens.access, &mut passkey).await.expect(201);
    settle().await;
    service.mailbox.take();
    let review = reset_by_mail(&service).await;
    assert_eq!((&review["totp"]["suspended"], &review["passkeys"][0]["suspended"]), (&json!(false), &json!(true)));
    assert_eq!(methods(login(&service).await), json!(["totp", "recovery_code"]));
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// A thief with a session enrols an app, and has its recovery codes. They must not be those of the owner's passkey.
#[tokio::test]
async fn recovery_codes_of_a_suspended_factor_do_not_become_those_of_a_new_passkey() {
    let (service, thief) = proven(&[]).await;
    let (_, stolen) = enrol(&service, &thief.access).await;
    settle().await;
    service.mailbox.take();
    reset_by_mail(&service).await;
    let owner = login(&service).await.expect(200).tokens();
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    let own = codes(&register(&service, &owner.access, &mut passkey).await.expect(201));
    for (code, status) in [(&stolen[0], 401), (&own[0], 200)] {
        let reply = login(&service).await.expect_error(401, "AUTH_MFA_REQUIRED");
        let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned();
        second_factor(&service, &token, "recovery_code", code.as_str()).await.expect(status);
    }
}

/// A reset ends the thief's session between the read and the write of its confirmation.
#[tokio::test]
async fn a_session_that_ended_concurrently_confirms_nothing() {
    let people = [("bob", "")];
    let world = World::overtaken(&people, "SET suspended_at = NULL", "DELETE FROM sessions");
    let bob = world.sign_in("bob").await;
    world.service.db.execute(
        "INSERT INTO totp_secrets (id, user_id, is_confirmed, secret, encrypted_by, created_at, suspended_at)
         VALUES (1, 1, 1, 'sealed', 'key', 1, 1)",
    );
    bob.ask("POST /users/me/factors/confirm").await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM totp_secrets WHERE suspended_at IS NULL"), 0);
    assert_eq!(world.service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'factors_confirmed'"), 0);
}

#[tokio::test]
async fn a_reset_voids_an_enrolment_that_was_begun() {
    let (service, thief) = proven(&[]).await;
    service.call("POST", "/users/me/mfa/totp", &thief.access, None).await.expect(201);
    reset_by_mail(&service).await;
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM totp_secrets"), 0);
}

#[tokio::test]
async fn a_mailed_code_is_a_first_factor_only() {
    let (service, tokens) = proven(&[("EMAIL_SIGN_IN", "on")]).await;
    let (app, ..) = with_factors(&service, &tokens).await;
    let flow = ask(&service, "/auth/email/code", EMAIL).await;
    let code = service.mailbox.take_one().code();
    let body = json!({"flow": flow, "code": code});
    let before: i64 = service.db.one("SELECT count(*) FROM sessions");
    let reply = service.post("/auth/email/sign-in", &body).await.expect_error(401, "AUTH_MFA_REQUIRED");
    service.post("/auth/email/sign-in", &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), before);
    let details = &reply.body["error"]["details"];
    assert_eq!(details["methods"], json!(["totp", "passkey", "recovery_code"]));
    let token = details["mfa_token"].as_str().unwrap();
    second_factor(&service, token, "code", app.wrong_code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let done = second_factor(&service, token, "code", app.code(0)).await.expect(200);
    assert_eq!(claims(&done.tokens().access)["amr"], json!(["otp", "mfa"]));
}

fn assert_no_factors(service: &Service) {
    for table in ["totp_secrets", "recovery_codes", "passkeys", "identities"] {
        assert_eq!(service.db.one::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

/// A stranger registered the address first, and adds factors to keep its owner out.
#[tokio::test]
async fn an_emptied_account_loses_its_factors() {
    for by_code in [false, true] {
        let service = with(MAIL, &[&[("EMAIL_SIGN_IN", "on")], PASSKEYS].concat());
        let thief = service.register(EMAIL).await;
        let (_, mut passkey, _) = with_factors(&service, &thief).await;
        // Since before the deployment had mail: with it, linking needs a proven address.
        service.db.execute(
            "INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
             VALUES (1, 1, 'acme', 'https://id.acme.example', 'thief', 1)",
        );
        service.advance(30 * DAY);
        if by_code {
            let flow = ask(&service, "/auth/email/code", EMAIL).await;
            let body = json!({"flow": flow, "code": service.mailbox.take_one().code()});
            service.post("/auth/email/sign-in", &body).await.expect(200);
        } else {
            assert_eq!(reset_by_mail(&service).await, json!({"totp": null, "passkeys": [], "identities": []}));
            login(&service).await.expect(200);
        }
        assert_no_factors(&service);
        sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_mailed_code_is_a_way_in_where_it_is_on() {
    for (settings, status) in [(&[("EMAIL_SIGN_IN", "on")][..], 204), (&[], 409)] {
        let (service, tokens) = proven(settings).await;
        let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
        let id = register(&service, &tokens.access, &mut passkey).await.expect(201).body["id"].clone();
        service.db.execute("UPDATE users SET has_password = 0");
        let tokens = sign_in(&service, &mut passkey).await.expect(200).tokens();
        let path = format!("{PATH}/{id}");
        service.call("DELETE", &path, &tokens.access, None).await.expect(status);
    }
}

#[tokio::test]
async fn an_export_lists_factors_without_secrets_and_an_erasure_removes_them() {
    let (service, tokens) = proven(&[]).await;
    let (_, mut passkey, tokens) = with_factors(&service, &tokens).await;
    let export = service.get_as("/users/me/export", &tokens.access).await.expect(200);
    let passkeys = export.body["passkeys"].as_array().unwrap();
    assert_eq!((passkeys.len(), &passkeys[0]["name"]), (1, &json!("Laptop")));
    assert!(export.text.contains("totp") && export.body["recovery_codes"].to_string().contains("10"));
    for secret in [
        "SELECT secret FROM totp_secrets",
        "SELECT substr(hashes, 1, 64) FROM recovery_codes",
        "SELECT public_key FROM passkeys",
    ] {
        assert!(!export.text.contains(&service.db.one::<String>(secret)), "{secret}");
    }
    service.delete_account(&tokens.access).await;
    service.tend().await;
    assert_no_factors(&service);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM used_challenges"), 0);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users WHERE passkey_handle IS NOT NULL"), 0);
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}
