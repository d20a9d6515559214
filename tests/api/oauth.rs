//! Tokens for service accounts, and the OAuth endpoints clause by clause (RFC 6749, RFC 7662, RFC 7009).

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::key_rotation::decoded;
use crate::support::machine::{CLIENT_ID, ID, add, key};
use crate::support::{EMAIL, Reply, Service};

/// A service with the account of the tests.
pub fn with_machine(settings: &[(&str, &str)]) -> Service {
    let service = Service::with(settings);
    add(&service.db);
    service
}

pub fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")))
}

/// Posts a form.
pub async fn form(service: &Service, path: &str, authorization: &str, body: &str) -> Reply {
    let mut request = Request::post(path).header("Content-Type", "application/x-www-form-urlencoded");
    if !authorization.is_empty() {
        request = request.header("Authorization", authorization);
    }
    service.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The body of an error: status, code, and the scheme of the challenge.
#[track_caller]
pub fn refused(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, &reply.body["error"]), (status, &json!(error)), "{reply:?}");
    assert!(reply.body["error_description"].is_string() && reply.body["request_id"].is_string(), "{reply:?}");
    assert_eq!(reply.header("WWW-Authenticate").is_some(), status == 401, "{reply:?}");
}

pub async fn token(service: &Service, scope: &str) -> String {
    let body = format!("grant_type=client_credentials&scope={scope}");
    let reply = form(service, "/oauth/token", &basic(CLIENT_ID, &key()), &body).await.expect(200);
    reply.body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_gets_a_token_with_its_credentials_in_the_header_or_in_the_body() {
    for algorithm in ["HS256", "EdDSA", "ES256"] {
        let service = with_machine(&[("ALGORITHM", algorithm)]);
        let header = form(&service, "/oauth/token", &basic(CLIENT_ID, &key()), "grant_type=client_credentials").await;
        let posted = format!("grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={}", key());
        let body = form(&service, "/oauth/token", "", &posted).await;
        for reply in [header.expect(200), body.expect(200)] {
            assert_eq!(reply.body["token_type"], "Bearer");
            assert_eq!(
                (&reply.body["expires_in"], &reply.body["scope"]),
                (&json!(900), &json!("introspect authz:check users:read"))
            );
            assert_eq!(reply.header("Cache-Control"), Some("no-store"));
            let (header, claims) = decoded(reply.body["access_token"].as_str().unwrap());
            assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm), &json!("at+jwt")));
            assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(CLIENT_ID), &json!(CLIENT_ID)));
            assert_eq!(
                (&claims["type"], &claims["sid"], &claims["key"]),
                (&json!("service"), &json!(null), &json!(ID.to_string()))
            );
        }
        // Characters of the credentials are form-encoded before they are joined (RFC 6749 §2.3.1).
        let encoded = key().replace('_', "%5F");
        form(&service, "/oauth/token", &basic(CLIENT_ID, &encoded), "grant_type=client_credentials").await.expect(200);
    }
}

