//! Passkeys of a user: the options, registration, list, names and removal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::authenticator::Authenticator;
use crate::support::mail::{VERIFYING, with};
use crate::support::passkey::{
    OPTIONS, ORIGIN, PASSKEYS, PATH, account, creation_options, parsed, present, register, service_with, sign_in,
};
use crate::support::totp::{codes, enrol};
use crate::support::{EMAIL, PASSWORD, Service};

const ADA: &str = EMAIL;
const EVE: &str = "eve@example.com";

fn new_passkey() -> Authenticator {
    Authenticator::new(SignatureAlgorithm::EdDsa)
}

#[tokio::test]
async fn passkeys_of_both_algorithms_are_registered_and_sign_in() {
    for algorithm in [SignatureAlgorithm::EdDsa, SignatureAlgorithm::Es256] {
        let service = service_with(&[]);
        let tokens = service.register(EMAIL).await;
        let mut passkey = Authenticator::new(algorithm);
        let reply = register(&service, &tokens.access, &mut passkey).await.expect(201);
        assert_eq!(codes(&reply).len(), 10);
        let body = reply.body;
        assert_eq!((&body["name"], &body["suspended"]), (&json!("Laptop"), &json!(false)));
        assert!(body["id"].is_i64() && body["created_at"].is_string() && body["last_used_at"].is_null());
        sign_in(&service, &mut passkey).await.expect(200);
        let list = service.get_as(PATH, &tokens.access).await.expect(200).body;
        assert_eq!(list["items"][0]["id"], body["id"]);
        assert!(list["items"][0]["last_used_at"].is_string());
        assert!(list["items"][0].get("recovery_codes").is_none());
        assert_eq!(service.db.one::<String>("SELECT algorithm FROM passkeys"), algorithm.as_str());
    }
}

#[tokio::test]
async fn the_creation_options_have_the_form_that_browsers_parse() {
    let service = service_with(&[("APP_NAME", "Example")]);
    let tokens = service.register(EMAIL).await;
    let name = json!({"full_name": "Ada Lovelace"});
    service.call("PATCH", "/users/me", &tokens.access, Some(&name)).await.expect(200);
    let options = creation_options(&service, &tokens.access).await;
    assert_eq!(options["rp"], json!({"id": "login.example.org", "name": "Example"}));
    assert_eq!((&options["user"]["name"], &options["user"]["displayName"]), (&json!(EMAIL), &json!("Ada Lovelace")));
    let algorithms = options["pubKeyCredParams"].as_array().unwrap();
    let numbers: Vec<_> = algorithms.iter().map(|entry| entry["alg"].as_i64().unwrap()).collect();
    assert_eq!(numbers.len(), 3);
    assert!([-7, -8, -257].iter().all(|number| numbers.contains(number)));
    assert!(algorithms.iter().all(|entry| entry["type"] == "public-key"));
    assert!(BASE64.decode(options["challenge"].as_str().unwrap()).unwrap().len() >= 16);
    assert_eq!((&options["excludeCredentials"], &options["attestation"]), (&json!([]), &json!("none")));
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["timeout"], 300_000);
    let other = creation_options(&service, &tokens.access).await;
    assert_ne!(other["challenge"], options["challenge"]);
}

#[tokio::test]
async fn known_passkeys_are_excluded_and_further_ones_bring_no_codes() {
    let service = service_with(&[]);
    let (_, mut first, _) = account(&service).await;
    let tokens = sign_in(&service, &mut first).await.expect(200).tokens();
    let options = creation_options(&service, &tokens.access).await;
    let id = BASE64.encode(&first.credential_id);
    let known = json!([{"type": "public-key", "id": id, "transports": ["hybrid", "internal"]}]);
    assert_eq!(options["excludeCredentials"], known);
    let second = register(&service, &tokens.access, &mut new_passkey()).await.expect(201);
    assert!(second.body.get("recovery_codes").is_none());
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 2);
}

#[tokio::test]
async fn a_passkey_beside_an_app_brings_no_codes() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let (app, _) = enrol(&service, &tokens.access).await;
    let tokens = crate::support::totp::sign_in(&service, &app).await;
    let reply = register(&service, &tokens.access, &mut new_passkey()).await.expect(201);
    assert!(reply.body.get("recovery_codes").is_none());
}

