//! The access rule of every route in the table, tried with no, bad and weak credentials.

use axum::body::Body;
use axum::http::{Method, Request};
use edge_auth::http::routes::{Access, PathResource, ROUTES};

use crate::support::{EMAIL, PASSWORD, Reply, Service, Tokens};

/// Whether the route requires a signed-in user, with or without a permission.
fn requires_user(access: Access) -> bool {
    matches!(access, Access::User | Access::Permit(..))
}

/// Sends these `Authorization` headers to every route that requires a user.
async fn call_all(service: &Service, authorization: &[&str]) -> Vec<Reply> {
    let mut replies = Vec::new();
    for route in ROUTES.iter().filter(|route| requires_user(route.access)) {
        // Any id will do: the service authenticates the caller before it looks the resource up.
        let path = ["{id}", "{department_id}", "{grant_id}", "{key_id}"]
            .iter()
            .fold(route.path.to_owned(), |path, parameter| path.replace(parameter, "1"));
        let mut request = Request::builder().method(Method::from_bytes(route.method.as_bytes()).unwrap()).uri(path);
        for value in authorization {
            request = request.header("Authorization", *value);
        }
        replies.push(service.send(request.body(Body::empty()).unwrap()).await);
    }
    assert!(replies.len() > 20, "{}", replies.len());
    replies
}

async fn signed_in() -> (Service, Tokens) {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    (service, tokens)
}

#[test]
fn a_permission_is_checked_on_the_resource_in_the_path() {
    for route in ROUTES {
        let Access::Permit(_, scope) = route.access else { continue };
        let expected = match route.path.split("/{id}").next().unwrap() {
            path if path == route.path => PathResource::Platform,
            "/universities" => PathResource::University,
            #[cfg(feature = "campus")]
            "/courses" => PathResource::Course,
            #[cfg(feature = "campus")]
            "/enrollments" => PathResource::Enrollment,
            "/admin/users" | "/admin/service-accounts" => PathResource::Platform,
            other => panic!("{other}"),
        };
        assert_eq!(scope, expected, "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_refused_without_a_database_call() {
    let (service, _) = signed_in().await;
    for reply in call_all(&service, &[]).await {
        let reply = reply.expect_error(401, "AUTH_TOKEN_INVALID");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"edge-auth\""));
        assert_eq!(service.last_d1_calls(), 0);
    }
}

#[tokio::test]
async fn invalid_tokens_are_refused_without_a_database_call() {
    let (service, tokens) = signed_in().await;
    let refresh = format!("Bearer {}", tokens.refresh);
    let altered = format!("bearer {}x", tokens.access);
    for value in ["Bearer x", "Bearer a.b.c", "Bearer abc\u{e9}", "Bearer \u{e9}", &refresh, &altered] {
        for reply in call_all(&service, &[value]).await {
            let reply = reply.expect_error(401, "AUTH_TOKEN_INVALID");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"edge-auth\", error=\"invalid_token\""));
            assert_eq!(service.last_d1_calls(), 0);
        }
    }
}

#[tokio::test]
async fn other_schemes_get_a_challenge_without_an_error_code() {
    let (service, tokens) = signed_in().await;
    let basic = format!("Basic {}", tokens.access);
    for value in ["", "Bearer", "Bearer ", "Basic dTpw", "Digest x", &basic, &tokens.access] {
        for reply in call_all(&service, &[value]).await {
            let reply = reply.expect_error(401, "AUTH_TOKEN_INVALID");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"edge-auth\""), "{value}");
            assert_eq!(service.last_d1_calls(), 0);
        }
    }
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let (service, tokens) = signed_in().await;
    let good = format!("Bearer {}", tokens.access);
    for reply in call_all(&service, &[&good, &good]).await {
        let reply = reply.expect_error(401, "AUTH_TOKEN_INVALID");
        assert!(reply.header("www-authenticate").unwrap().ends_with("error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn the_scheme_name_is_case_insensitive() {
    let (service, tokens) = signed_in().await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = Request::get("/users/me").header("Authorization", format!("{scheme} {}", tokens.access));
        service.send(request.body(Body::empty()).unwrap()).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_is_read_from_the_authorization_header_only() {
    let (service, tokens) = signed_in().await;
    let path = format!("/users/me?access_token={}", tokens.access);
    service.get(&path).await.expect_error(401, "AUTH_TOKEN_INVALID");
    let request = Request::get("/users/me").header("Cookie", format!("access_token={}", tokens.access));
    service.send(request.body(Body::empty()).unwrap()).await.expect_error(401, "AUTH_TOKEN_INVALID");
}

#[tokio::test]
async fn an_access_token_expires() {
    let (service, tokens) = signed_in().await;
    let authorization = format!("Bearer {}", tokens.access);
    service.advance(899);
    service.me(&tokens.access).await.expect(200);
    service.advance(1);
    for reply in call_all(&service, &[&authorization]).await {
        let reply = reply.expect_error(401, "AUTH_TOKEN_EXPIRED");
        assert!(reply.header("www-authenticate").unwrap().ends_with("error=\"invalid_token\""));
        assert_eq!(service.last_d1_calls(), 0);
    }
}

#[tokio::test]
async fn an_access_token_is_revoked_with_its_session() {
    let (service, tokens) = signed_in().await;
    service.logout(&tokens.refresh).await.expect(200);
    for reply in call_all(&service, &[&format!("Bearer {}", tokens.access)]).await {
        let reply = reply.expect_error(401, "AUTH_TOKEN_REVOKED");
        assert!(reply.header("www-authenticate").unwrap().ends_with("error=\"invalid_token\""));
        assert_eq!(service.last_d1_calls(), 1);
    }
}

#[tokio::test]
async fn a_disabled_user_is_refused_on_the_next_request() {
    let (service, tokens) = signed_in().await;
    service.db.execute("UPDATE users SET is_active = 0");
    for reply in call_all(&service, &[&format!("Bearer {}", tokens.access)]).await {
        reply.expect_error(403, "AUTH_INACTIVE_USER");
    }
}

#[tokio::test]
async fn the_token_of_an_erased_user_is_invalid() {
    let (service, tokens) = signed_in().await;
    service.delete_account(&tokens.access).await;
    for reply in call_all(&service, &[&format!("Bearer {}", tokens.access)]).await {
        reply.expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn the_profile_takes_one_round_trip() {
    let (service, _) = signed_in().await;
    service.register("bob@example.com").await;
    let tokens = service.login("bob@example.com", PASSWORD).await.tokens();
    let reply = service.me(&tokens.access).await.expect(200);
    assert_eq!(service.last_d1_calls(), 1);
    let mut members: Vec<_> = reply.body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = ["created_at", "email", "email_verified", "full_name", "has_password", "id", "is_active", "roles"];
    assert_eq!(members, expected);
    assert_eq!((&reply.body["id"], &reply.body["email"]), (&2.into(), &"bob@example.com".into()));
}
