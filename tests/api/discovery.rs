//! The documents below `/.well-known/`: the key set and the metadata of the service.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::key_rotation::decoded;
use crate::signing_keys::{EDDSA, command, isolate, key_set};
use crate::support::sqlite::Sqlite;
use crate::support::{EMAIL, PASSWORD, Service};

const URL: &str = "https://auth.example.com";

#[tokio::test]
async fn the_documents_are_cached_and_readable_by_pages_of_every_origin() {
    let service = Service::with(&[
        ("ALGORITHM", "EdDSA"),
        ("PUBLIC_URL", URL),
        ("BACKEND_CORS_ORIGINS", r#"["https://app.example.com"]"#),
    ]);
    for (path, cached) in [
        ("/.well-known/jwks.json", "public, max-age=300, stale-while-revalidate=3600"),
        ("/.well-known/oauth-authorization-server", "public, max-age=300"),
    ] {
        for origin in ["https://app.example.com", "https://stranger.example"] {
            let request = Request::get(path).header("Origin", origin).body(Body::empty()).unwrap();
            let reply = service.send(request).await.expect(200);
            assert_eq!(reply.header("Access-Control-Allow-Origin"), Some("*"));
            assert_eq!(reply.header("Access-Control-Allow-Credentials"), None);
            assert_eq!(reply.header("Cache-Control"), Some(cached));
            let tag = reply.header("ETag").unwrap().to_owned();
            let request = Request::get(path).header("If-None-Match", tag).body(Body::empty()).unwrap();
            let reply = service.send(request).await.expect(304);
            assert_eq!((reply.header("Cache-Control"), reply.text.as_str()), (Some(cached), ""));
        }
        service.get(&format!("{path}?utm_source=x")).await.expect(200);
        service.post(path, &json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn the_metadata_name_addresses_of_the_setting_and_never_of_the_request() {
    let service = Service::with(&[("PUBLIC_URL", URL), ("ALGORITHM", "ES256")]);
    let request = Request::get("/.well-known/oauth-authorization-server").header("Host", "attacker.example");
    let metadata = service.send(request.body(Body::empty()).unwrap()).await.expect(200).body;
    assert_eq!(metadata["issuer"], URL);
    assert_eq!(metadata["jwks_uri"], "https://auth.example.com/.well-known/jwks.json");
    let tokens = service.register(EMAIL).await;
    assert_eq!(decoded(&tokens.access).1["iss"], URL);
    let without = Service::new();
    without.get("/.well-known/oauth-authorization-server").await.expect_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn with_a_base_path_the_key_set_is_below_it_and_the_metadata_before_it() {
    let url = format!("{URL}/api/v1");
    let service = Service::with(&[("PUBLIC_URL", &url), ("BASE_PATH", "/api/v1"), ("ALGORITHM", "EdDSA")]);
    let metadata = service.get("/.well-known/oauth-authorization-server/api/v1").await.expect(200).body;
    assert_eq!(metadata["issuer"], url.as_str());
    let key_set = metadata["jwks_uri"].as_str().unwrap().strip_prefix(URL).unwrap().to_owned();
    service.get(&key_set).await.expect(200);
    service.get("/.well-known/oauth-authorization-server").await.expect(404);
}

#[tokio::test]
async fn a_public_url_signs_no_one_out() {
    let db = Arc::new(Sqlite::migrated());
    let before = isolate(&db, &[]);
    let reply = before.login(EMAIL, PASSWORD).await;
    assert_eq!(reply.status, 401);
    let tokens = before.register(EMAIL).await;
    let after = isolate(&db, &[("PUBLIC_URL", URL)]);
    after.me(&tokens.access).await.expect(200);
    let refreshed = after.refresh(&tokens.refresh).await.expect(200).tokens();
    assert_eq!(decoded(&refreshed.access).1["iss"], URL);
    after.me(&refreshed.access).await.expect(200);
    // The former issuer has a name of its own.
    let named = isolate(&db, &[("JWT_ISSUER", "https://old.example")]);
    let tokens = named.login(EMAIL, PASSWORD).await.expect(200).tokens();
    after.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    let renamed = isolate(&db, &[("PUBLIC_URL", URL), ("JWT_ISSUER_PREVIOUS", "https://old.example")]);
    renamed.me(&tokens.access).await.expect(200);
}

#[tokio::test]
async fn the_key_set_is_served_while_the_database_is_down() {
    let (service, port) = crate::breaker::flaky(&[("ALGORITHM", "EdDSA")]);
    let set = key_set(&service).await;
    port.fail(true);
    assert_eq!(key_set(&service).await, set);
    for seconds in [61, 10, 601, 3600] {
        service.advance(seconds);
        assert_eq!(key_set(&service).await, set, "after {seconds} s");
    }
    let (cold, port) = crate::breaker::flaky(&[("ALGORITHM", "EdDSA")]);
    port.fail(true);
    cold.get("/.well-known/jwks.json").await.expect_error(503, "SERVICE_UNAVAILABLE");
}

/// Caches of resource servers keep a key set for 5 minutes. An isolate that sees no tokens adds a minute at most.
#[tokio::test]
async fn a_key_that_another_isolate_revoked_is_published_for_a_minute_at_most() {
    let db = Arc::new(Sqlite::migrated());
    let [idle, other] = [isolate(&db, EDDSA), isolate(&db, EDDSA)];
    let leaked = key_set(&idle).await["keys"][0]["kid"].as_str().unwrap().to_owned();
    command(&other, &json!({"action": "revoke", "kid": leaked})).await.expect(200);
    idle.advance(59);
    assert!(key_set(&idle).await.to_string().contains(&leaked));
    idle.advance(1);
    assert!(!key_set(&idle).await.to_string().contains(&leaked));
}

/// Requests for the key set cost the database one call a minute, however many there are.
#[tokio::test]
async fn a_crowd_at_the_key_set_costs_one_call_a_minute() {
    let service = Service::with(&[("ALGORITHM", "EdDSA")]);
    key_set(&service).await;
    service.advance(30);
    for _ in 0..20 {
        key_set(&service).await;
        assert_eq!(service.last_d1_calls(), 0);
    }
}
