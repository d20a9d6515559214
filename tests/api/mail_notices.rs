//! Notices of events that the owner of an account may not have caused.

use serde_json::json;

use crate::support::change::{not_me, proven};
use crate::support::mail::settle;
use crate::support::mailbox::Letter;
use crate::support::{EMAIL, PASSWORD, Service};

async fn notices(service: &Service) -> Vec<Letter> {
    settle().await;
    service.mailbox.take()
}

/// The only notice, with a link that takes the account back.
async fn notice(service: &Service, subject: &str) -> String {
    let mails = notices(service).await;
    let [notice] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((notice.to(), notice.subject()), (EMAIL, subject));
    notice.token()
}

#[tokio::test]
async fn an_api_key_that_is_made_or_withdrawn_is_told() {
    let (service, tokens) = proven().await;
    let body = json!({"name": "Key", "permissions": ["universities:view"]});
    let made = service.call("POST", "/users/me/api-keys", &tokens.access, Some(&body)).await.expect(201).body;
    let token = notice(&service, "The API keys of your account at edge-auth").await;
    let path = format!("/users/me/api-keys/{}", made["id"]);
    service.call("DELETE", &path, &tokens.access, None).await.expect(204);
    notice(&service, "The API keys of your account at edge-auth").await;
    service.call("DELETE", &path, &tokens.access, None).await.expect_error(404, "NOT_FOUND");
    assert!(notices(&service).await.is_empty(), "nothing was withdrawn");
    not_me(&service, &token).await.expect(200);
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn a_key_that_was_refused_is_not_told() {
    let (service, tokens) = proven().await;
    service.advance(601);
    let body = json!({"name": "Key", "permissions": ["universities:view"]});
    service
        .call("POST", "/users/me/api-keys", &tokens.access, Some(&body))
        .await
        .expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let wrong = json!({"name": "Key", "permissions": ["universities:view"], "password": "not the chosen one"});
    service
        .call("POST", "/users/me/api-keys", &tokens.access, Some(&wrong))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert!(notices(&service).await.is_empty());
}

#[tokio::test]
async fn a_session_that_ends_for_reuse_is_told_once() {
    let (service, tokens) = proven().await;
    let next = service.refresh(&tokens.refresh).await.expect(200).tokens();
    service.refresh(&next.refresh).await.expect(200);
    service.advance(3600);
    for _ in 0..3 {
        service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    let token = notice(&service, "A session at edge-auth was ended").await;
    not_me(&service, &token).await.expect(200);
    service.login(EMAIL, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn the_address_of_an_erased_account_is_told_and_nothing_of_it_stays() {
    let (service, tokens) = proven().await;
    let password = json!({"password": "not the chosen one"});
    service
        .call("POST", "/users/me/delete", &tokens.access, Some(&password))
        .await
        .expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert!(notices(&service).await.is_empty(), "the account is there");
    service.advance(60);
    let password = json!({"password": PASSWORD});
    service.call("POST", "/users/me/delete", &tokens.access, Some(&password)).await.expect(204);
    let mails = notices(&service).await;
    let [farewell] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((farewell.to(), farewell.subject()), (EMAIL, "Your account at edge-auth was erased"));
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM mails"), 0, "an accepted mail leaves no address");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 0);
}

#[tokio::test]
async fn a_farewell_that_the_sender_refuses_is_sent_later() {
    let (service, tokens) = proven().await;
    service.mailbox.refuse(Some("E_INTERNAL_SERVER_ERROR"));
    let password = json!({"password": PASSWORD});
    service.call("POST", "/users/me/delete", &tokens.access, Some(&password)).await.expect(204);
    settle().await;
    service.mailbox.refuse(None);
    service.advance(61);
    service.send_mails().await;
    assert_eq!(service.mailbox.take_one().subject(), "Your account at edge-auth was erased");
}

#[tokio::test]
async fn an_address_that_is_not_proven_is_told_nothing() {
    let (service, tokens) = proven().await;
    service.db.execute("UPDATE users SET email_verified_at = NULL");
    let body = json!({"name": "Key", "permissions": ["universities:view"]});
    service.call("POST", "/users/me/api-keys", &tokens.access, Some(&body)).await;
    let password = json!({"password": PASSWORD});
    service.call("POST", "/users/me/delete", &tokens.access, Some(&password)).await.expect(204);
    assert!(notices(&service).await.is_empty());
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM mails"), 0);
}

#[tokio::test]
async fn a_sign_in_from_a_new_network_and_device_is_told() {
    let (service, _) = proven().await;
    let sign_in = async |network: &str, device: Option<&str>| {
        let body = json!({"email": EMAIL, "password": PASSWORD, "device_token": device});
        let reply = service.post_from(network, "/auth/login", &body).await.expect(200);
        (reply.body["device_token"].as_str().unwrap().to_owned(), notices(&service).await.len())
    };
    let (device, told) = sign_in("192.0.2.7", None).await;
    assert_eq!(told, 1);
    assert_eq!(sign_in("192.0.2.7", None).await.1, 0, "the network is known by now");
    assert_eq!(sign_in("198.51.100.9", Some(&device)).await.1, 0, "the device is known");
    assert_eq!(sign_in("203.0.113.5", Some("not a token")).await.1, 1);
}
