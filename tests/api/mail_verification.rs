//! Proving an address: the mail of a registration, and the evidence that a link needs beside it.

use edge_auth::domain::mail::proof::Purpose;
use serde_json::{Value, json};

use crate::support::mail::{VERIFYING, ask, planted, settle, with};
use crate::support::world::{World, address};
use crate::support::{EMAIL, PASSWORD, Reply, Service, Tokens};

const ASK: &str = "/auth/email/verification";

async fn register(service: &Service) -> (Tokens, String) {
    let reply = service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(201);
    settle().await;
    (reply.tokens(), reply.body["flow"].as_str().unwrap().to_owned())
}

async fn verify(service: &Service, body: &Value) -> Reply {
    service.post("/auth/email/verify", body).await
}

fn is_verified(service: &Service) -> bool {
    service.db.one("SELECT email_verified_at IS NOT NULL FROM users WHERE id = 1")
}

#[tokio::test]
async fn a_registration_sends_a_mail_whose_code_proves_the_address() {
    let service = with(VERIFYING, &[]);
    let (tokens, flow) = register(&service).await;
    let letter = service.mailbox.take_one();
    assert_eq!((letter.to(), letter.subject()), (EMAIL, "Confirm your address for edge-auth"));
    assert_eq!(service.me(&tokens.access).await.body["email_verified"], false);
    let code = json!({"flow": flow, "code": letter.code()});
    let reply = verify(&service, &code).await.expect(200);
    assert_eq!(reply.body, json!({"email": EMAIL, "email_verified": true}));
    assert_eq!(service.me(&tokens.access).await.body["email_verified"], true, "the session goes on");
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'email_verified'"), 1);
}

