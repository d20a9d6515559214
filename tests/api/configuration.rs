//! Invalid settings: the routes that still answer, the replies and the log lines.

use crate::support::{EMAIL, PASSWORD, SECRET, Service};
use serde_json::json;

#[tokio::test]
async fn invalid_settings_fail_only_the_routes_that_need_them() {
    let wrong = [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "change-me-change-me-change-me-change-me"),
        ("SESSION_MAX_DAYS", "forever"),
        ("PASSWORD_HASH", "bcrypt"),
        ("BACKEND_CORS_ORIGINS", "https://app.example.com"),
        ("LOG_LEVEL", "LOUD"),
        ("ACCESS_LOG", "started"),
        ("LOG_CLIENT", "ip"),
        ("BASE_PATH", "api/v1"),
    ];
    for (name, value) in wrong {
        let service = Service::with(&[(name, value)]);
        for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
            service.post(path, &json!({})).await.expect_error(500, "CONFIGURATION_ERROR");
        }
        for path in ["/users/me", "/openapi.json", "/openapi.yaml"] {
            let reply = service.get(path).await.expect_error(500, "CONFIGURATION_ERROR");
            assert!(!reply.text.contains(name), "the caller does not learn which setting");
        }
        service.get("/health").await.expect(200);
        service.get("/nowhere").await.expect_error(404, "NOT_FOUND");
        let lines = service.logs("Request failed");
        assert_eq!(lines.len(), 7, "one line for each request that failed");
        for line in lines {
            assert_eq!((&line["level"], &line["name"]), (&"ERROR".into(), &"app.errors".into()));
            assert_eq!(line["cause"], format!("missing or wrong settings: {name}"));
            assert!(value.is_empty() || !line.to_string().contains(value), "no value in a log");
        }
    }
}

#[tokio::test]
async fn configuration_errors_still_honour_base_path_and_cors() {
    let origins = r#"["https://app.example.com"]"#;
    let settings = [("SECRET_KEY", ""), ("BASE_PATH", "/api/v1"), ("BACKEND_CORS_ORIGINS", origins)];
    let service = Service::with(&settings);
    service.post("/api/v1/auth/login", &json!({})).await.expect_error(500, "CONFIGURATION_ERROR");
    service.get("/api/v1/health").await.expect(200);
    service.get("/health").await.expect_error(404, "NOT_FOUND");
    assert_eq!(service.logs("Request failed")[0]["cause"], "missing or wrong settings: SECRET_KEY");
    let request = axum::http::Request::get("/api/v1/users/me").header("Origin", "https://app.example.com");
    let reply = service.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(500);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example.com"));
}

#[tokio::test]
async fn rotating_the_secret_key_signs_no_user_out() {
    let db = std::sync::Arc::new(crate::support::sqlite::Sqlite::migrated());
    let tokens = {
        let before = Service::on(db.clone(), db.clone(), &[]);
        before.register(EMAIL).await
    };
    let new = "another secret 0123456789 abcdefgh";
    {
        let without = Service::on(db.clone(), db.clone(), &[("SECRET_KEY", new)]);
        without.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    let after = Service::on(db.clone(), db.clone(), &[("SECRET_KEY", new), ("SECRET_KEY_PREVIOUS", SECRET)]);
    after.me(&tokens.access).await.expect(200);
    let newer = after.refresh(&tokens.refresh).await.expect(200).tokens();
    let header = |token: &str| token.split('.').next().unwrap().to_owned();
    assert_ne!(header(&newer.access), header(&tokens.access), "signed with the new secret");
    drop(after);
    let settled = Service::on(db.clone(), db, &[("SECRET_KEY", new)]);
    settled.me(&newer.access).await.expect(200);
    settled.login(EMAIL, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn issuer_and_audience_are_configurable_and_checked() {
    let db = std::sync::Arc::new(crate::support::sqlite::Sqlite::migrated());
    let tokens = {
        let service = Service::on(db.clone(), db.clone(), &[]);
        service.register(EMAIL).await
    };
    for (name, value) in [("JWT_ISSUER", "other"), ("JWT_AUDIENCE", "other")] {
        let service = Service::on(db.clone(), db.clone(), &[(name, value)]);
        service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
        service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn token_lifetimes_are_configurable() {
    let settings = [("ACCESS_TOKEN_EXPIRE_MINUTES", "1"), ("REFRESH_TOKEN_EXPIRE_DAYS", "1")];
    let service = Service::with(&settings);
    service.register(EMAIL).await;
    let reply = service.login(EMAIL, PASSWORD).await.expect(200);
    assert_eq!(reply.body["expires_in"], 60);
    service.advance(60);
    service.me(&reply.tokens().access).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.advance(86_400 - 60);
    service.refresh(&reply.tokens().refresh).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
}
