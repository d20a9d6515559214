//! `/auth/sessions` and `/auth/logout-all`.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{EMAIL, PASSWORD, START, Service, Tokens};

/// Signs in from this address with this user agent.
async fn sign_in_from(service: &Service, ip: &str, agent: &str) -> Tokens {
    let body = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let request = Request::post("/auth/login").header("Content-Type", "application/json");
    let request = request.header("CF-Connecting-IP", ip).header("User-Agent", agent).body(Body::from(body));
    service.send(request.unwrap()).await.expect(200).tokens()
}

async fn sessions(service: &Service, access: &str) -> Vec<Value> {
    let reply = service.get_as("/auth/sessions", access).await.expect(200);
    assert_eq!(service.last_d1_calls(), 1);
    reply.body["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_list_shows_address_user_agent_and_times() {
    let service = Service::new();
    service.register(EMAIL).await;
    service.advance(10);
    let laptop = sign_in_from(&service, "192.0.2.7", "laptop/1").await;
    service.advance(10);
    let phone = sign_in_from(&service, "2001:DB8::7", "phone/1").await;
    let list = sessions(&service, &laptop.access).await;
    let places: Vec<_> = list.iter().map(|s| (s["ip"].as_str(), s["user_agent"].as_str())).collect();
    assert_eq!(places, [(Some("2001:db8::7"), Some("phone/1")), (Some("192.0.2.7"), Some("laptop/1")), (None, None)]);
    let current: Vec<_> = list.iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true, false]);
    assert_eq!(list[1]["created_at"], START.plus_seconds(10).rfc3339());
    assert_eq!(list[1]["last_used_at"], START.plus_seconds(10).rfc3339());
    assert_eq!(list[1]["expires_at"], START.plus_seconds(10 + 7 * 86_400).rfc3339());
    let mine = sessions(&service, &phone.access).await;
    assert_eq!(mine[0]["current"], true);
}

#[tokio::test]
async fn a_refresh_records_its_address_in_the_same_round_trip() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.advance(60);
    let body = json!({"refresh_token": tokens.refresh});
    let tokens = service.post_from("198.51.100.9", "/auth/refresh", &body).await.expect(200).tokens();
    assert_eq!(service.last_d1_calls(), 1);
    let list = sessions(&service, &tokens.access).await;
    assert_eq!(list[0]["ip"], "198.51.100.9");
    assert_eq!(list[0]["last_used_at"], START.plus_seconds(60).rfc3339());
    assert_eq!(list[0]["expires_at"], START.plus_seconds(60 + 7 * 86_400).rfc3339());
    // The old token from elsewhere: the refusal ends the session, and the event says from where.
    service.post_from("203.0.113.1", "/auth/refresh", &body).await.expect(401);
    let ip = "SELECT ip FROM audit_events WHERE type = 'reuse_detected'";
    assert_eq!(service.db.one::<String>(ip), "203.0.113.1");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 0);
}

#[tokio::test]
async fn unusable_sessions_are_not_listed() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    let second = service.login(EMAIL, PASSWORD).await.tokens();
    service.logout(&first.refresh).await.expect(200);
    assert_eq!(sessions(&service, &second.access).await.len(), 1);
    service.advance(8 * 86_400);
    let third = service.login(EMAIL, PASSWORD).await.tokens();
    assert_eq!(sessions(&service, &third.access).await.len(), 1, "the second was not refreshed in time");
}

#[tokio::test]
async fn ending_a_session_by_id_ends_no_other() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    let second = service.login(EMAIL, PASSWORD).await.tokens();
    let list = sessions(&service, &second.access).await;
    let other = list.iter().find(|session| session["current"] == false).unwrap()["id"].as_i64().unwrap();
    let path = format!("/auth/sessions/{other}");
    service.call("DELETE", &path, &second.access, None).await.expect(204);
    assert_eq!(service.last_d1_calls(), 2);
    service.me(&first.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&second.access).await.expect(200);
    service.call("DELETE", &path, &second.access, None).await.expect_error(404, "NOT_FOUND");
    let ended = format!("SELECT session_id = {other} FROM audit_events WHERE type = 'session_ended'");
    assert!(service.db.one::<bool>(&ended), "the event names the session that was ended");
}

#[tokio::test]
async fn another_users_session_is_404_and_stays_active() {
    let service = Service::new();
    let ada = service.register(EMAIL).await;
    let eve = service.register("eve@example.com").await;
    let target = sessions(&service, &ada.access).await[0]["id"].as_i64().unwrap();
    let path = format!("/auth/sessions/{target}");
    service.call("DELETE", &path, &eve.access, None).await.expect_error(404, "NOT_FOUND");
    service.me(&ada.access).await.expect(200);
}

#[tokio::test]
async fn a_malformed_session_id_is_404() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    for id in ["0", "-1", "01", "1.0", "abc", "9007199254740992", "%31", "1%00", "%ff", "%E2%81%B1"] {
        let reply = service.call("DELETE", &format!("/auth/sessions/{id}"), &tokens.access, None).await;
        reply.expect_error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_of_that_user() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    let second = service.login(EMAIL, PASSWORD).await.tokens();
    let eve = service.register("eve@example.com").await;
    let reply = service.call("POST", "/auth/logout-all", &second.access, None).await.expect(200);
    assert_eq!(reply.body, json!({"message": "Logged out everywhere", "sessions_ended": 2}));
    assert_eq!(service.last_d1_calls(), 2);
    for tokens in [&first, &second] {
        service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    service.me(&eve.access).await.expect(200);
}

/// All sessions have the same age to the millisecond.
#[tokio::test]
async fn a_new_session_is_never_the_one_that_makes_room() {
    let service = Service::new();
    service.register(EMAIL).await;
    for _ in 0..110 {
        let tokens = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
        service.me(&tokens.access).await.expect(200);
    }
}

#[tokio::test]
async fn the_hundred_and_first_session_ends_the_oldest() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    service.advance(1);
    let mut newest = None;
    for _ in 0..100 {
        newest = Some(service.login(EMAIL, PASSWORD).await.expect(200).tokens());
    }
    service.me(&first.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(sessions(&service, &newest.unwrap().access).await.len(), 100);
    let event = &service.db.rows("SELECT type, reason FROM audit_events WHERE type = 'session_ended'")[0];
    assert_eq!(event["reason"], "limit");
}
