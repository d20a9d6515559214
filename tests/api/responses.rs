//! Properties of all responses: request ids, headers, CORS, HEAD, unknown paths and methods.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::support::{EMAIL, Reply, Service};

async fn send(service: &Service, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
    let service = Service::new();
    for id in ["abc", "A.b_c-9", &"x".repeat(128)] {
        let reply = send(&service, "GET", "/nowhere", &[("X-Request-ID", id)]).await.expect(404);
        assert_eq!(reply.header("x-request-id"), Some(id));
        assert_eq!(reply.body["request_id"], id);
    }
    for id in ["", "a b", "{\"a\":1}", "a;b", &"x".repeat(129)] {
        let reply = send(&service, "GET", "/nowhere", &[("X-Request-ID", id)]).await.expect(404);
        let new = reply.header("x-request-id").unwrap();
        assert!(new.len() == 32 && new.bytes().all(|byte| byte.is_ascii_hexdigit()), "{new}");
        assert_eq!((&new[12..13], reply.body["request_id"].as_str()), ("4", Some(new)));
    }
}

#[tokio::test]
async fn every_response_has_the_security_headers_and_is_not_cacheable() {
    let service = Service::new();
    for (method, path) in [("GET", "/health"), ("GET", "/users/me"), ("POST", "/auth/login"), ("GET", "/nowhere")] {
        let reply = send(&service, method, path, &[]).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert_eq!(reply.header("strict-transport-security"), None);
    }
    let reply = send(&service, "GET", "https://auth.example.com/health", &[]).await;
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=31536000"));
}

