//! Authenticator apps: enrolment in two steps, replacement, removal, and encryption at rest.

use std::sync::Arc;

use edge_auth::ports::Db;
use serde_json::json;

use crate::support::totp::{App, account, codes, enrol, first_factor, second_factor, sign_in};
use crate::support::{EMAIL, PASSWORD, SECRET, Service};

const TOTP: &str = "/users/me/mfa/totp";
const CONFIRM: &str = "/users/me/mfa/totp/confirm";

#[tokio::test]
async fn an_app_is_enrolled_with_its_first_code() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let none = service.call("GET", "/users/me/mfa", &tokens.access, None).await.expect(200);
    assert_eq!(none.body, json!({"totp": null, "recovery_codes_left": 0}));
    let offer = service.call("POST", TOTP, &tokens.access, None).await.expect(201).body;
    let secret = offer["secret"].as_str().unwrap();
    let uri = offer["otpauth_uri"].as_str().unwrap();
    assert!(secret.len() == 32 && uri.starts_with("otpauth://totp/edge-auth:ada%40example.com?secret="), "{uri}");
    assert!(uri.contains(secret) && offer["qr_svg"].as_str().unwrap().starts_with("<svg"));
    // The secret that waits is none yet.
    service.login(EMAIL, PASSWORD).await.expect(200);
    let app = App::of(secret);
    let wrong = json!({"code": app.wrong_code()});
    let refused = service.call("POST", CONFIRM, &tokens.access, Some(&wrong)).await.expect(422);
    assert_eq!(refused.faults(), [("code".to_owned(), "value_error".to_owned())]);
    let right = json!({"code": app.code(0)});
    let confirmed = service.call("POST", CONFIRM, &tokens.access, Some(&right)).await.expect(200);
    assert_eq!(codes(&confirmed).len(), 10);
    service.call("POST", CONFIRM, &tokens.access, Some(&right)).await.expect_error(409, "CONFLICT");
    let one = service.call("GET", "/users/me/mfa", &tokens.access, None).await.expect(200).body;
    assert_eq!((one["recovery_codes_left"].as_i64(), one["totp"]["suspended"].as_bool()), (Some(10), Some(false)));
    // The confirming code is used.
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn enrolling_and_removing_an_app_end_all_other_sessions() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let other = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let (app, _) = enrol(&service, &tokens.access).await;
    service.me(&other.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&tokens.access).await.expect(200);
    let other = sign_in(&service, &app).await;
    let fresh = sign_in(&service, &app).await;
    service.call("DELETE", TOTP, &fresh.access, None).await.expect(204);
    service.me(&other.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.call("DELETE", TOTP, &fresh.access, None).await.expect_error(404, "NOT_FOUND");
    service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM recovery_codes"), 0, "of no use without a factor");
    let events =
        service.db.column("SELECT type || ' ' || reason FROM audit_events WHERE type LIKE 'factor%' ORDER BY id");
    assert_eq!(events, ["factor_added totp", "factor_removed totp"]);
}

#[tokio::test]
async fn another_app_replaces_the_former_one_when_it_is_confirmed() {
    let service = Service::new();
    let (_, former, former_codes) = account(&service).await;
    let tokens = sign_in(&service, &former).await;
    let offer = service.call("POST", TOTP, &tokens.access, None).await.expect(201).body;
    let app = App::of(offer["secret"].as_str().unwrap());
    sign_in(&service, &former).await;
    let pending = first_factor(&service).await;
    let refused = second_factor(&service, &pending, "code", app.code(0)).await;
    refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let confirm = json!({"code": app.code(0)});
    service.call("POST", CONFIRM, &tokens.access, Some(&confirm)).await.expect(200);
    service.advance(30);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", former.code(0)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    second_factor(&service, &token, "recovery_code", former_codes[0].as_str()).await.expect(401);
    second_factor(&service, &token, "code", app.code(0)).await.expect(200);
}