#[tokio::test]
async fn the_user_handle_is_random_and_the_same_for_all_passkeys_of_a_user() {
    let service = service_with(&[]);
    let (tokens, mut passkey, _) = account(&service).await;
    let handle = |options: &Value| BASE64.decode(options["user"]["id"].as_str().unwrap()).unwrap();
    let fresh = sign_in(&service, &mut passkey).await.expect(200).tokens();
    let first = handle(&creation_options(&service, &fresh.access).await);
    register(&service, &fresh.access, &mut new_passkey()).await.expect(201);
    let fresh = sign_in(&service, &mut passkey).await.expect(200).tokens();
    assert_eq!(handle(&creation_options(&service, &fresh.access).await), first);
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    let eve = service.register(EVE).await;
    let other = handle(&creation_options(&service, &eve.access).await);
    assert_ne!(first, other);
    assert_eq!((first.len(), other.len()), (32, 32), "drawn, so nothing of the account is in it");
}

#[tokio::test]
async fn the_list_is_paged_and_has_own_passkeys_only() {
    let service = service_with(&[]);
    let (_, mut first, _) = account(&service).await;
    let tokens = sign_in(&service, &mut first).await.expect(200).tokens();
    for _ in 0..2 {
        service.advance(1);
        register(&service, &tokens.access, &mut new_passkey()).await.expect(201);
    }
    let eve = service.register(EVE).await;
    let none = service.get_as(PATH, &eve.access).await.expect(200).body;
    assert_eq!(none, json!({"items": [], "next_cursor": null}));
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.get_as(&format!("{PATH}?limit=2{cursor}"), &tokens.access).await.expect(200).body;
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(ids.len(), 2);
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids.len(), 3);
    let stored = service.db.column("SELECT CAST(id AS TEXT) FROM passkeys ORDER BY id");
    assert_eq!(ids.iter().map(i64::to_string).collect::<Vec<_>>(), stored);
}

#[tokio::test]
async fn a_passkey_is_renamed_by_its_owner_alone() {
    let service = service_with(&[]);
    let (tokens, ..) = account(&service).await;
    let id: i64 = service.db.one("SELECT id FROM passkeys");
    let path = format!("{PATH}/{id}");
    let name = json!({"name": "Work laptop"});
    let renamed = service.call("PATCH", &path, &tokens.access, Some(&name)).await.expect(200).body;
    assert_eq!((&renamed["name"], &renamed["id"]), (&json!("Work laptop"), &json!(id)));
    let eve = service.register(EVE).await;
    service.call("PATCH", &path, &eve.access, Some(&name)).await.expect_error(404, "NOT_FOUND");
    service.call("DELETE", &path, &eve.access, None).await.expect_error(404, "NOT_FOUND");
    service.call("PATCH", &format!("{PATH}/99"), &tokens.access, Some(&name)).await.expect_error(404, "NOT_FOUND");
    let wrong = json!({"name": " "});
    service.call("PATCH", &path, &tokens.access, Some(&wrong)).await.expect_error(422, "VALIDATION_ERROR");
    assert_eq!(service.db.one::<String>("SELECT name FROM passkeys"), "Work laptop");
    let events: i64 = service.db.one("SELECT count(*) FROM audit_events WHERE type = 'factor_renamed'");
    assert_eq!(events, 1);
}

#[tokio::test]
async fn a_removed_passkey_signs_in_no_more_and_all_other_sessions_end() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    let other = sign_in(&service, &mut passkey).await.expect(200).tokens();
    let tokens = sign_in(&service, &mut passkey).await.expect(200).tokens();
    let id: i64 = service.db.one("SELECT id FROM passkeys");
    let path = format!("{PATH}/{id}");
    service.call("DELETE", &path, &tokens.access, None).await.expect(204);
    service.me(&other.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&tokens.access).await.expect(200);
    sign_in(&service, &mut passkey).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.call("DELETE", &path, &tokens.access, None).await.expect_error(404, "NOT_FOUND");
    service.login(ADA, PASSWORD).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM recovery_codes"), 0, "of no use without a factor");
}

#[tokio::test]
async fn registering_ends_all_other_sessions() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let other = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    register(&service, &tokens.access, &mut new_passkey()).await.expect(201);
    service.me(&other.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&other.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&tokens.access).await.expect(200);
}

