//! Thieves of an access token, a flow, a code or an API key, where accounts have identities and perhaps no password.

use serde_json::{Value, json};

use crate::support::federation::{
    FEDERATION, MAILING, ask_to_start, come_back, come_back_with_code, exchange, exchange_as, federated_as,
    federated_sign_in, start, start_as, with,
};
use crate::support::hash_queue::leave_hash_slots;
use crate::support::mail::settle;
use crate::support::provider::Person;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

/// Addresses for which `acme` is authoritative, so that they are proven.
const ADA: &str = "ada@acme.example";
const EVE: &str = "eve@acme.example";
const NEW_PASSWORD: &str = "staple battery horse correct";

/// An account of a provider, without a password. Returns its access token.
async fn without_password(service: &Service, subject: &str, email: &str) -> String {
    let tokens = federated_sign_in(service, "acme", &Person::of(subject, email)).await.expect(200).tokens();
    settle().await;
    service.mailbox.take();
    tokens.access
}

fn count(service: &Service, rows: &str) -> i64 {
    service.db.one(&format!("SELECT count(*) FROM {rows}"))
}

async fn call(service: &Service, method: &str, path: &str, access: &str, body: &Value) -> Reply {
    let reply = service.call(method, path, access, (!body.is_null()).then_some(body)).await;
    settle().await;
    reply
}

/// The path of an identity at Google.
fn at_google(service: &Service) -> String {
    format!("/users/me/identities/{}", service.db.one::<i64>("SELECT id FROM identities WHERE provider = 'google'"))
}

#[tokio::test]
async fn a_token_of_more_than_ten_minutes_changes_no_way_in() {
    for has_password in [true, false] {
        let service = with(&MAILING);
        let stolen = if has_password {
            service.register(ADA).await.access
        } else {
            without_password(&service, "ada", ADA).await
        };
        federated_as(&service, &stolen, "google", "link", &Person::of("g", "")).await.expect(200);
        let begun = start_as(&service, "acme", &stolen, "link").await;
        let code = come_back_with_code(&service, &begun, &Person::of("thief", "")).await;
        service.advance(601);
        let ask = async |members: Value| ask_to_start(&service, "acme", Some(&stolen), &members).await;
        ask(json!({"link": true})).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
        ask(json!({"link": true, "native": true})).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
        exchange_as(&service, Some(&stolen), &begun.flow, &code).await.expect(401);
        let unlinked = call(&service, "DELETE", &at_google(&service), &stolen, &Value::Null).await;
        unlinked.expect_error(401, "AUTH_STEP_UP_REQUIRED");
        let body = json!({"password": NEW_PASSWORD});
        let unlinked = call(&service, "DELETE", &at_google(&service), &stolen, &body).await;
        unlinked.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        if !has_password {
            let body = json!({"new_password": NEW_PASSWORD});
            let set = call(&service, "PUT", "/users/me/password", &stolen, &body).await;
            set.expect_error(401, "AUTH_STEP_UP_REQUIRED");
            call(&service, "GET", "/users/me/export", &stolen, &Value::Null).await.expect(401);
            call(&service, "DELETE", "/users/me", &stolen, &Value::Null).await.expect(401);
        }
        assert_eq!(count(&service, "identities WHERE subject = 'thief'"), 0);
        assert_eq!(count(&service, "identities WHERE subject = 'g'"), 1);
    }
}

/// The flow was begun with a fresh token, and the person stayed at the provider for a while.
#[tokio::test]
async fn a_link_needs_a_fresh_token_at_its_exchange_too() {
    let service = with(&[]);
    let stolen = service.register(EMAIL).await.access;
    service.advance(500);
    let begun = start_as(&service, "acme", &stolen, "link").await;
    let code = come_back_with_code(&service, &begun, &Person::of("1", "")).await;
    service.advance(101);
    exchange_as(&service, Some(&stolen), &begun.flow, &code).await.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(count(&service, "identities"), 0);
    // The flow is not used up: the owner steps up, and goes on.
    let fresh = call(&service, "POST", "/auth/step-up", &stolen, &json!({"password": PASSWORD})).await.expect(200);
    let fresh = fresh.body["access_token"].as_str().unwrap().to_owned();
    exchange_as(&service, Some(&fresh), &begun.flow, &code).await.expect(200);
}

