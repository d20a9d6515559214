//! Identities and the ways back into an account: a reset by mail, the undo of a change of address, the link of a notice, and
//! accounts that are emptied.

use serde_json::{Value, json};

use crate::support::change::{change, changed, not_me, undo};
use crate::support::federation::{
    MAILING, come_back, come_back_with_code, exchange, exchange_as, federated_as, federated_sign_in, start, start_as,
    with,
};
use crate::support::mail::{ask, reset, settle};
use crate::support::mailbox::Letter;
use crate::support::provider::Person;
use crate::support::totp::{App, enrol, second_factor};
use crate::support::{PASSWORD, Reply, Service, Tokens};

/// An address for which `acme` is authoritative.
const ADA: &str = "ada@acme.example";
const NEW_PASSWORD: &str = "staple battery horse correct";
const CONFIRM: &str = "/users/me/factors/confirm";
const DAY: i64 = 24 * 3600;

fn service() -> Service {
    with(&[&[("EMAIL_SIGN_IN", "on")], &MAILING[..]].concat())
}

/// An account with a proven address and a password.
async fn proven(service: &Service) -> Tokens {
    let tokens = service.register(ADA).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    tokens
}

async fn mails(service: &Service) -> Vec<Letter> {
    settle().await;
    service.mailbox.take()
}

/// Links an identity of `acme`, and takes the notice.
async fn link(service: &Service, access: &str, subject: &str) -> Letter {
    federated_as(service, access, "acme", "link", &Person::of(subject, "")).await.expect(200);
    let mut notices = mails(service).await;
    assert_eq!(notices.len(), 1, "{notices:?}");
    notices.remove(0)
}

async fn visit(service: &Service, subject: &str, email: &str) -> Reply {
    let reply = federated_sign_in(service, "acme", &Person::of(subject, email)).await;
    settle().await;
    reply
}

/// A new password by mail. Returns the review.
async fn reset_by_mail(service: &Service) -> Value {
    mails(service).await;
    service.advance(60);
    ask(service, "/auth/password/forgot", ADA).await;
    let letter = service.mailbox.take_one();
    let reply = reset(service, json!({"token": letter.token()}), NEW_PASSWORD).await.expect(200);
    service.mailbox.take();
    reply.body["review"].clone()
}

fn count(service: &Service, rows: &str) -> i64 {
    service.db.one(&format!("SELECT count(*) FROM {rows}"))
}

async fn owner(service: &Service) -> Tokens {
    service.login(ADA, NEW_PASSWORD).await.expect(200).tokens()
}

#[tokio::test]
async fn a_reset_suspends_young_identities_until_their_owner_confirms_them() {
    let service = service();
    let tokens = proven(&service).await;
    link(&service, &tokens.access, "old").await;
    service.advance(8 * DAY);
    let tokens = service.login(ADA, PASSWORD).await.expect(200).tokens();
    mails(&service).await;
    link(&service, &tokens.access, "young").await;
    let step_up = start_as(&service, "acme", &tokens.access, "step_up").await;
    let code = come_back_with_code(&service, &step_up, &Person::of("young", "")).await;
    let review = reset_by_mail(&service).await;
    let suspended = review["identities"].as_array().unwrap().iter().map(|row| row["suspended"].clone());
    assert_eq!(suspended.collect::<Vec<_>>(), [json!(false), json!(true)], "{review}");
    service.me(&tokens.access).await.expect(401);
    visit(&service, "old", ADA).await.expect(200);
    visit(&service, "young", ADA).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // A flow that was begun before the reset.
    exchange_as(&service, Some(&tokens.access), &step_up.flow, &code).await.expect(401);
    let owner = owner(&service).await;
    let listed = service.get_as("/users/me/identities", &owner.access).await.expect(200).body;
    assert_eq!(
        json!([listed["identities"][0]["suspended"], listed["identities"][1]["suspended"]]),
        json!([false, true])
    );
    service.call("POST", CONFIRM, &owner.access, None).await.expect(200);
    visit(&service, "young", "").await.expect(200);
    assert_eq!(count(&service, "identities WHERE suspended_at IS NOT NULL"), 0);
}

