//! Second factors where every writing batch is executed twice, because the answer to the first execution was lost: the same
//! statuses, rows and events as without the loss.

use std::sync::Arc;

use edge_auth::domain::public_key::SignatureAlgorithm;
use edge_auth::ports::Db;
use serde_json::{Value, json};

use crate::lost_answers::LostAnswers;
use crate::support::authenticator::Authenticator;
use crate::support::passkey::{ORIGIN, PASSKEYS, PATH, parsed, register, sign_in};
use crate::support::sqlite::Sqlite;
use crate::support::totp::{App, codes, first_factor, second_factor};
use crate::support::{EMAIL, PASSWORD, Service};

fn service(is_lossy: bool) -> Service {
    let db = Arc::new(Sqlite::migrated());
    let port: Arc<dyn Db> =
        if is_lossy { Arc::new(LostAnswers(Arc::clone(&db))) } else { Arc::clone(&db) as Arc<dyn Db> };
    Service::on(db, port, PASSKEYS)
}

/// The rows that do not depend on random values.
fn state(service: &Service) -> Vec<String> {
    // One after another: D1 takes five terms of a compound SELECT at most.
    let parts = [
        "SELECT 'event ' || type || ' ' || coalesce(reason, '') || ' ' || coalesce(count, 1) FROM audit_events",
        "SELECT 'session ' || user_id || ' ' || count(*) FROM sessions GROUP BY user_id",
        "SELECT 'totp ' || user_id || ' ' || is_confirmed || ' ' || coalesce(used_step, 0) FROM totp_secrets",
        "SELECT 'codes ' || length(hashes) / 65 FROM recovery_codes",
        "SELECT 'passkey ' || name || ' ' || sign_count || ' ' || coalesce(last_used_at, 0) FROM passkeys",
        "SELECT 'challenge ' || failures || ' ' || coalesce(used_at, 0) FROM used_challenges",
        "SELECT 'throttle ' || key || ' ' || failures FROM throttles WHERE key LIKE '%factor%'",
    ];
    let mut rows: Vec<String> = parts.iter().flat_map(|sql| service.db.column(sql)).collect();
    rows.sort();
    rows
}

/// Every operation of second factors, in an order in which each of them succeeds. Returns the state behind each.
async fn run(service: &Service) -> Vec<(String, Vec<String>)> {
    let mut states = Vec::new();
    let mut note = |step: &str| {
        states.push((step.to_owned(), state(service)));
        service.advance(30);
    };
    let call = async |method: &str, path: &str, access: &str, body: Value, status: u16| {
        let body = (!body.is_null()).then_some(body);
        service.call(method, path, access, body.as_ref()).await.expect(status)
    };
    let first = service.register(EMAIL).await.access;
    let offer = call("POST", "/users/me/mfa/totp", &first, Value::Null, 201).await;
    note("enrolment");
    let app = App::of(offer.body["secret"].as_str().unwrap());
    let confirmed = call("POST", "/users/me/mfa/totp/confirm", &first, json!({"code": app.code(0)}), 200).await;
    note("confirmation");
    let token = first_factor(service).await;
    second_factor(service, &token, "code", app.wrong_code()).await.expect(401);
    note("wrong code");
    let tokens = second_factor(service, &token, "code", app.code(0)).await.expect(200).tokens();
    service.me(&tokens.access).await.expect(200);
    note("sign-in with a code");
    let token = first_factor(service).await;
    second_factor(service, &token, "recovery_code", codes(&confirmed)[0].as_str()).await.expect(200);
    note("sign-in with a recovery code");
    let fresh = call("POST", "/auth/step-up", &first, json!({"code": app.code(0)}), 200).await.body;
    let fresh = fresh["access_token"].as_str().unwrap().to_owned();
    note("step-up");
    let mut passkey = Authenticator::new(SignatureAlgorithm::Es256);
    let added = register(service, &fresh, &mut passkey).await.expect(201);
    assert!(added.body.get("recovery_codes").is_none());
    note("registration");
    let path = format!("{PATH}/{}", added.body["id"]);
    call("PATCH", &path, &fresh, json!({"name": "Work"}), 200).await;
    note("renaming");
    let tokens = sign_in(service, &mut passkey).await.expect(200).tokens();
    service.refresh(&tokens.refresh).await.expect(200);
    note("sign-in with a passkey");
    let details = service.login(EMAIL, PASSWORD).await.expect(401).body["error"]["details"].clone();
    let assertion = parsed(&passkey.authenticate(&details["passkey_options"], ORIGIN));
    second_factor(service, details["mfa_token"].as_str().unwrap(), "passkey", assertion).await.expect(200);
    note("passkey behind a password");
    call("POST", "/users/me/mfa/recovery-codes", &tokens.access, Value::Null, 200).await;
    note("new codes");
    service.db.execute("UPDATE passkeys SET suspended_at = 1");
    call("POST", "/users/me/factors/confirm", &tokens.access, Value::Null, 200).await;
    note("confirmation of suspended factors");
    call("DELETE", "/users/me/mfa/totp", &tokens.access, Value::Null, 204).await;
    note("removal of the app");
    call("DELETE", &path, &tokens.access, Value::Null, 204).await;
    note("removal of the passkey");
    let again = register(service, &tokens.access, &mut passkey).await.expect(201);
    assert_eq!(codes(&again).len(), 10);
    note("registration of a first factor");
    let root = service.register("root@example.com").await.access;
    service.db.execute("INSERT INTO user_university_roles (user_id, role, created_at) VALUES (2, 'PLATFORM_ADMIN', 1)");
    call("DELETE", "/admin/users/1/mfa", &root, Value::Null, 204).await;
    note("reset by an administrator");
    states
}

#[tokio::test]
async fn a_lost_answer_changes_nothing() {
    let expected = run(&service(false)).await;
    let found = run(&service(true)).await;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), 16);
}
