//! Devices that remember a second factor (`REMEMBER_DEVICE_DAYS`), and the code that the first factor of some roles needs.

use serde_json::{Value, json};

use crate::support::factors::waiting_administrator;
use crate::support::mail::{settle, wrong_code};
use crate::support::totp::{App, account, enrol, first_factor, second_factor};
use crate::support::{EMAIL, PASSWORD, Reply, Service};

const DAY: i64 = 24 * 3600;

async fn login_from(service: &Service, device_token: &str) -> Reply {
    let body = json!({"email": EMAIL, "password": PASSWORD, "device_token": device_token});
    service.post("/auth/login", &body).await
}

async fn remembered(service: &Service, app: &App) -> String {
    let token = first_factor(service).await;
    let reply = second_factor(service, &token, "code", app.code(0)).await.expect(200);
    service.advance(30);
    reply.body["device_token"].as_str().unwrap().to_owned()
}

fn amr(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["amr"].clone()
}

#[tokio::test]
async fn a_device_is_asked_again_after_the_days_of_the_setting() {
    let service = Service::with(&[("REMEMBER_DEVICE_DAYS", "7")]);
    let (_, app, _) = account(&service).await;
    let device = remembered(&service, &app).await;
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let reply = login_from(&service, &device).await.expect(200);
    assert_eq!(amr(&reply.tokens().access), json!(["pwd"]), "it stands for no second factor afterwards");
    service
        .call("GET", "/users/me/export", &reply.tokens().access, None)
        .await
        .expect_error(401, "AUTH_STEP_UP_REQUIRED");
    // The token of the reply remembers the same moment, so the days are not extended.
    let next = reply.body["device_token"].as_str().unwrap().to_owned();
    service.advance(7 * DAY - 60);
    login_from(&service, &next).await.expect(200);
    service.advance(60);
    login_from(&service, &next).await.expect_error(401, "AUTH_MFA_REQUIRED");
}

#[tokio::test]
async fn a_device_forgets_with_a_new_password_and_a_new_factor_and_knows_one_account() {
    let service = Service::with(&[("REMEMBER_DEVICE_DAYS", "7")]);
    let (_, app, _) = account(&service).await;
    let other = service.register("other@example.com").await;
    let of_other = service.login("other@example.com", PASSWORD).await.expect(200).body["device_token"].clone();
    login_from(&service, of_other.as_str().unwrap()).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let device = remembered(&service, &app).await;
    let token = first_factor(&service).await;
    let tokens = second_factor(&service, &token, "code", app.code(0)).await.expect(200).tokens();
    enrol(&service, &tokens.access).await;
    login_from(&service, &device).await.expect_error(401, "AUTH_MFA_REQUIRED");
    service.db.execute("UPDATE totp_secrets SET created_at = 1");
    login_from(&service, &device).await.expect(200);
    service.db.execute("UPDATE users SET password_version = password_version + 1");
    login_from(&service, &device).await.expect_error(401, "AUTH_MFA_REQUIRED");
    service.me(&other.access).await.expect(200);
}

#[tokio::test]
async fn no_device_remembers_unless_the_setting_says_so() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let device = remembered(&service, &app).await;
    login_from(&service, &device).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let body = device.split('.').nth(1).unwrap().to_owned();
    assert!(!body.contains("auth_time"));
}

#[tokio::test]
async fn the_first_factor_of_a_role_that_needs_one_takes_a_mailed_code() {
    let (service, root) = waiting_administrator().await;
    let enrolment =
        async |body: Option<Value>| service.call("POST", "/users/me/mfa/totp", &root.access, body.as_ref()).await;
    for path in ["/users/me/mfa/totp", "/users/me/passkeys/options"] {
        let refused = service.call("POST", path, &root.access, None).await.expect_error(403, "FORBIDDEN");
        assert_eq!(refused.body["error"]["details"], json!({"required": "email_code"}), "{path}");
    }
    let asked = service.call("POST", "/users/me/mfa/email-code", &root.access, None).await.expect(202);
    let flow = asked.body["flow"].as_str().unwrap();
    settle().await;
    let letter = service.mailbox.take_one();
    assert_eq!(letter.subject(), "Your code for a second factor at edge-auth");
    let wrong = wrong_code(&letter.code());
    enrolment(Some(json!({"flow": flow, "code": wrong}))).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    enrolment(Some(json!({"flow": flow}))).await.expect(422);
    let offer = enrolment(Some(json!({"flow": flow, "code": letter.code()}))).await.expect(201);
    let app = App::of(offer.body["secret"].as_str().unwrap());
    let again = enrolment(Some(json!({"flow": flow, "code": letter.code()}))).await;
    again.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let confirm = json!({"code": app.code(0)});
    service.call("POST", "/users/me/mfa/totp/confirm", &root.access, Some(&confirm)).await.expect(200);
    // A code that was mailed to another account is none.
    let eve = service.register("eve@example.com").await;
    service.db.execute(
        "UPDATE users SET email_verified_at = 1;
         INSERT INTO user_university_roles (user_id, role, created_at) VALUES (2, 'PLATFORM_ADMIN', 1)",
    );
    let stolen = json!({"flow": flow, "code": letter.code()});
    let refused = service.call("POST", "/users/me/mfa/totp", &eve.access, Some(&stolen)).await;
    refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}
