//! Passkeys as a second factor after the password, and for step-up; and the last way in.

use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::{Authenticator, Twist};
use crate::support::passkey::{
    ORIGIN, PATH, account, answer, claims, creation_options, interleaving, parsed, present, register, service_with,
    sign_in, start,
};
use crate::support::totp::{enrol, second_factor};
use crate::support::{EMAIL, PASSWORD, Reply, Service};
use crate::throttle_networks::{HOME, end_waits, network};

/// The details of a sign-in that waits for its second factor.
async fn pending(service: &Service) -> Value {
    let reply = service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
    reply.body["error"]["details"].clone()
}

async fn complete(service: &Service, details: &Value, credential: &str) -> Reply {
    second_factor(service, details["mfa_token"].as_str().unwrap(), "passkey", parsed(credential)).await
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_from_the_first_one_on() {
    let service = service_with(&[]);
    let (_, mut passkey, codes) = account(&service).await;
    let details = pending(&service).await;
    assert_eq!(details["methods"], json!(["passkey", "recovery_code"]));
    let options = &details["passkey_options"];
    let id = service.db.one::<String>("SELECT credential_id FROM passkeys");
    let allowed = json!([{"type": "public-key", "id": id, "transports": ["hybrid", "internal"]}]);
    assert_eq!((&options["allowCredentials"], &options["rpId"]), (&allowed, &json!("login.example.org")));
    assert_eq!(options["userVerification"], "required");
    let credential = passkey.authenticate(options, ORIGIN);
    let reply = complete(&service, &details, &credential).await.expect(200);
    assert_eq!(claims(&reply.tokens().access)["amr"], json!(["pwd", "hwk", "mfa"]));
    assert!(reply.body["device_token"].is_string());
    complete(&service, &details, &credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let details = pending(&service).await;
    let token = details["mfa_token"].as_str().unwrap();
    second_factor(&service, token, "recovery_code", codes[0].as_str()).await.expect(200);
}

#[tokio::test]
async fn an_app_and_a_passkey_are_both_offered_and_neither_locks_the_other() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let (app, _) = enrol(&service, &tokens.access).await;
    let tokens = crate::support::totp::sign_in(&service, &app).await;
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &tokens.access, &mut passkey).await.expect(201);
    for _ in 0..6 {
        let details = pending(&service).await;
        assert_eq!(details["methods"], json!(["totp", "passkey", "recovery_code"]));
        let token = details["mfa_token"].as_str().unwrap();
        second_factor(&service, token, "code", app.wrong_code()).await.expect(401);
    }
    let details = pending(&service).await;
    let credential = passkey.authenticate(&details["passkey_options"], ORIGIN);
    complete(&service, &details, &credential).await.expect(200);
}

#[tokio::test]
async fn a_passkey_answers_the_sign_in_that_its_challenge_is_for() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let (one, other) = (pending(&service).await, pending(&service).await);
    let credential = passkey.authenticate(&other["passkey_options"], ORIGIN);
    complete(&service, &one, &credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let started = start(&service).await;
    let discoverable = passkey.authenticate(&started["options"], ORIGIN);
    complete(&service, &one, &discoverable).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // The challenge of a pending sign-in opens nothing without the password's token.
    let flow = &other["passkey_options"]["challenge"];
    answer(&service, flow, &credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    complete(&service, &other, &credential).await.expect(200);
}

#[tokio::test]
async fn wrong_passkeys_complete_nothing_and_a_user_handle_may_be_absent() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let details = pending(&service).await;
    for twist in [
        Twist { breaks_signature: true, ..Twist::default() },
        Twist { origin: Some("https://evil.example"), ..Twist::default() },
        Twist { flags: Some(1), ..Twist::default() },
        Twist { user_handle: Some(vec![7; 32]), ..Twist::default() },
    ] {
        passkey.twist = twist.clone();
        let credential = passkey.authenticate(&details["passkey_options"], ORIGIN);
        let refused = complete(&service, &details, &credential).await;
        assert_eq!(refused.status, 401, "{twist:?}");
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1);
    passkey.twist = Twist { omits_user_handle: true, ..Twist::default() };
    let credential = passkey.authenticate(&details["passkey_options"], ORIGIN);
    complete(&service, &details, &credential).await.expect(200);
}