#[tokio::test]
async fn a_token_request_that_breaks_a_rule_is_refused_with_the_error_of_the_rule() {
    let service = with_machine(&[]);
    let (good, grant) = (basic(CLIENT_ID, &key()), "grant_type=client_credentials");
    let other_key =
        edge_auth::domain::machine::api_key::ApiKey::mint(edge_auth::domain::ids::ApiKeyId::new(ID).unwrap(), [8; 32]);
    let both = format!("{grant}&client_id={CLIENT_ID}&client_secret={}", key());
    let cases = [
        ("no client", String::new(), grant, 401, "invalid_client"),
        ("half a client", String::new(), "grant_type=client_credentials&client_id=sa_x", 401, "invalid_client"),
        ("a wrong secret", basic(CLIENT_ID, other_key.text().expose()), grant, 401, "invalid_client"),
        ("a wrong checksum", basic(CLIENT_ID, &format!("{}0", key())), grant, 401, "invalid_client"),
        ("another client's name", basic("sa_other", &key()), grant, 401, "invalid_client"),
        ("no base64", "Basic !".to_owned(), grant, 401, "invalid_client"),
        ("no colon", format!("Basic {}", STANDARD.encode("x")), grant, 401, "invalid_client"),
        ("another scheme", format!("Bearer {}", key()), grant, 401, "invalid_client"),
        ("both methods", good.clone(), both.as_str(), 400, "invalid_request"),
        ("two names", good.clone(), "grant_type=client_credentials&client_id=sa_x", 400, "invalid_request"),
        ("no grant type", good.clone(), "scope=introspect", 400, "invalid_request"),
        ("an empty grant type", good.clone(), "grant_type=", 400, "invalid_request"),
        (
            "a grant type twice",
            good.clone(),
            "grant_type=client_credentials&grant_type=client_credentials",
            400,
            "invalid_request",
        ),
        ("a broken escape", good.clone(), "grant_type=%zz", 400, "invalid_request"),
        ("another grant", good.clone(), "grant_type=password&username=a&password=b", 400, "unsupported_grant_type"),
        ("an unknown scope", good.clone(), "grant_type=client_credentials&scope=everything", 400, "invalid_scope"),
        (
            "a scope of others",
            good.clone(),
            "grant_type=client_credentials&scope=introspect+audit:read",
            400,
            "invalid_scope",
        ),
    ];
    for (name, authorization, body, status, error) in cases {
        let reply = form(&service, "/oauth/token", &authorization, body).await;
        assert_eq!((reply.status, &reply.body["error"]), (status, &json!(error)), "{name}: {reply:?}");
        refused(&reply, status, error);
    }
    let unknown = format!("{grant}&unknown=x&scope=introspect");
    form(&service, "/oauth/token", &good, &unknown).await.expect(200);
    let json = Request::post("/oauth/token").header("Content-Type", "application/json").header("Authorization", &good);
    refused(&service.send(json.body(Body::from("{}")).unwrap()).await, 415, "invalid_request");
    let large = format!("{grant}&x={}", "x".repeat(17_000));
    refused(&form(&service, "/oauth/token", &good, &large).await, 413, "invalid_request");
    service.get("/oauth/token").await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_token_of_a_service_works_where_its_key_does_and_never_as_a_user() {
    for algorithm in ["HS256", "EdDSA"] {
        let service = with_machine(&[("ALGORITHM", algorithm)]);
        let user = service.register(EMAIL).await;
        let all = token(&service, "introspect+authz:check+users:read").await;
        service.get_as("/admin/users", &all).await.expect(200);
        let check = json!({"user_id": 1, "permission": "platform:administer"});
        service.call("POST", "/authz/check", &all, Some(&check)).await.expect(200);
        for path in ["/users/me", "/auth/sessions", "/universities", "/users/me/export", "/admin/audit-events"] {
            service.get_as(path, &all).await.expect_error(403, "FORBIDDEN");
        }
        let narrow = token(&service, "introspect").await;
        service.get_as("/admin/users", &narrow).await.expect_error(403, "FORBIDDEN");
        service.refresh(&all).await.expect_error(401, "AUTH_TOKEN_INVALID");
        service.logout(&all).await.expect_error(401, "AUTH_TOKEN_INVALID");
        // The token of a user is no client.
        refused(
            &form(&service, "/oauth/introspect", &format!("Bearer {}", user.access), "token=x").await,
            401,
            "invalid_client",
        );
        service.advance(900);
        service.get_as("/admin/users", &all).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    }
}

/// A change, and whether the token still works as a client and at `/admin/users`.
#[tokio::test]
async fn a_withdrawn_key_a_removed_scope_and_a_disabled_account_end_a_token_at_the_next_use() {
    let changes = [
        ("DELETE FROM api_keys", 401, "AUTH_TOKEN_INVALID"),
        ("UPDATE api_keys SET expires_at = 2", 401, "AUTH_TOKEN_INVALID"),
        ("UPDATE service_accounts SET is_active = 0", 403, "AUTH_INACTIVE_USER"),
        ("UPDATE service_accounts SET scopes = '[\"introspect\"]'", 403, "FORBIDDEN"),
        ("UPDATE service_accounts SET client_id = 'sa_another'", 401, "AUTH_TOKEN_INVALID"),
    ];
    for (change, status, code) in changes {
        let service = with_machine(&[("ALGORITHM", "EdDSA")]);
        let token = token(&service, "users:read").await;
        service.get_as("/admin/users", &token).await.expect(200);
        service.db.execute(change);
        service.get_as("/admin/users", &token).await.expect_error(status, code);
        assert_eq!(service.last_d1_calls(), 1);
    }
}

#[tokio::test]
async fn a_signing_key_that_was_revoked_ends_the_tokens_of_services_too() {
    let settings = [("ALGORITHM", "EdDSA"), ("OPERATOR_KEY", crate::signing_keys::OPERATOR_KEY)];
    let service = with_machine(&settings);
    let token = token(&service, "users:read").await;
    service.get_as("/admin/users", &token).await.expect(200);
    let revoke = json!({"action": "revoke", "kid": crate::signing_keys::kid_of(&token)});
    crate::signing_keys::command(&service, &revoke).await.expect(200);
    service.get_as("/admin/users", &token).await.expect_error(401, "AUTH_TOKEN_INVALID");
}
