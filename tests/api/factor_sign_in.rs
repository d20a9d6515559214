//! The second step of a sign-in: one answer for everything wrong, single use, and the order of the refusals.

use serde_json::{Value, json};

use crate::support::totp::{account, first_factor, second_factor, sign_in};
use crate::support::{EMAIL, PASSWORD, Service};

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_code_completes_the_sign_in() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let reply = service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let details = &reply.body["error"]["details"];
    assert_eq!(details["methods"], json!(["totp", "recovery_code"]));
    assert_eq!(details["expires_in"], 300);
    assert_eq!(details.get("passkey_options"), None);
    assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer realm="));
    let token = details["mfa_token"].as_str().unwrap();
    service.me(token).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(token).await.expect_error(401, "AUTH_TOKEN_INVALID");
    let reply = second_factor(&service, token, "code", app.code(0)).await.expect(200);
    let login = service.register("other@example.com").await;
    assert_eq!(claims(&login.access)["amr"], json!(["pwd"]));
    assert_eq!(claims(&reply.tokens().access)["amr"], json!(["pwd", "otp", "mfa"]));
    assert!(reply.body["device_token"].is_string());
    let refreshed = service.refresh(&reply.tokens().refresh).await.expect(200).tokens();
    assert_eq!(claims(&refreshed.access)["amr"], json!(["pwd", "otp", "mfa"]));
    let reason: String =
        service.db.one("SELECT reason FROM audit_events WHERE type = 'signed_in' AND reason IS NOT NULL");
    assert_eq!(reason, "totp");
}

#[tokio::test]
async fn nothing_is_told_before_the_password_is_right() {
    let service = Service::new();
    account(&service).await;
    let wrong = service.login(EMAIL, "wrong password").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let unknown = service.login("nobody@example.com", PASSWORD).await.expect(401);
    assert_eq!(wrong.body["error"], unknown.body["error"]);
}

