//! Rate limits per client address, per minute and per hour.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::limiter::LIMIT;
use crate::support::{EMAIL, PASSWORD, Service};

fn limited() -> Service {
    Service::with(&[("RATE_LIMITING", "on")])
}

fn credentials(number: u32) -> Value {
    json!({"email": format!("person-{number}@example.com"), "password": PASSWORD})
}

#[tokio::test]
async fn each_rate_limit_refuses_excess_requests_without_a_database_call() {
    let service = limited();
    let requests = [
        ("/auth/login", json!({"email": EMAIL, "password": PASSWORD})),
        ("/auth/refresh", json!({"refresh_token": "x"})),
        ("/auth/register", credentials(0)),
    ];
    for (path, body) in &requests {
        for _ in 0..LIMIT {
            assert_ne!(service.post_from("192.0.2.7", path, body).await.status, 429);
        }
        let reply = service.post_from("192.0.2.7", path, body).await.expect_error(429, "RATE_LIMITED");
        assert_eq!(reply.header("retry-after"), Some("60"));
        assert_eq!(service.last_d1_calls(), 0);
        assert_ne!(service.post_from("192.0.2.8", path, body).await.status, 429, "another address");
    }
    service.advance(60);
    for (path, body) in &requests {
        assert_ne!(service.post_from("192.0.2.7", path, body).await.status, 429, "another minute");
    }
}

#[tokio::test]
async fn reauthentication_shares_the_rate_limit_of_signing_in() {
    let service = limited();
    let tokens = service.register(EMAIL).await;
    let body = json!({"password": "wrong"});
    for _ in 0..LIMIT {
        service.call("DELETE", "/users/me", &tokens.access, Some(&body)).await.expect(401);
    }
    service.call("DELETE", "/users/me", &tokens.access, Some(&body)).await.expect_error(429, "RATE_LIMITED");
    service.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await.expect_error(429, "RATE_LIMITED");
    service.login(EMAIL, PASSWORD).await.expect_error(429, "RATE_LIMITED");
    service.me(&tokens.access).await.expect(200);
}

#[tokio::test]
async fn the_public_readiness_check_is_rate_limited() {
    let service = limited();
    for _ in 0..LIMIT {
        service.get("/health/ready").await.expect(200);
    }
    service.get("/health/ready").await.expect_error(429, "RATE_LIMITED");
    service.get("/health").await.expect(200);
}

#[tokio::test]
async fn an_ipv6_network_of_64_bits_is_one_client() {
    let service = limited();
    let body = json!({"refresh_token": "x"});
    for number in 0..LIMIT {
        service.post_from(&format!("2001:db8::{number:x}"), "/auth/refresh", &body).await.expect(401);
    }
    service.post_from("2001:db8::ffff:1", "/auth/refresh", &body).await.expect(429);
    service.post_from("2001:db8:0:1::1", "/auth/refresh", &body).await.expect(401);
}

#[tokio::test]
async fn client_supplied_address_headers_are_ignored() {
    let service = limited();
    for number in 0..=LIMIT {
        let request = Request::post("/auth/refresh").header("CF-Connecting-IP", "192.0.2.7");
        let forged = format!("198.51.100.{number}");
        let request = ["X-Forwarded-For", "X-Real-IP", "True-Peer-IP", "Forwarded"]
            .into_iter()
            .fold(request, |request, name| request.header(name, &forged));
        let request = request.header("Content-Type", "application/json").body(Body::from("{}")).unwrap();
        let status = service.send(request).await.status;
        assert_eq!(status, if number < LIMIT { 401 } else { 429 });
    }
}

#[tokio::test]
async fn rate_limits_can_be_switched_off_but_the_throttle_cannot() {
    let service = Service::with(&[("RATE_LIMITING", "off"), ("REGISTRATIONS_PER_HOUR", "1")]);
    for number in 0..20 {
        service.post("/auth/register", &credentials(number)).await.expect(201);
    }
    for _ in 0..6 {
        service.login("person-0@example.com", "wrong").await.expect(401);
    }
    service.login("person-0@example.com", PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn registrations_are_counted_per_hour_including_refused_ones() {
    let service = Service::with(&[("RATE_LIMITING", "on"), ("REGISTRATIONS_PER_HOUR", "3")]);
    let register = async |number| service.post_from("192.0.2.7", "/auth/register", &credentials(number)).await;
    register(1).await.expect(201);
    register(1).await.expect_error(409, "CONFLICT");
    register(2).await.expect(201);
    service.advance(600);
    let reply = register(3).await.expect_error(429, "RATE_LIMITED");
    assert_eq!(reply.header("retry-after"), Some("3000"), "until the window is over");
    assert_eq!(service.last_d1_calls(), 1);
    register(1).await.expect_error(429, "RATE_LIMITED");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 2);
    service.post_from("192.0.2.8", "/auth/register", &credentials(3)).await.expect(201);
    service.advance(3000);
    register(4).await.expect(201);
    let reasons =
        service.db.rows("SELECT reason, count FROM audit_events WHERE type = 'registration_refused' ORDER BY reason");
    let reasons: Vec<_> = reasons.iter().map(|row| (row["reason"].as_str().unwrap(), &row["count"])).collect();
    assert_eq!(reasons, [("email_taken", &json!(1)), ("rate_limited", &json!(2))]);
}