#[tokio::test]
async fn the_passkey_of_another_account_is_no_second_factor() {
    let service = service_with(&[]);
    account(&service).await;
    let eve = service.register("eve@example.com").await;
    let mut of_eve = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &eve.access, &mut of_eve).await.expect(201);
    let details = pending(&service).await;
    let mut options = details["passkey_options"].clone();
    options["allowCredentials"] = json!([]);
    let credential = of_eve.authenticate(&options, ORIGIN);
    complete(&service, &details, &credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn of_two_concurrent_completions_one_signs_in() {
    let service = interleaving(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let details = pending(&service).await;
    let [one, other] = [0, 1].map(|_| passkey.authenticate(&details["passkey_options"], ORIGIN));
    let (first, second) = tokio::join!(complete(&service, &details, &one), complete(&service, &details, &other));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 2);
}

#[tokio::test]
async fn a_passkey_steps_up_once_per_challenge() {
    let service = service_with(&[]);
    let (tokens, mut passkey, _) = account(&service).await;
    let export = async |access: &str| service.call("GET", "/users/me/export", access, None).await;
    let refused = export(&tokens.access).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let details = &refused.body["error"]["details"];
    assert_eq!((&details["methods"], &details["max_age"]), (&json!(["passkey"]), &json!(600)));
    let options = &details["passkey_options"];
    let step_up = async |credential: &str| {
        let body = json!({"passkey": parsed(credential)});
        service.call("POST", "/auth/step-up", &tokens.access, Some(&body)).await
    };
    passkey.twist.breaks_signature = true;
    step_up(&passkey.authenticate(options, ORIGIN)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    passkey.twist = Twist::default();
    let started = start(&service).await;
    let foreign = passkey.authenticate(&started["options"], ORIGIN);
    step_up(&foreign).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let credential = passkey.authenticate(options, ORIGIN);
    let fresh = step_up(&credential).await.expect(200).body["access_token"].as_str().unwrap().to_owned();
    step_up(&credential).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(claims(&fresh)["amr"], json!(["pwd", "hwk", "mfa"]));
    export(&fresh).await.expect(200);
    // The challenge of a step-up signs no user in.
    let other = export(&tokens.access).await.expect(401).body["error"]["details"]["passkey_options"].clone();
    let assertion = passkey.authenticate(&other, ORIGIN);
    answer(&service, &other["challenge"], &assertion).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn the_step_up_challenge_of_one_user_is_none_of_another() {
    let service = service_with(&[]);
    let (tokens, mut passkey, _) = account(&service).await;
    let eve = service.register("eve@example.com").await;
    let mut of_eve = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &eve.access, &mut of_eve).await.expect(201);
    let refused = service.call("GET", "/users/me/export", &eve.access, None).await.expect(401);
    let mut options = refused.body["error"]["details"]["passkey_options"].clone();
    options["allowCredentials"] = json!([]);
    for credential in [passkey.authenticate(&options, ORIGIN), of_eve.authenticate(&options, ORIGIN)] {
        let body = json!({"passkey": parsed(&credential)});
        let refused = service.call("POST", "/auth/step-up", &tokens.access, Some(&body)).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

/// A hundred wrong passwords close an account to unknown networks. Its owner opens it again with a passkey.
#[tokio::test]
async fn a_passkey_admits_unknown_networks_again() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let from = async |ip: &str, password: &str| {
        service.post_from(ip, "/auth/login", &json!({"email": EMAIL, "password": password})).await
    };
    for number in 0..100 {
        end_waits(&service);
        from(&network(number), "wrong password").await.expect(401);
    }
    from(&network(500), PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let started = start(&service).await;
    let credential = parsed(&passkey.authenticate(&started["options"], ORIGIN));
    let body = json!({"flow": started["flow"], "credential": credential});
    service.post_from(HOME, "/auth/passkey", &body).await.expect(200);
    from(&network(501), PASSWORD).await.expect_error(401, "AUTH_MFA_REQUIRED");
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let first: i64 = service.db.one("SELECT id FROM passkeys");
    service.db.execute("UPDATE users SET has_password = 0");
    let tokens = sign_in(&service, &mut passkey).await.expect(200).tokens();
    let remove = async |id: i64| service.call("DELETE", &format!("{PATH}/{id}"), &tokens.access, None).await;
    remove(first).await.expect_error(409, "CONFLICT");
    let root = service.register("root@example.com").await;
    service.db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (2, 'PLATFORM_ADMIN', 1)");
    let reset = async || service.call("DELETE", "/admin/users/1/mfa", &root.access, None).await;
    reset().await.expect_error(409, "CONFLICT");
    service.me(&tokens.access).await.expect(200);
    // An app is no way in by itself.
    let (_, codes) = enrol(&service, &tokens.access).await;
    assert_eq!(codes.len(), 10);
    remove(first).await.expect_error(409, "CONFLICT");
    let options = creation_options(&service, &tokens.access).await;
    let credential = parsed(&Authenticator::new(SignatureAlgorithm::EdDsa).register(&options, ORIGIN));
    let second =
        present(&service, &tokens.access, "Second", &credential).await.expect(201).body["id"].as_i64().unwrap();
    // A suspended passkey does not sign in.
    service.db.execute(&format!("UPDATE passkeys SET suspended_at = 1 WHERE id = {second}"));
    remove(first).await.expect_error(409, "CONFLICT");
    service.db.execute("UPDATE passkeys SET suspended_at = NULL");
    remove(first).await.expect(204);
    remove(second).await.expect_error(409, "CONFLICT");
    reset().await.expect_error(409, "CONFLICT");
    service.db.execute("UPDATE users SET has_password = 1");
    reset().await.expect(204);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 0);
}

#[tokio::test]
async fn two_concurrent_removals_leave_a_way_in() {
    let service = interleaving(&[]);
    let (_, mut first, _) = account(&service).await;
    let tokens = sign_in(&service, &mut first).await.expect(200).tokens();
    register(&service, &tokens.access, &mut Authenticator::new(SignatureAlgorithm::EdDsa)).await.expect(201);
    service.db.execute("UPDATE users SET has_password = 0");
    let ids = service.db.column("SELECT CAST(id AS TEXT) FROM passkeys");
    let paths: Vec<_> = ids.iter().map(|id| format!("{PATH}/{id}")).collect();
    let (one, other) = tokio::join!(
        service.call("DELETE", &paths[0], &tokens.access, None),
        service.call("DELETE", &paths[1], &tokens.access, None)
    );
    assert_eq!((one.status, other.status), (204, 409));
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 1);
}
