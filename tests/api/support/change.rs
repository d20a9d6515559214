//! Changes of address, as their owner and a thief make them.

use serde_json::{Value, json};

use crate::support::mail::{MAIL, settle, with};
use crate::support::mailbox::Letter;
use crate::support::{EMAIL, PASSWORD, Reply, Service, Tokens};

/// An address that the account gets.
pub const NEXT: &str = "next@example.com";

/// A service with an account whose address is proven.
pub async fn proven() -> (Service, Tokens) {
    let service = with(MAIL, &[]);
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    (service, tokens)
}

/// Asks for a change of the address.
pub async fn ask_for_change(service: &Service, access: &str, new_email: &str) -> Reply {
    let reply = service.call("PUT", "/users/me/email", access, Some(&json!({"new_email": new_email}))).await;
    settle().await;
    reply
}

/// Asks for it, and returns the flow and the mail to the new address.
pub async fn pending(service: &Service, access: &str, new_email: &str) -> (String, Letter) {
    let reply = ask_for_change(service, access, new_email).await.expect(202);
    let letter = service.mailbox.take_one();
    assert_eq!(
        (letter.to(), letter.subject()),
        (new_email.trim().to_lowercase().as_str(), "Confirm your new address for edge-auth")
    );
    (reply.body["flow"].as_str().unwrap().to_owned(), letter)
}

pub async fn verify(service: &Service, body: &Value) -> Reply {
    let reply = service.post("/auth/email/verify", body).await;
    settle().await;
    reply
}

/// Changes the address; returns the mails that tell it.
pub async fn change(service: &Service, access: &str, new_email: &str) -> Vec<Letter> {
    service.advance(1);
    let (flow, letter) = pending(service, access, new_email).await;
    verify(service, &json!({"flow": flow, "code": letter.code()})).await.expect(200);
    service.mailbox.take()
}

/// Changes a proven address; returns the token of the undo.
pub async fn changed(service: &Service, access: &str, new_email: &str) -> String {
    let notices = change(service, access, new_email).await;
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice.subject(), "Your address for edge-auth was changed");
    notice.token()
}

pub async fn undo(service: &Service, token: &str) -> Reply {
    service.post("/auth/email/undo", &json!({"token": token})).await
}

pub async fn not_me(service: &Service, token: &str) -> Reply {
    service.post("/auth/email/not-me", &json!({"token": token})).await
}

/// The address of the first account.
pub fn address_of(service: &Service) -> String {
    service.db.one("SELECT email FROM users WHERE id = 1")
}

/// A key of the signed-in user.
pub async fn key(service: &Service, access: &str) -> String {
    let body = json!({"name": "Key", "permissions": ["universities:view"]});
    let made = service.call("POST", "/users/me/api-keys", access, Some(&body)).await.expect(201).body;
    // The notice of the key.
    settle().await;
    service.mailbox.take();
    made["key"].as_str().unwrap().to_owned()
}

/// The account is open to none but the owner of its address: neither a session, nor a key, nor the password.
pub async fn assert_shut(service: &Service, tokens: &Tokens, key: &str) {
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(key).await.expect_error(401, "AUTH_TOKEN_INVALID");
    let email = address_of(service);
    service.login(&email, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}