#[tokio::test]
async fn an_offer_that_was_replaced_confirms_nothing() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let first = service.call("POST", TOTP, &tokens.access, None).await.expect(201).body;
    service.call("POST", TOTP, &tokens.access, None).await.expect(201);
    let stale = json!({"code": App::of(first["secret"].as_str().unwrap()).code(0)});
    service.call("POST", CONFIRM, &tokens.access, Some(&stale)).await.expect_error(422, "VALIDATION_ERROR");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM totp_secrets"), 1);
}

#[tokio::test]
async fn nothing_that_is_stored_can_be_presented() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let offer = service.call("POST", TOTP, &tokens.access, None).await.expect(201).body;
    let secret = offer["secret"].as_str().unwrap();
    let app = App::of(secret);
    let confirm = json!({"code": app.code(0)});
    let codes = codes(&service.call("POST", CONFIRM, &tokens.access, Some(&confirm)).await.expect(200));
    let stored =
        service.db.column("SELECT secret FROM totp_secrets UNION ALL SELECT hashes FROM recovery_codes").join("\n");
    assert!(!stored.contains(secret));
    assert!(codes.iter().all(|code| !stored.contains(code) && !stored.contains(&code.replace('-', ""))));
    for line in service.log_lines() {
        assert!(!line.contains(secret) && codes.iter().all(|code| !line.contains(code)));
    }
    // A ciphertext is valid in its own row only. That is a fault of the service, and no wrong code.
    service.db.execute("UPDATE totp_secrets SET id = id + 1");
    service.advance(30);
    let token = first_factor(&service).await;
    second_factor(&service, &token, "code", app.code(0)).await.expect_error(500, "INTERNAL_ERROR");
    second_factor(&service, &token, "recovery_code", codes[0].as_str()).await.expect(200);
}

#[tokio::test]
async fn new_recovery_codes_replace_all() {
    let service = Service::new();
    let (_, app, former) = account(&service).await;
    let tokens = sign_in(&service, &app).await;
    let path = "/users/me/mfa/recovery-codes";
    let fresh = codes(&service.call("POST", path, &tokens.access, None).await.expect(200));
    let token = first_factor(&service).await;
    second_factor(&service, &token, "recovery_code", former[0].as_str()).await.expect(401);
    second_factor(&service, &token, "recovery_code", fresh[0].to_lowercase().replace('-', " ")).await.expect(200);
    service.call("DELETE", TOTP, &tokens.access, None).await.expect(204);
    service.call("POST", path, &tokens.access, None).await.expect_error(409, "CONFLICT");
}

#[tokio::test]
async fn an_administrator_removes_the_factors_of_a_user_that_lost_them() {
    let service = Service::new();
    let (user, ..) = account(&service).await;
    let root = service.register("root@example.com").await;
    service.db.execute(
        "INSERT INTO user_university_roles (user_id, role, created_at)
         SELECT id, 'PLATFORM_ADMIN', 1 FROM users WHERE email = 'root@example.com'",
    );
    service.call("DELETE", "/admin/users/1/mfa", &user.access, None).await.expect(403);
    service.call("DELETE", "/admin/users/1/mfa", &root.access, None).await.expect(204);
    service.me(&user.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.login(EMAIL, PASSWORD).await.expect(200);
    service.call("DELETE", "/admin/users/99/mfa", &root.access, None).await.expect_error(404, "NOT_FOUND");
    let actor: i64 = service.db.one("SELECT actor_id FROM audit_events WHERE type = 'factors_reset'");
    assert_eq!(actor, 2);
    service.advance(601);
    service.call("DELETE", "/admin/users/1/mfa", &root.access, None).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
}

#[tokio::test]
async fn secrets_are_encrypted_anew_by_the_cron_trigger_alone() {
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let key = || service.db.one::<String>("SELECT encrypted_by FROM totp_secrets");
    let former = key();
    let settings = [("SECRET_KEY", "another secret of 32 characters!"), ("SECRET_KEY_PREVIOUS", SECRET)];
    let next = Service::on(Arc::clone(&service.db), Arc::clone(&service.db) as Arc<dyn Db>, &settings);
    next.advance(60);
    sign_in(&next, &app).await;
    assert_eq!(key(), former);
    next.send_mails().await;
    assert_ne!(key(), former);
    sign_in(&next, &app).await;
}
