//! Log lines: their content and level, and the secrets that never appear in them.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{EMAIL, PASSWORD, SECRET, Service};

#[tokio::test]
async fn every_request_has_two_access_lines_with_its_id() {
    let service = Service::new();
    let request = Request::get("/users/me?token=hidden").header("X-Request-ID", "abc-123");
    service.send(request.body(Body::empty()).unwrap()).await.expect(401);
    let lines: Vec<serde_json::Value> =
        service.log_lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [
            json!({
                "timestamp": "2027-01-15T08:00:00.000Z", "level": "INFO", "name": "app.access", "request_id": "abc-123",
                "message": "Request started", "method": "GET", "path": "/users/me",
            }),
            json!({
                "timestamp": "2027-01-15T08:00:00.000Z", "level": "WARNING", "name": "app.auth", "request_id": "abc-123",
                "message": "Request refused", "code": "AUTH_TOKEN_INVALID", "status_code": 401,
            }),
            json!({
                "timestamp": "2027-01-15T08:00:00.000Z", "level": "INFO", "name": "app.access", "request_id": "abc-123",
                "message": "Request finished", "method": "GET", "path": "/users/me", "route": "/users/me",
                "status_code": 401, "duration_ms": 0, "d1_calls": 0, "do_calls": 0,
            }),
        ]
    );
}

#[tokio::test]
async fn the_first_access_line_can_be_left_out() {
    let messages = |settings: &'static [(&str, &str)]| async move {
        let service = Service::with(settings);
        service.get("/nowhere").await.expect(404);
        let line = service.logs("Request finished").pop().unwrap();
        assert_eq!((&line["name"], &line["status_code"]), (&"app.access".into(), &404.into()));
        let lines = service.log_lines();
        let parsed = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        parsed.map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = ["Request started", "Request refused", "Request finished"];
    assert_eq!(messages(&[]).await, both);
    assert_eq!(messages(&[("ACCESS_LOG", "both")]).await, both);
    assert_eq!(messages(&[("ACCESS_LOG", "finished")]).await, both[1..]);
    // With another setting wrong, operations fail and the access log still follows its own setting.
    let service = Service::with(&[("ACCESS_LOG", "finished"), ("SECRET_KEY", "short")]);
    service.get("/users/me").await.expect(500);
    assert_eq!((service.logs("Request started").len(), service.logs("Request finished").len()), (0, 1));
}

#[tokio::test]
async fn user_actions_are_logged_with_ids() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let tokens = service.refresh(&tokens.refresh).await.tokens();
    service.login(EMAIL, PASSWORD).await.expect(200);
    service.logout(&tokens.refresh).await.expect(200);
    for message in ["Registered", "Refreshed", "Signed in", "Signed out"] {
        let lines = service.logs(message);
        assert_eq!(lines.len(), 1, "{message}");
        assert_eq!((&lines[0]["level"], &lines[0]["name"]), (&"INFO".into(), &"app.auth".into()));
        assert_eq!(lines[0]["user_id"], 1);
        assert!(lines[0]["session_id"].as_i64().is_some_and(|id| id > 0));
    }
}

#[tokio::test]
async fn every_refusal_is_a_warning() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.login(EMAIL, "wrong password").await.expect(401);
    service.refresh("nonsense").await.expect(401);
    service.refresh(&tokens.refresh).await.expect(200);
    service.refresh(&tokens.refresh).await.expect(401);
    service.get("/nowhere").await.expect(404);
    service.post_text("/auth/login", "{").await.expect(422);
    service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(409);
    let refusals: Vec<_> = service
        .logs("Request refused")
        .into_iter()
        .map(|line| (line["level"].clone(), line["name"].clone(), line["code"].clone()))
        .collect();
    let expected = [
        ("app.auth", "AUTH_INVALID_CREDENTIALS"),
        ("app.auth", "AUTH_TOKEN_INVALID"),
        ("app.auth", "AUTH_TOKEN_REVOKED"),
        ("app.errors", "NOT_FOUND"),
        ("app.errors", "VALIDATION_ERROR"),
        ("app.errors", "CONFLICT"),
    ]
    .map(|(name, code)| ("WARNING".into(), name.into(), code.into()));
    assert_eq!(refusals, expected);
    let reuse = service.logs("Refresh token reuse detected: session ended");
    assert_eq!(reuse[0]["level"], "WARNING");
}

#[tokio::test]
async fn no_secret_of_an_account_lifecycle_is_logged() {
    let service = Service::new();
    let mut secrets = vec![PASSWORD.to_owned(), SECRET.to_owned(), EMAIL.to_owned(), "wrong password".to_owned()];
    let first = service.register(EMAIL).await;
    let second = service.refresh(&first.refresh).await.tokens();
    service.refresh(&first.refresh).await.expect(401);
    let third = service.login(EMAIL, PASSWORD).await.tokens();
    service.login(EMAIL, "wrong password").await.expect(401);
    service.login("other-ada@example.com", PASSWORD).await.expect(401);
    service.get_as(&format!("/users/me?access_token={}", third.access), &third.access).await.expect(422);
    service.logout(&third.refresh).await.expect(200);
    service.me(&third.access).await.expect(401);
    service.post_text("/auth/login", format!("{{\"password\":\"{PASSWORD}\"")).await.expect(422);
    for tokens in [first, second, third] {
        secrets.extend([tokens.access, tokens.refresh]);
    }
    secrets.push(service.db.one("SELECT password_hash FROM users"));
    secrets.push("access_token=".to_owned());
    for line in service.log_lines() {
        for secret in &secrets {
            assert!(!line.contains(secret.as_str()), "{secret} in {line}");
        }
    }
}

#[tokio::test]
async fn a_path_cannot_forge_a_log_line() {
    let service = Service::new();
    let path = "/a%0A{%22level%22:%22ERROR%22}%22,%22admin%22:%22true";
    service.get(path).await.expect(404);
    let line = service.logs("Request started").pop().unwrap();
    assert_eq!((&line["path"], &line["level"]), (&path.into(), &"INFO".into()));
    assert!(line.get("admin").is_none());
}

#[tokio::test]
async fn personal_data_and_tokens_in_paths_are_redacted() {
    let service = Service::new();
    let token = service.register(EMAIL).await.access;
    let long = "/a".repeat(200);
    for (path, logged) in [
        ("/users/ada@example.com".to_owned(), "/users/[redacted]"),
        ("/users/ada%40example.com/x".to_owned(), "/users/[redacted]/x"),
        (format!("/auth/refresh/{token}"), "/auth/refresh/[redacted]"),
        (long, "[redacted]"),
    ] {
        service.get(&path).await.expect(404);
        assert_eq!(service.logs("Request started").last().unwrap()["path"], logged);
        assert_eq!(service.logs("Request finished").last().unwrap()["path"], logged);
    }
}

#[tokio::test]
async fn the_log_level_is_configurable() {
    for (level, expected) in [("INFO", 3), ("WARNING", 1), ("ERROR", 0)] {
        let service = Service::with(&[("LOG_LEVEL", level)]);
        service.get("/nowhere").await.expect(404);
        assert_eq!(service.log_lines().len(), expected, "{level}");
    }
}