#[tokio::test]
async fn a_token_steps_up_by_nothing_of_another_account() {
    let service = with(&MAILING);
    let (ada, eve) = (without_password(&service, "ada", ADA).await, without_password(&service, "eve", EVE).await);
    service.advance(601);
    // A code that was mailed to eve.
    let flow =
        call(&service, "POST", "/auth/step-up/email-code", &eve, &Value::Null).await.expect(202).body["flow"].clone();
    let code = service.mailbox.take_one().code();
    let body = json!({"flow": flow, "code": code});
    call(&service, "POST", "/auth/step-up", &ada, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let fresh = call(&service, "POST", "/auth/step-up", &eve, &body).await.expect(200);
    assert!(fresh.body["access_token"].is_string(), "it is still good for its owner");
    call(&service, "POST", "/auth/step-up", &eve, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // An identity of eve, and one of no account.
    for subject in ["eve", "stranger"] {
        let refused = federated_as(&service, &ada, "acme", "step_up", &Person::of(subject, ADA)).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    federated_as(&service, &ada, "acme", "step_up", &Person::of("ada", "")).await.expect(200);
    let body = json!({"password": PASSWORD});
    call(&service, "POST", "/auth/step-up", &ada, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

/// Something stronger is there: neither the mailbox nor a provider renews a token.
#[tokio::test]
async fn an_account_with_a_password_does_not_step_up_by_an_identity_or_a_mailed_code() {
    let service = with(&MAILING);
    let access = without_password(&service, "ada", ADA).await;
    let begun = start_as(&service, "acme", &access, "step_up").await;
    let code = come_back_with_code(&service, &begun, &Person::of("ada", "")).await;
    let set = call(&service, "PUT", "/users/me/password", &access, &json!({"new_password": PASSWORD})).await;
    set.expect(200);
    exchange_as(&service, Some(&access), &begun.flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let asked = call(&service, "POST", "/auth/step-up/email-code", &access, &Value::Null).await;
    asked.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    service.login(ADA, PASSWORD).await.expect(200);
    let with_old = json!({"new_password": NEW_PASSWORD});
    call(&service, "PUT", "/users/me/password", &access, &with_old).await.expect_error(422, "VALIDATION_ERROR");
}

#[tokio::test]
async fn the_flow_of_one_user_is_of_no_use_to_another_one() {
    let service = with(&[]);
    let (ada, eve) = (without_password(&service, "ada", ADA).await, without_password(&service, "eve", EVE).await);
    for purpose in ["link", "step_up"] {
        let begun = start_as(&service, "acme", &eve, purpose).await;
        let code = come_back_with_code(&service, &begun, &Person::of("eve", "")).await;
        let refused = exchange_as(&service, Some(&ada), &begun.flow, &code).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        exchange_as(&service, Some(&eve), &begun.flow, &code).await.expect(200);
    }
    // The flow of one client with the code of another, of each purpose.
    let [one, other] = [start(&service, "acme").await, start(&service, "acme").await];
    let link = start_as(&service, "acme", &ada, "link").await;
    let step_up = start_as(&service, "acme", &ada, "step_up").await;
    let code = come_back_with_code(&service, &other, &Person::of("eve", "")).await;
    for flow in [&one.flow, &link.flow, &step_up.flow] {
        exchange_as(&service, Some(&ada), flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    exchange(&service, &other.flow, &code).await.expect(200);
    assert_eq!(count(&service, "identities"), 2);
}

#[tokio::test]
async fn a_link_or_a_step_up_is_exchanged_by_its_living_session_only() {
    let service = with(&[]);
    let tokens = federated_sign_in(&service, "acme", &Person::of("ada", ADA)).await.expect(200).tokens();
    let key = json!({"name": "Key", "permissions": ["universities:view"]});
    let key = call(&service, "POST", "/users/me/api-keys", &tokens.access, &key).await.expect(201).body;
    let key = key["key"].as_str().unwrap();
    for purpose in ["link", "step_up"] {
        let members = json!({purpose: true});
        let callers = [None, Some("nonsense"), Some(tokens.refresh.as_str())];
        for caller in callers {
            ask_to_start(&service, "acme", caller, &members).await.expect_error(401, "AUTH_TOKEN_INVALID");
        }
        ask_to_start(&service, "acme", Some(key), &members).await.expect_error(403, "FORBIDDEN");
        let begun = start_as(&service, "acme", &tokens.access, purpose).await;
        let code = come_back_with_code(&service, &begun, &Person::of("ada", "")).await;
        exchange_as(&service, Some(key), &begun.flow, &code).await.expect_error(403, "FORBIDDEN");
        for caller in callers {
            let refused = exchange_as(&service, caller, &begun.flow, &code).await;
            refused.expect_error(401, "AUTH_TOKEN_INVALID");
        }
        let other = federated_sign_in(&service, "acme", &Person::of("ada", "")).await.expect(200).tokens();
        service.logout(&other.refresh).await.expect(200);
        let refused = exchange_as(&service, Some(&other.access), &begun.flow, &code).await;
        refused.expect_error(401, "AUTH_TOKEN_REVOKED");
        exchange_as(&service, Some(&tokens.access), &begun.flow, &code).await.expect(200);
    }
    assert_eq!(count(&service, "identities"), 1);
}

/// A token beside a flow that signs in has no effect: the browser of one user signs another one in.
#[tokio::test]
async fn a_sign_in_is_that_of_its_identity_whatever_token_is_beside_it() {
    let service = with(&[]);
    let (ada, _) = (without_password(&service, "ada", ADA).await, without_password(&service, "eve", EVE).await);
    let begun = start(&service, "acme").await;
    let code = come_back_with_code(&service, &begun, &Person::of("eve", "")).await;
    let eve = exchange_as(&service, Some(&ada), &begun.flow, &code).await.expect(200).tokens();
    assert_eq!(service.me(&eve.access).await.expect(200).body["email"], EVE);
    service.me(&ada).await.expect(200);
}

#[tokio::test]
async fn a_password_opens_no_account_that_has_none() {
    let service = with(&MAILING);
    let access = without_password(&service, "ada", ADA).await;
    service.register("bob@acme.example").await;
    let hash = |id: i64| service.db.one::<String>(&format!("SELECT password_hash FROM users WHERE id = {id}"));
    let work = |hash: &str| (hash.rsplitn(3, '$').nth(2).unwrap().to_owned(), hash.len());
    assert_eq!(work(&hash(1)), work(&hash(2)), "a hash that costs the same");
    for password in [PASSWORD, NEW_PASSWORD, "x", &hash(1)] {
        let mut costs = Vec::new();
        for email in [ADA, "bob@acme.example"] {
            leave_hash_slots(1);
            let wrong = if email == ADA { password } else { "a wrong password" };
            let reply = service.login(email, wrong).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            service.login(email, wrong).await.expect_error(503, "SERVICE_UNAVAILABLE");
            leave_hash_slots(u32::MAX);
            costs.push((reply.body["error"].clone(), reply.headers.len()));
        }
        assert_eq!(costs[0], costs[1]);
    }
    assert_eq!(service.me(&access).await.expect(200).body["has_password"], false);
}

/// Its routes are gone, and its identities are no way in that another removal may leave.
#[tokio::test]
async fn a_provider_that_is_not_in_the_settings_signs_no_user_in() {
    let first = with(&[]);
    let access = without_password(&first, "ada", ADA).await;
    federated_as(&first, &access, "google", "link", &Person::of("g", "")).await.expect(200);
    let begun = start(&first, "acme").await;
    let code = come_back_with_code(&first, &begun, &Person::of("ada", "")).await;
    let db = first.db.clone();
    drop(first);
    let remaining = [("FEDERATION", r#"[{"id": "google"}]"#)];
    let service = Service::on(db.clone(), db, &[&remaining, &FEDERATION[..]].concat());
    ask_to_start(&service, "acme", None, &json!({})).await.expect_error(404, "NOT_FOUND");
    exchange(&service, &begun.flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let unlink = async || call(&service, "DELETE", &at_google(&service), &access, &Value::Null).await;
    unlink().await.expect_error(409, "CONFLICT");
    call(&service, "PUT", "/users/me/password", &access, &json!({"new_password": PASSWORD})).await.expect(200);
    unlink().await.expect(204);
    assert_eq!(count(&service, "identities"), 1);
}

/// The owner has another provider at the same issuer: an identity is an issuer and a subject.
#[tokio::test]
async fn a_lie_about_the_address_opens_nothing() {
    let service = with(&[]);
    without_password(&service, "ada", ADA).await;
    for person in [Person { verified: false, ..Person::of("thief", ADA) }, Person::of("thief", "")] {
        let begun = start(&service, "acme").await;
        assert_eq!(come_back(&service, &begun, &person).await, "error=verified_email_required");
    }
    for provider in ["google", "github"] {
        let begun = start(&service, provider).await;
        // Another issuer with the same subject.
        let fragment = come_back(&service, &begun, &Person::of("7", ADA)).await;
        assert_eq!(fragment, "error=account_exists");
    }
    assert_eq!(count(&service, "identities"), 1);
}