/// A stranger registered the address. The click of the mailbox's owner proves nothing for the stranger.
#[tokio::test]
async fn a_link_alone_proves_nothing() {
    let service = with(VERIFYING, &[]);
    register(&service).await;
    let token = service.mailbox.take_one().token();
    let foreign = ask(&service, ASK, "other@example.com").await;
    let stranger = service.post("/auth/register", &json!({"email": "eve@example.com", "password": PASSWORD})).await;
    let stranger = stranger.tokens();
    for body in [json!({}), json!({"password": "wrong"}), json!({"flow": foreign}), json!({"flow": "1.a"})] {
        let mut body = body;
        body["token"] = json!(token);
        verify(&service, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let body = json!({"token": token});
    let reply = service.call("POST", "/auth/email/verify", &stranger.access, Some(&body)).await;
    reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert!(!is_verified(&service));
}

#[tokio::test]
async fn a_link_proves_the_address_beside_a_token_a_flow_or_the_password() {
    for way in ["token", "flow", "password"] {
        let service = with(VERIFYING, &[]);
        let (tokens, flow) = register(&service).await;
        let token = service.mailbox.take_one().token();
        let reply = match way {
            "token" => service.call("POST", "/auth/email/verify", &tokens.access, Some(&json!({"token": token}))).await,
            "flow" => verify(&service, &json!({"token": token, "flow": flow})).await,
            _ => verify(&service, &json!({"token": token, "password": PASSWORD})).await,
        };
        reply.expect(200);
        assert!(is_verified(&service), "{way}");
        assert_eq!(service.last_d1_calls(), 2, "{way}");
    }
}

/// The proofs of the caller are read with the caller, and the rows of the other evidence are read with the proof.
#[tokio::test]
async fn a_proof_that_is_used_or_void_concurrently_proves_nothing() {
    let people = [("bob", "")];
    for evidence in ["token", "password"] {
        for concurrent in [
            "DELETE FROM email_proofs",
            "UPDATE email_proofs SET expires_at = 1",
            "UPDATE users SET password_version = password_version + 1",
            "UPDATE users SET email = 'moved@example.com'",
            "UPDATE users SET is_active = 0",
        ] {
            let world = World::overtaken_with(&people, VERIFYING, "UPDATE users SET email_verified_at", concurrent);
            let token = planted(&world.service.db, Purpose::Verify, &address("bob"));
            let reply = if evidence == "token" {
                world.sign_in("bob").await.ask(&format!(r#"POST /auth/email/verify {{"token": "{token}"}}"#)).await
            } else {
                verify(&world.service, &json!({"token": token, "password": PASSWORD})).await
            };
            reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            assert_eq!(world.service.last_d1_calls(), 2, "{evidence}, and {concurrent}");
            assert!(!is_verified(&world.service), "{evidence}, and {concurrent}");
        }
    }
}

/// The latest proofs are read with the caller, and an older one by its id.
#[tokio::test]
async fn one_of_many_proofs_of_the_caller_is_found() {
    let world = World::through(&[("bob", "")], VERIFYING, |db| db);
    let mut tokens = Vec::new();
    for _ in 0..12 {
        tokens.push(planted(&world.service.db, Purpose::Verify, &address("bob")));
        world.service.advance(1);
    }
    let bob = world.sign_in("bob").await;
    for (token, calls) in [(&tokens[0], 3), (&tokens[11], 2)] {
        world.service.db.execute(
            "UPDATE users SET email_verified_at = NULL; CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM email_proofs",
        );
        bob.ask(&format!(r#"POST /auth/email/verify {{"token": "{token}"}}"#)).await.expect(200);
        assert_eq!(world.service.last_d1_calls(), calls);
        world.service.db.execute("INSERT OR IGNORE INTO email_proofs SELECT * FROM kept");
    }
}

/// The flow of a request without the account is that of a stranger, perhaps of the owner of the mailbox.
#[tokio::test]
async fn a_code_that_a_stranger_asked_for_needs_the_password() {
    let service = with(VERIFYING, &[]);
    let (tokens, _) = register(&service).await;
    service.mailbox.take();
    service.advance(60);
    let flow = ask(&service, ASK, EMAIL).await;
    let code = json!({"flow": flow, "code": service.mailbox.take_one().code()});
    verify(&service, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let reply = service.call("POST", "/auth/email/verify", &tokens.access, Some(&code)).await;
    reply.expect(200);
}

#[tokio::test]
async fn the_owner_asks_again_with_the_access_token() {
    let service = with(VERIFYING, &[]);
    let (tokens, _) = register(&service).await;
    service.mailbox.take();
    service.advance(60);
    let reply = service.call("POST", ASK, &tokens.access, None).await.expect(202);
    settle().await;
    let letter = service.mailbox.take_one();
    verify(&service, &json!({"flow": reply.body["flow"], "code": letter.code()})).await.expect(200);
    service.advance(60);
    service.call("POST", ASK, &tokens.access, None).await.expect(202);
    settle().await;
    assert_eq!(service.mailbox.take().len(), 0, "the address is proven");
    service.post(ASK, &json!({})).await.expect(422);
}

#[tokio::test]
async fn a_changed_password_voids_the_link() {
    let service = with(VERIFYING, &[]);
    let (tokens, _) = register(&service).await;
    let token = service.mailbox.take_one().token();
    let change = json!({"current_password": PASSWORD, "new_password": "staple battery horse correct"});
    service.call("PUT", "/users/me/password", &tokens.access, Some(&change)).await.expect(200);
    let body = json!({"token": token});
    let reply = service.call("POST", "/auth/email/verify", &tokens.access, Some(&body)).await;
    reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn a_registration_that_is_refused_sends_nothing() {
    let service = with(VERIFYING, &[]);
    register(&service).await;
    service.mailbox.take();
    let again = json!({"email": EMAIL, "password": PASSWORD});
    service.post("/auth/register", &again).await.expect_error(409, "CONFLICT");
    settle().await;
    assert_eq!((service.mailbox.take().len(), service.db.one::<i64>("SELECT count(*) FROM email_proofs")), (0, 1));
}