#[tokio::test]
async fn unknown_paths_are_404_for_every_method() {
    let service = Service::new();
    let paths = [
        "/docs/index.html",
        "/nowhere",
        "/auth",
        "/auth/login/",
        "//auth/login",
        "/AUTH/LOGIN",
        "/auth/login%2f",
        "/users/1",
        "/%00",
    ];
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            send(&service, method, path, &[]).await.expect_error(404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn other_methods_of_a_path_are_405_with_allow() {
    let service = Service::new();
    for (method, path, allow) in [
        ("GET", "/auth/login", "POST"),
        ("DELETE", "/auth/register", "POST"),
        ("HEAD", "/auth/refresh", "POST"),
        ("OPTIONS", "/auth/logout", "POST"),
        ("POST", "/users/me", "GET,HEAD,PATCH,DELETE"),
        ("PUT", "/health", "GET,HEAD"),
        ("BREW", "/openapi.json", "GET,HEAD"),
    ] {
        let reply = send(&service, method, path, &[]).await.expect(405);
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
        let code = if method == "HEAD" { "" } else { "METHOD_NOT_ALLOWED" };
        assert_eq!(reply.body["error"]["code"].as_str().unwrap_or(""), code);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let service = Service::new();
    for (path, status) in [("/health", 200), ("/openapi.yaml", 200), ("/users/me", 401), ("/nowhere", 404)] {
        let reply = send(&service, "HEAD", path, &[]).await.expect(status);
        assert_eq!(reply.text, "");
        assert!(reply.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn the_description_has_the_deployments_title_and_base_path() {
    let service = Service::with(&[("APP_NAME", "Ünïversity \"login\""), ("BASE_PATH", "/api/v1")]);
    let reply = service.get("/api/v1/openapi.json").await.expect(200);
    assert_eq!(reply.body["info"]["title"], "Ünïversity \"login\"");
    assert_eq!(reply.body["servers"], json!([{"url": "/api/v1"}]));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let reply = service.get("/api/v1/openapi.yaml").await.expect(200);
    let yaml: serde_json::Value = serde_norway::from_str(&reply.text).unwrap();
    assert_eq!(yaml, service.get("/api/v1/openapi.json").await.body);
}

#[tokio::test]
async fn the_realm_is_the_app_name_without_characters_invalid_in_a_header() {
    let service = Service::with(&[("APP_NAME", "Ünï \"x\" \\ login")]);
    let reply = service.get("/users/me").await.expect(401);
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"n x  login\""));
}

/// Java's `HttpClient` throws on a 401 without a challenge, and its caller never sees the envelope (RFC 9110 §15.5.2).
#[tokio::test]
async fn every_401_has_a_challenge() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let [plain, invalid] = ["Bearer realm=\"edge-auth\"", "Bearer realm=\"edge-auth\", error=\"invalid_token\""];
    let challenge = |reply: Reply| reply.expect(401).header("www-authenticate").map(str::to_owned);
    for (email, password) in [(EMAIL, "wrong"), ("eve@example.com", "wrong")] {
        assert_eq!(challenge(service.login(email, password).await).as_deref(), Some(plain));
    }
    for token in ["x", "", &tokens.access] {
        assert_eq!(challenge(service.refresh(token).await).as_deref(), Some(invalid), "refresh {token:?}");
        assert_eq!(challenge(service.logout(token).await).as_deref(), Some(invalid), "logout {token:?}");
    }
    service.logout(&tokens.refresh).await.expect(200);
    assert_eq!(challenge(service.refresh(&tokens.refresh).await).as_deref(), Some(invalid), "an ended session");
    service.advance(8 * 86_400);
    assert_eq!(challenge(service.refresh(&tokens.refresh).await).as_deref(), Some(invalid), "an expired token");
}

#[tokio::test]
async fn a_base_path_moves_every_route() {
    let service = Service::with(&[("BASE_PATH", "/api/v1")]);
    let reply = service.post("/api/v1/auth/register", &json!({"email": EMAIL, "password": "long enough"})).await;
    let tokens = reply.expect(201).tokens();
    service.get_as("/api/v1/users/me", &tokens.access).await.expect(200);
    assert_eq!(service.logs("Request finished").last().unwrap()["route"], "/api/v1/users/me");
    service.get("/api/v1/health").await.expect(200);
    for path in ["/", "/health", "/users/me", "/docs", "/api/v1/nowhere", "/api/health"] {
        service.get(path).await.expect_error(404, "NOT_FOUND");
    }
    send(&service, "DELETE", "/api/v1/health", &[]).await.expect_error(405, "METHOD_NOT_ALLOWED");
}

const ORIGIN: &str = "https://app.example.com";

fn preflight(origin: &str) -> [(&str, &str); 3] {
    [("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type")]
}

#[tokio::test]
async fn without_origins_no_response_has_cors_headers() {
    let service = Service::new();
    let reply = send(&service, "GET", "/health", &[("Origin", ORIGIN)]).await.expect(200);
    assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    send(&service, "OPTIONS", "/auth/login", &preflight(ORIGIN)).await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn listed_origins_may_call_with_credentials_and_others_may_not() {
    let service = Service::with(&[("BACKEND_CORS_ORIGINS", r#"["https://app.example.com","http://localhost:3000"]"#)]);
    let reply = send(&service, "OPTIONS", "/auth/login", &preflight(ORIGIN)).await.expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    assert!(reply.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(reply.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(reply.header("access-control-max-age"), Some("600"));
    assert!(reply.header("x-request-id").is_some());
    for path in ["/health", "/users/me", "/nowhere"] {
        let reply = send(&service, "GET", path, &[("Origin", ORIGIN)]).await;
        assert_eq!(
            reply.header("access-control-allow-origin"),
            Some(ORIGIN),
            "errors too, or scripts cannot read them"
        );
        assert!(reply.header("access-control-expose-headers").unwrap().contains("x-request-id"));
        assert!(reply.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("origin")));
    }
    for origin in ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"] {
        let reply = send(&service, "GET", "/health", &[("Origin", origin)]).await.expect(200);
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
    }
}

#[tokio::test]
async fn origins_of_any_scheme_may_call() {
    let origins = ["capacitor://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnop"];
    let service = Service::with(&[("BACKEND_CORS_ORIGINS", &json!(origins).to_string())]);
    for origin in origins {
        let reply = send(&service, "OPTIONS", "/auth/login", &preflight(origin)).await.expect(200);
        assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
    }
}

#[tokio::test]
async fn further_request_headers_are_allowed_by_a_setting() {
    let origins = ("BACKEND_CORS_ORIGINS", r#"["https://app.example.com"]"#);
    for (setting, allowed) in [("[]", ""), (r#"["baggage","Sentry-Trace"]"#, ",baggage,sentry-trace")] {
        let service = Service::with(&[origins, ("CORS_REQUEST_HEADERS", setting)]);
        let reply = send(&service, "OPTIONS", "/auth/login", &preflight(ORIGIN)).await.expect(200);
        let expected = format!("authorization,content-type,x-request-id,x-edge-auth-bookmark{allowed}");
        assert_eq!(reply.header("access-control-allow-headers"), Some(expected.as_str()), "{setting}");
    }
}

#[tokio::test]
async fn an_options_request_without_preflight_headers_is_routed_normally() {
    let service = Service::with(&[("BACKEND_CORS_ORIGINS", r#"["https://app.example.com"]"#)]);
    for headers in [&[][..], &[("Origin", ORIGIN)], &[("Access-Control-Request-Method", "POST")]] {
        send(&service, "OPTIONS", "/nowhere", headers).await.expect_error(404, "NOT_FOUND");
        send(&service, "OPTIONS", "/auth/login", headers).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn any_origin_may_call_without_credentials() {
    let service = Service::with(&[("BACKEND_CORS_ORIGINS", r#"["*"]"#)]);
    let reply = send(&service, "GET", "/health", &[("Origin", ORIGIN)]).await.expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
}