#[tokio::test]
async fn a_suspended_identity_joins_no_account_and_steps_none_up() {
    let service = service();
    let tokens = proven(&service).await;
    link(&service, &tokens.access, "young").await;
    reset_by_mail(&service).await;
    // An address of another account, for which the provider is authoritative, and one of none.
    service.register("bob@acme.example").await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    for email in ["bob@acme.example", "new@acme.example", "new@example.com", ""] {
        visit(&service, "young", email).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!([count(&service, "users"), count(&service, "identities")], [2, 1]);
    let owner = owner(&service).await;
    service.db.execute("UPDATE users SET has_password = 0 WHERE id = 1");
    let refused = federated_as(&service, &owner.access, "acme", "step_up", &Person::of("young", "")).await;
    refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.advance(601);
    let asked = service.call("POST", CONFIRM, &owner.access, None).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    let details = &asked.body["error"]["details"];
    assert_eq!((&details["methods"], &details["providers"]), (&json!(["email_code"]), &Value::Null), "{details}");
    // A link of it by its owner confirms nothing, and no other user gets it.
    let owner = service.login("bob@acme.example", PASSWORD).await.expect(200).tokens();
    mails(&service).await;
    let refused = federated_as(&service, &owner.access, "acme", "link", &Person::of("young", "")).await;
    assert_eq!(refused.body["error"]["details"]["reason"], "linked_to_other");
}

#[tokio::test]
async fn a_link_again_does_not_confirm_a_suspended_identity() {
    let service = service();
    let tokens = proven(&service).await;
    link(&service, &tokens.access, "young").await;
    reset_by_mail(&service).await;
    let owner = owner(&service).await;
    let again = federated_as(&service, &owner.access, "acme", "link", &Person::of("young", "")).await.expect(200);
    assert_eq!(again.body["suspended"], true);
    visit(&service, "young", "").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// The code was mailed before the reset, and the flow began before it.
#[tokio::test]
async fn a_reset_ends_the_mailed_code_and_the_wait_for_a_factor() {
    let service = service();
    proven(&service).await;
    let refused = federated_sign_in(&service, "google", &Person::of("1", ADA)).await;
    let (flow, code) = (refused.body["error"]["details"]["flow"].clone(), service.mailbox.take_one().code());
    reset_by_mail(&service).await;
    let body = json!({"flow": flow, "code": code});
    service.post("/auth/federated/confirm", &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(count(&service, "identities"), 0);
}

#[tokio::test]
async fn an_undo_removes_the_identities_that_were_added_since() {
    let service = service();
    let tokens = proven(&service).await;
    link(&service, &tokens.access, "owner").await;
    service.advance(9 * DAY);
    let thief = service.login(ADA, PASSWORD).await.expect(200).tokens();
    mails(&service).await;
    link(&service, &thief.access, "before").await;
    let token = changed(&service, &thief.access, "thief@acme.example").await;
    service.advance(60);
    link(&service, &thief.access, "behind").await;
    // By the word of the provider, for the new address.
    visit(&service, "joined", "thief@acme.example").await.expect(200);
    assert_eq!(count(&service, "identities WHERE user_id = 1"), 4);
    undo(&service, &token).await.expect(200);
    assert_eq!(service.db.column("SELECT subject FROM identities"), ["owner"]);
    for subject in ["before", "behind", "joined"] {
        let begun = start(&service, "google").await;
        let fragment = come_back(&service, &begun, &Person { verified: false, ..Person::of(subject, ADA) }).await;
        assert_eq!(fragment, "error=verified_email_required");
        let tokens = visit(&service, subject, &format!("{subject}@acme.example")).await.expect(200).tokens();
        assert_ne!(service.me(&tokens.access).await.expect(200).body["id"], 1);
    }
    visit(&service, "owner", "").await.expect(200);
}

#[tokio::test]
async fn the_link_of_a_notice_suspends_the_identity_that_it_tells_of() {
    let service = service();
    let tokens = proven(&service).await;
    let notice = link(&service, &tokens.access, "thief").await;
    visit(&service, "thief", "").await.expect(200);
    not_me(&service, &notice.token()).await.expect(200);
    assert_eq!(count(&service, "sessions"), 0);
    visit(&service, "thief", ADA).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(ADA, PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    reset_by_mail(&service).await;
    visit(&service, "thief", ADA).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let owner = owner(&service).await;
    let id: i64 = service.db.one("SELECT id FROM identities");
    service.call("DELETE", &format!("/users/me/identities/{id}"), &owner.access, None).await.expect(204);
    assert_eq!(count(&service, "identities"), 0);
}

/// The link of a notice opens nothing: with an identity of long ago it would pass the factor that it suspends.
#[tokio::test]
async fn an_identity_does_not_pass_a_factor_by_the_link_of_a_notice() {
    let service = service();
    let tokens = proven(&service).await;
    link(&service, &tokens.access, "old").await;
    service.advance(8 * DAY);
    let tokens = service.login(ADA, PASSWORD).await.expect(200).tokens();
    let (app, _): (App, _) = enrol(&service, &tokens.access).await;
    let notices = mails(&service).await;
    let notice = notices.iter().find(|mail| mail.text().contains("/not-me#token=")).unwrap();
    visit(&service, "old", "").await.expect_error(401, "AUTH_MFA_REQUIRED");
    not_me(&service, &notice.token()).await.expect(200);
    visit(&service, "old", "").await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    visit(&service, "another", ADA).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(count(&service, "sessions"), 0);
    // A new password comes first.
    reset_by_mail(&service).await;
    let owner = owner(&service).await;
    service.call("POST", CONFIRM, &owner.access, None).await.expect(200);
    let due = visit(&service, "old", "").await.expect_error(401, "AUTH_MFA_REQUIRED");
    let token = due.body["error"]["details"]["mfa_token"].as_str().unwrap().to_owned();
    service.advance(30);
    second_factor(&service, &token, "code", app.code(0)).await.expect(200);
}

/// A stranger came first, by a provider that is not authoritative for the address.
#[tokio::test]
async fn an_account_that_is_emptied_loses_its_identities() {
    for way in ["reset", "mailed code", "provider"] {
        let service = service();
        let stranger = federated_sign_in(&service, "google", &Person::of("stranger", ADA)).await.expect(200).tokens();
        federated_as(&service, &stranger.access, "github", "link", &Person::of("7", "")).await.expect(200);
        assert_eq!(count(&service, "identities"), 2);
        mails(&service).await;
        match way {
            "reset" => drop(reset_by_mail(&service).await),
            "provider" => drop(visit(&service, "owner", ADA).await.expect(200)),
            _ => {
                let flow = ask(&service, "/auth/email/code", ADA).await;
                let body = json!({"flow": flow, "code": service.mailbox.take_one().code()});
                service.post("/auth/email/sign-in", &body).await.expect(200);
            }
        }
        let left = service.db.column("SELECT subject FROM identities");
        assert_eq!(left, if way == "provider" { vec!["owner"] } else { vec![] }, "{way}");
        service.me(&stranger.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        service.refresh(&stranger.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        let begun = start(&service, "google").await;
        let code = come_back_with_code(&service, &begun, &Person::of("stranger", ADA)).await;
        exchange(&service, &begun.flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(count(&service, "users"), 1);
    }
}

#[tokio::test]
async fn an_account_of_a_provider_gets_a_password_by_mail_or_by_a_fresh_sign_in() {
    let service = service();
    let tokens = visit(&service, "ada", ADA).await.expect(200).tokens();
    service.login(ADA, NEW_PASSWORD).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let review = reset_by_mail(&service).await;
    assert_eq!(review["identities"][0]["provider"], "acme");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    let owner = owner(&service).await;
    assert_eq!(service.me(&owner.access).await.expect(200).body["has_password"], true);
    let other = with(&MAILING);
    let tokens = visit(&other, "ada", ADA).await.expect(200).tokens();
    let second = visit(&other, "ada", ADA).await.expect(200).tokens();
    let body = json!({"new_password": NEW_PASSWORD});
    other.call("PUT", "/users/me/password", &tokens.access, Some(&body)).await.expect(200);
    other.me(&second.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    other.login(ADA, NEW_PASSWORD).await.expect(200);
    visit(&other, "ada", "").await.expect(200);
}

/// The identity follows its subject, and the address of the account its owner.
#[tokio::test]
async fn a_change_of_address_keeps_the_identities() {
    let service = service();
    let tokens = visit(&service, "ada", ADA).await.expect(200).tokens();
    change(&service, &tokens.access, "next@example.com").await;
    let again = visit(&service, "ada", ADA).await.expect(200).tokens();
    assert_eq!(service.me(&again.access).await.expect(200).body["email"], "next@example.com");
    assert_eq!(count(&service, "users"), 1);
}
