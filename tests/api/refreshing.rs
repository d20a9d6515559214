//! `POST /auth/refresh`: rotation, reuse, the retry interval and the end of a session.

use crate::support::{EMAIL, PASSWORD, Service};

const DAY: i64 = 86_400;

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_a_new_pair() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    let reply = service.refresh(&first.refresh).await.expect(200);
    assert_eq!(service.last_d1_calls(), 1);
    let second = reply.tokens();
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(first.access, second.access);
    service.me(&second.access).await.expect(200);
    service.me(&first.access).await.expect(200);
    service.refresh(&second.refresh).await.expect(200);
}

#[tokio::test]
async fn reused_refresh_token_ends_the_session() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    let other = service.login(EMAIL, PASSWORD).await.tokens();
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.refresh(&first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&second.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&first.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&second.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&other.refresh).await.expect(200);
    assert_eq!(service.logs("Refresh token reuse detected: session ended").len(), 1);
}

#[tokio::test]
async fn within_the_retry_interval_the_same_successor_is_returned_again() {
    let service = Service::with(&[("REFRESH_REUSE_INTERVAL_SECONDS", "10")]);
    let first = service.register(EMAIL).await;
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.advance(10);
    let again = service.refresh(&first.refresh).await.expect(200).tokens();
    assert_eq!(again.refresh, second.refresh);
    assert_ne!(again.access, second.access, "the access token is fresh");
    service.me(&again.access).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions"), 1, "no second branch");
    service.refresh(&second.refresh).await.expect(200);
}

/// A thief with old tokens must not walk along the chain to the newest one.
#[tokio::test]
async fn a_token_whose_successor_was_exchanged_ends_the_session_within_the_retry_interval_too() {
    for stolen in [0, 1, 2] {
        let service = Service::with(&[("REFRESH_REUSE_INTERVAL_SECONDS", "60")]);
        let mut chain = vec![service.register(EMAIL).await];
        for place in 0..4 {
            chain.push(service.refresh(&chain[place].refresh).await.expect(200).tokens());
        }
        service.refresh(&chain[stolen].refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        for tokens in &chain {
            service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
            service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        }
        assert_eq!(service.logs("Refresh token reuse detected: session ended").len(), 1);
    }
}

#[tokio::test]
async fn a_refresh_writes_one_row_and_no_event() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let rows = |service: &Service| {
        ["sessions", "audit_events", "users"]
            .map(|table| service.db.one::<i64>(&format!("SELECT count(*) FROM {table}")))
    };
    let before = rows(&service);
    service.refresh(&tokens.refresh).await.expect(200);
    assert_eq!(rows(&service), before);
}

#[tokio::test]
async fn after_the_retry_interval_a_second_use_ends_the_session() {
    let service = Service::with(&[("REFRESH_REUSE_INTERVAL_SECONDS", "10")]);
    let first = service.register(EMAIL).await;
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.advance(11);
    service.refresh(&first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&second.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn a_retry_after_logout_is_refused() {
    let service = Service::with(&[("REFRESH_REUSE_INTERVAL_SECONDS", "10")]);
    let first = service.register(EMAIL).await;
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.logout(&second.refresh).await.expect(200);
    service.refresh(&first.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn a_refresh_token_expires_and_each_refresh_extends_the_session() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    service.advance(6 * DAY);
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.advance(6 * DAY);
    let third = service.refresh(&second.refresh).await.expect(200).tokens();
    service.advance(7 * DAY);
    service.refresh(&third.refresh).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    assert_eq!(service.last_d1_calls(), 0, "an expired token is refused without asking the database");
}

#[tokio::test]
async fn a_session_ends_at_its_absolute_lifetime_despite_refreshes() {
    let service = Service::with(&[("SESSION_MAX_DAYS", "10")]);
    let mut tokens = service.register(EMAIL).await;
    service.advance(6 * DAY);
    tokens = service.refresh(&tokens.refresh).await.expect(200).tokens();
    service.advance(4 * DAY - 60);
    let reply = service.refresh(&tokens.refresh).await.expect(200);
    assert_eq!(reply.body["expires_in"], 60, "no token outlives its session");
    tokens = reply.tokens();
    service.advance(60);
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
}

#[tokio::test]
async fn tokens_that_outlive_a_shortened_session_are_revoked() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.advance(10);
    service.db.execute("UPDATE sessions SET expires_at = created_at + 5000");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn a_disabled_user_cannot_refresh_and_the_token_is_not_spent() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET is_active = 0");
    service.refresh(&tokens.refresh).await.expect_error(403, "AUTH_INACTIVE_USER");
    service.db.execute("UPDATE users SET is_active = 1");
    service.refresh(&tokens.refresh).await.expect(200);
}

#[tokio::test]
async fn foreign_tokens_are_invalid_and_deleted_tokens_are_revoked() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    for text in ["", "x", "a.b.c", &tokens.access, &format!("{}x", tokens.refresh), &"y".repeat(5000)] {
        service.refresh(text).await.expect_error(401, "AUTH_TOKEN_INVALID");
        assert_eq!(service.last_d1_calls(), 0);
    }
    service.db.execute("DELETE FROM sessions");
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.delete_account(&service.login(EMAIL, PASSWORD).await.tokens().access).await;
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_INVALID");
}

#[tokio::test]
async fn user_ids_are_not_reused_after_an_erasure() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.delete_account(&tokens.access).await;
    service.register("eve@example.com").await;
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_INVALID");
    assert_eq!(service.db.one::<i64>("SELECT max(id) FROM users"), 2, "ids are never reused");
}
