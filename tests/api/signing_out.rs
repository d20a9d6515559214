//! `POST /auth/logout`.

use serde_json::json;

use crate::support::{EMAIL, PASSWORD, Service};

#[tokio::test]
async fn logout_ends_its_session_and_no_other() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let other = service.login(EMAIL, PASSWORD).await.tokens();
    let reply = service.logout(&tokens.refresh).await.expect(200);
    assert_eq!(reply.body, json!({"message": "Logged out successfully"}));
    assert_eq!(service.last_d1_calls(), 1);
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&other.access).await.expect(200);
}

#[tokio::test]
async fn any_issued_refresh_token_signs_out_regardless_of_its_state() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.logout(&first.refresh).await.expect(200);
    service.me(&second.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.logout(&first.refresh).await.expect(200);
    service.logout(&second.refresh).await.expect(200);
    service.advance(100 * 86_400);
    service.logout(&second.refresh).await.expect(200);
    let third = service.login(EMAIL, PASSWORD).await.tokens();
    service.delete_account(&third.access).await;
    service.logout(&second.refresh).await.expect(200);
    let live: Vec<_> = service.logs("Signed out").iter().map(|line| line["session_was_live"].clone()).collect();
    assert_eq!(live, [true, false, false, false, false]);
}

#[tokio::test]
async fn an_expired_token_still_ends_a_live_session() {
    let service = Service::new();
    let first = service.register(EMAIL).await;
    service.advance(6 * 86_400);
    let second = service.refresh(&first.refresh).await.expect(200).tokens();
    service.advance(2 * 86_400);
    service.logout(&first.refresh).await.expect(200);
    service.refresh(&second.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn anything_but_an_issued_refresh_token_is_refused() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    for text in ["", "nonsense", &tokens.access, &tokens.refresh[1..]] {
        service.logout(text).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
    service.me(&tokens.access).await.expect(200);
}