#[tokio::test]
async fn a_code_works_once_and_so_does_a_token() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let (first, second) = (first_factor(&service).await, first_factor(&service).await);
    let code = app.code(0);
    second_factor(&service, &first, "code", code.as_str()).await.expect(200);
    second_factor(&service, &second, "code", code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(30);
    second_factor(&service, &first, "code", app.code(0)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    second_factor(&service, &second, "code", app.code(0)).await.expect(200);
}

#[tokio::test]
async fn codes_of_neighbouring_steps_are_taken_in_their_order_only() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    service.advance(60);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(1)).await.expect(200);
    for steps in [-1, 0, 1] {
        let token = first_factor(&service).await;
        second_factor(&service, &token, "code", app.code(steps)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    service.advance(90);
    for steps in [-2, 2] {
        let token = first_factor(&service).await;
        second_factor(&service, &token, "code", app.code(steps)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(-1)).await.expect(200);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect(200);
}

#[tokio::test]
async fn a_recovery_code_signs_in_once() {
    let service = Service::new();
    let (_, _, codes) = account(&service).await;
    let token = first_factor(&service).await;
    let reply = second_factor(&service, &token, "recovery_code", codes[3].as_str()).await.expect(200);
    assert_eq!(claims(&reply.tokens().access)["amr"], json!(["pwd", "otp", "mfa"]));
    let left = service.call("GET", "/users/me/mfa", &reply.tokens().access, None).await.expect(200);
    assert_eq!(left.body["recovery_codes_left"], 9);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "recovery_code", codes[3].as_str()).await.expect(401);
    for (index, code) in codes.iter().enumerate().filter(|(index, _)| *index != 3) {
        let token = first_factor(&service).await;
        second_factor(&service, &token, "recovery_code", code.as_str()).await.expect(200);
        let _ = index;
    }
    let reply = service.login(EMAIL, PASSWORD).await.expect(401);
    assert_eq!(reply.body["error"]["details"]["methods"], json!(["totp"]), "all are used");
}

#[tokio::test]
async fn a_token_ends_after_five_minutes_five_wrong_answers_and_a_change_of_the_password() {
    let service = Service::new();
    let (_, app, codes) = account(&service).await;
    let expired = first_factor(&service).await;
    service.advance(300);
    second_factor(&service, &expired, "code", app.code(0)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let guessed = first_factor(&service).await;
    for _ in 0..5 {
        second_factor(&service, &guessed, "recovery_code", "wrong").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    second_factor(&service, &guessed, "recovery_code", codes[0].as_str()).await.expect(401);
    let pending = first_factor(&service).await;
    let tokens = {
        let token = first_factor(&service).await;
        second_factor(&service, &token, "recovery_code", codes[0].as_str()).await.expect(200).tokens()
    };
    let change = json!({"current_password": PASSWORD, "new_password": "another correct horse"});
    service.call("PUT", "/users/me/password", &tokens.access, Some(&change)).await.expect(200);
    second_factor(&service, &pending, "recovery_code", codes[1].as_str()).await.expect(401);
    assert_eq!(
        service.db.one::<i64>("SELECT count(*) FROM used_challenges"),
        2,
        "the answer to a void token leaves no row"
    );
    service.advance(361);
    service.tend().await;
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM used_challenges"), 0);
}

#[tokio::test]
async fn only_the_second_factor_learns_that_the_account_is_disabled() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let before = first_factor(&service).await;
    service.db.execute("UPDATE users SET is_active = 0");
    let token = first_factor(&service).await;
    for token in [&before, &token] {
        second_factor(&service, token, "code", app.wrong_code()).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    second_factor(&service, &token, "code", app.code(0)).await.expect_error(403, "AUTH_INACTIVE_USER");
}

#[tokio::test]
async fn malformed_answers_are_named() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let token = first_factor(&service).await;
    let ask = async |body: Value| service.post("/auth/mfa", &body).await.expect(422).faults();
    let fault = |member: &str, kind: &str| vec![(member.to_owned(), kind.to_owned())];
    assert_eq!(ask(json!({"mfa_token": token})).await, fault("code", "missing"));
    assert_eq!(ask(json!({"code": app.code(0)})).await, fault("mfa_token", "missing"));
    assert_eq!(
        ask(json!({"mfa_token": token, "code": "1", "recovery_code": "2"})).await,
        fault("recovery_code", "value_error")
    );
    assert_eq!(ask(json!({"mfa_token": token, "code": 123_456})).await, fault("code", "type_error"));
    assert_eq!(ask(json!({"mfa_token": token, "passkey": {}})).await, fault("passkey", "value_error"));
    service
        .post("/auth/mfa", &json!({"mfa_token": "x", "code": "1"}))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    second_factor(&service, &token, "code", app.code(0)).await.expect(200);
}

#[tokio::test]
async fn a_step_up_moves_the_sign_in_of_the_token_and_not_that_of_the_session() {
    let service = Service::new();
    let (_, app, codes) = account(&service).await;
    let tokens = sign_in(&service, &app).await;
    service.advance(600);
    let key = json!({"name": "Key", "permissions": ["universities:view"]});
    let refused = service.call("POST", "/users/me/api-keys", &tokens.access, Some(&key)).await;
    let refused = refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(refused.body["error"]["details"], json!({"max_age": 600, "methods": ["totp"]}));
    let step_up = async |body: Value| service.call("POST", "/auth/step-up", &tokens.access, Some(&body)).await;
    // The password alone is not enough, neither there nor beside the request.
    step_up(json!({"password": PASSWORD})).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let with_password = json!({"name": "Key", "permissions": ["universities:view"], "password": PASSWORD});
    let refused = service.call("POST", "/users/me/api-keys", &tokens.access, Some(&with_password)).await;
    refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    step_up(json!({"recovery_code": codes[0]})).await.expect(422);
    step_up(json!({"code": app.wrong_code()})).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let fresh = step_up(json!({"code": app.code(0)})).await.expect(200).body;
    let fresh = fresh["access_token"].as_str().unwrap();
    assert_eq!(claims(fresh)["auth_time"], crate::support::clock().seconds());
    assert_eq!(claims(fresh)["sid"], claims(&tokens.access)["sid"]);
    step_up(json!({"code": app.code(0)})).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.call("POST", "/users/me/api-keys", fresh, Some(&key)).await.expect(201);
    let refreshed = service.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_eq!(claims(&refreshed.access)["auth_time"], claims(&tokens.access)["auth_time"]);
}

#[tokio::test]
async fn a_recent_password_is_no_step_up_for_an_account_with_a_second_factor() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    crate::support::totp::enrol(&service, &first.access).await;
    let refused = service.call("DELETE", "/users/me/mfa/totp", &first.access, None).await;
    refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    service.call("GET", "/users/me/export", &first.access, None).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    service.call("DELETE", "/users/me", &first.access, Some(&json!({"password": PASSWORD}))).await.expect(401);
    let change = json!({"current_password": PASSWORD, "new_password": "another correct horse"});
    let refused = service.call("PUT", "/users/me/password", &first.access, Some(&change)).await;
    refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
}

#[tokio::test]
async fn a_password_steps_an_account_without_a_second_factor_up() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.advance(601);
    service.call("GET", "/users/me/export", &tokens.access, None).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let ask = async |password: &str| {
        service.call("POST", "/auth/step-up", &tokens.access, Some(&json!({"password": password}))).await
    };
    ask("wrong").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let fresh = ask(PASSWORD).await.expect(200).body["access_token"].as_str().unwrap().to_owned();
    service.call("GET", "/users/me/export", &fresh, None).await.expect(200);
    service.call("DELETE", "/users/me", &fresh, None).await.expect(204);
}