#[tokio::test]
async fn a_known_credential_is_a_conflict_also_for_another_user() {
    let service = service_with(&[]);
    let tokens = service.register(EMAIL).await;
    let mut passkey = new_passkey();
    let options = creation_options(&service, &tokens.access).await;
    let known = parsed(&passkey.register(&options, ORIGIN));
    present(&service, &tokens.access, "Laptop", &known).await.expect(201);
    let mine = sign_in(&service, &mut passkey).await.expect(200).tokens();
    let eve = service.register(EVE).await;
    for access in [&mine.access, &eve.access] {
        let options = creation_options(&service, access).await;
        // An attestation of `none` is not signed, so a copied one can answer another challenge.
        let mut copied = known.clone();
        copied["response"]["clientDataJSON"] =
            parsed(&new_passkey().register(&options, ORIGIN))["response"]["clientDataJSON"].clone();
        present(&service, access, "Copy", &copied).await.expect_error(409, "CONFLICT");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 1);
}

#[tokio::test]
async fn a_user_has_at_most_25_passkeys() {
    let service = service_with(&[]);
    let (_, mut passkey, _) = account(&service).await;
    service.db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 23)
         INSERT INTO passkeys (id, user_id, credential_id, name, algorithm, public_key, sign_count, transports,
                               is_backup_eligible, is_backed_up, created_at)
         SELECT i, 1, printf('%016d', i), 'Key', 'EdDSA', '{}', 0, '[]', 0, 0, 1 FROM n",
    );
    let tokens = sign_in(&service, &mut passkey).await.expect(200).tokens();
    register(&service, &tokens.access, &mut new_passkey()).await.expect(201);
    let refused = register(&service, &tokens.access, &mut new_passkey()).await.expect_error(409, "CONFLICT");
    assert_eq!(refused.body["error"]["message"], "User has too many passkeys");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM passkeys"), 25);
}

#[tokio::test]
async fn where_mail_is_on_a_passkey_needs_a_proven_address() {
    let service = with(VERIFYING, PASSKEYS);
    let tokens = service.register(EMAIL).await;
    let refused = service.call("POST", OPTIONS, &tokens.access, None).await;
    refused.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let options = creation_options(&service, &tokens.access).await;
    let credential = parsed(&new_passkey().register(&options, ORIGIN));
    service.db.execute("UPDATE users SET email_verified_at = NULL");
    let refused = present(&service, &tokens.access, "Laptop", &credential).await;
    refused.expect_error(403, "AUTH_EMAIL_NOT_VERIFIED");
    service.db.execute("UPDATE users SET email_verified_at = 1");
    present(&service, &tokens.access, "Laptop", &credential).await.expect(201);
}

#[tokio::test]
async fn a_deployment_without_an_rp_id_has_no_ceremonies() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let credential = json!({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {
        "clientDataJSON": "AAAA", "attestationObject": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA",
    }});
    service.call("POST", OPTIONS, &tokens.access, None).await.expect_error(404, "NOT_FOUND");
    present(&service, &tokens.access, "Laptop", &credential).await.expect_error(404, "NOT_FOUND");
    service.post("/auth/passkey/options", &json!({})).await.expect_error(404, "NOT_FOUND");
    let body = json!({"flow": "AAAA", "credential": credential});
    service.post("/auth/passkey", &body).await.expect_error(404, "NOT_FOUND");
    service.get("/.well-known/webauthn").await.expect_error(404, "NOT_FOUND");
    // Passkeys of the time before can be seen and removed.
    service.get_as(PATH, &tokens.access).await.expect(200);
}

#[tokio::test]
async fn related_origins_are_published_and_each_of_them_registers() {
    let origins = r#"["https://login.example.org", "https://app.example.org"]"#;
    let service = Service::with(&[("WEBAUTHN_RP_ID", "example.org"), ("WEBAUTHN_ORIGINS", origins)]);
    let published = service.get("/.well-known/webauthn").await.expect(200);
    assert_eq!(published.body["origins"], parsed(origins));
    for (name, origin, status) in [
        ("a@example.com", "https://login.example.org", 201),
        ("b@example.com", "https://app.example.org", 201),
        ("c@example.com", "https://other.example.org", 422),
    ] {
        let tokens = service.register(name).await;
        let options = creation_options(&service, &tokens.access).await;
        assert_eq!(options["rp"]["id"], "example.org");
        let credential = parsed(&new_passkey().register(&options, origin));
        present(&service, &tokens.access, "Laptop", &credential).await.expect(status);
    }
}
