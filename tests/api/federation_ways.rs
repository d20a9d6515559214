//! The ways in with other providers: a new account, a linked identity, an account that is joined, apps and GitHub.

use edge_auth::domain::keys::Algorithm;
use serde_json::{Value, json};

use crate::support::federation::{
    FEDERATION, MAILING, ask_to_start, come_back, come_back_with_code, confirm, exchange, federated_as,
    federated_sign_in, mailed_flow, present, start, start_native, with,
};
use crate::support::identities::with_identities;
use crate::support::provider::{Fault, Person};
use crate::support::world::World;
use crate::support::{EMAIL, Service, clock};

#[tokio::test]
async fn the_first_sign_in_makes_an_account_and_the_next_one_finds_it() {
    let service = with(&[]);
    for provider in ["acme", "google", "github"] {
        let person = Person::of("4711", &format!("{provider}@example.com"));
        let first = federated_sign_in(&service, provider, &person).await.expect(200).tokens();
        let second = federated_sign_in(&service, provider, &person).await.expect(200).tokens();
        let [first, second] = [service.me(&first.access).await, service.me(&second.access).await];
        assert_eq!(first.body["id"], second.body["id"]);
        assert_eq!(first.body["email"], json!(person.email));
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 3);
}

#[tokio::test]
async fn an_account_is_joined_by_a_mailed_code() {
    let service = with(&MAILING);
    let tokens = service.register(EMAIL).await;
    let refused = federated_sign_in(&service, "acme", &Person::of("1", EMAIL)).await;
    let refused = refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let code = service.mailbox.take_one().code();
    let joined = confirm(&service, &mailed_flow(&refused), &code).await.expect(200).tokens();
    assert_eq!(service.me(&joined.access).await.expect(200).body["email"], EMAIL);
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn an_identity_is_linked() {
    let service: Service = with(&[]);
    let tokens = service.register(EMAIL).await;
    let person = Person { subject: "7".to_owned(), email: String::new(), verified: false };
    federated_as(&service, &tokens.access, "acme", "link", &person).await.expect(200);
    federated_sign_in(&service, "acme", &person).await.expect(200);
}

#[tokio::test]
async fn an_app_presents_an_id_token() {
    let service = with(&[]);
    let (flow, nonce) = start_native(&service, "acme").await;
    let person = Person::of("8", EMAIL);
    service.server.providers.claim("aud", json!("acme-app"));
    let id_token = service.server.providers.id_token("acme", &nonce, &person);
    present(&service, "acme", &flow, &id_token).await.expect(200);
    present(&service, "acme", &flow, &id_token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
}

#[tokio::test]
async fn faults_of_a_provider_lead_back_to_the_application() {
    for (endpoint, fault, error) in [
        ("token", Fault::Silence, "temporarily_unavailable"),
        ("token", Fault::Status(503), "temporarily_unavailable"),
        ("token", Fault::Cut, "server_error"),
        ("keys", Fault::Body("{}".to_owned()), "server_error"),
    ] {
        let service = with(&[]);
        let started = start(&service, "acme").await;
        service.server.providers.fail(endpoint, fault.clone());
        let fragment = come_back(&service, &started, &Person::of("9", EMAIL)).await;
        assert_eq!(fragment, format!("error={error}"), "{endpoint} {fault:?}");
        service.server.providers.behave();
        // A wrong document is not asked for again at once.
        service.advance(30);
        let started = start(&service, "acme").await;
        let code = come_back_with_code(&service, &started, &Person::of("9", EMAIL)).await;
        exchange(&service, &started.flow, &code).await.expect(200);
    }
}

/// The subject names the person at the provider, so it must not stay behind.
#[tokio::test]
async fn identities_are_exported_and_erased() {
    let service = with(&[]);
    let person = Person::of("4711", EMAIL);
    let tokens = federated_sign_in(&service, "acme", &person).await.expect(200).tokens();
    let export = service.get_as("/users/me/export", &tokens.access).await.expect(200).body;
    let identity = &export["identities"][0];
    let shown = ["provider", "issuer", "subject", "email", "suspended_at"].map(|name| identity[name].clone());
    assert_eq!(json!(shown), json!(["acme", "https://id.acme.example", "4711", EMAIL, null]));
    service.call("DELETE", "/users/me", &tokens.access, None).await.expect(204);
    service.tend().await;
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities"), 0);
    let text = serde_json::to_string(&service.db.rows("SELECT * FROM audit_events")).unwrap();
    assert!(!text.contains("4711"), "{text}");
    // The person may come again, as another user.
    let again = federated_sign_in(&service, "acme", &person).await.expect(200).tokens();
    service.me(&again.access).await.expect(200);
}

/// Each rule, broken alone. The unit tests have further values.
#[tokio::test]
async fn an_id_token_that_breaks_a_rule_signs_no_user_in() {
    let now = clock().seconds();
    for (name, value) in [
        ("iss", json!("https://id.other.example")),
        ("aud", json!("another")),
        ("aud", json!("acme-app")),
        ("azp", json!("another")),
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("sub", Value::Null),
        ("exp", json!(now - 61)),
        ("iat", json!(now - 61)),
        ("iat", json!(now + 61)),
    ] {
        let service = with(&[]);
        service.server.providers.claim(name, value.clone());
        let started = start(&service, "acme").await;
        let fragment = come_back(&service, &started, &Person::of("1", EMAIL)).await;
        assert_eq!(fragment, "error=server_error", "{name}: {value}");
    }
    for (name, value) in [("alg", "none"), ("alg", "HS256"), ("typ", "at+jwt"), ("kid", "key-2"), ("crit", "x")] {
        let service = with(&[]);
        service.server.providers.header(name, json!(value));
        let started = start(&service, "acme").await;
        let fragment = come_back(&service, &started, &Person::of("1", EMAIL)).await;
        assert_eq!(fragment, "error=server_error", "{name}: {value}");
    }
}

/// Without one, the service would send its secret to a place that the settings do not name.
#[tokio::test]
async fn a_description_that_breaks_a_rule_starts_no_flow() {
    for (name, value) in [
        ("issuer", "https://id.acme.example/"),
        ("token_endpoint", "http://id.acme.example/token"),
        ("token_endpoint", "https://10.0.0.1/token"),
        ("jwks_uri", "https://localhost/keys"),
    ] {
        let service = with(&[]);
        service.server.providers.describe(name, json!(value));
        let reply = ask_to_start(&service, "acme", None, &json!({})).await.expect_error(503, "SERVICE_UNAVAILABLE");
        assert!(reply.header("retry-after").is_some(), "{name}: {value}");
    }
}

/// The documents are asked for once an hour, and the keys for an unknown one at once.
#[tokio::test]
async fn a_new_key_of_a_provider_is_read_at_the_next_sign_in() {
    let service = with(&[]);
    let (providers, person) = (&service.server.providers, Person::of("1", EMAIL));
    federated_sign_in(&service, "acme", &person).await.expect(200);
    let endpoints = || providers.take_requests().into_iter().map(|(endpoint, _)| endpoint).collect::<Vec<_>>();
    assert_eq!(endpoints(), ["discovery", "token", "keys"]);
    federated_sign_in(&service, "acme", &person).await.expect(200);
    assert_eq!(endpoints(), ["token"]);
    providers.rotate(Algorithm::Es256);
    federated_sign_in(&service, "acme", &person).await.expect(200);
    assert_eq!(endpoints(), ["token", "keys"]);
    // A second one within a minute waits: strangers make keys up.
    providers.rotate(Algorithm::EdDsa);
    let started = start(&service, "acme").await;
    assert_eq!(come_back(&service, &started, &person).await, "error=server_error");
    assert_eq!(endpoints(), ["token"]);
    service.advance(60);
    federated_sign_in(&service, "acme", &person).await.expect(200);
}

/// The winner of two exchanges at once has made the account, so the other one is no attempt to register its address.
#[tokio::test]
async fn an_exchange_that_was_overtaken_by_its_own_flow_leaves_no_event() {
    let winner = "
        INSERT INTO users (email, password_hash, created_at) VALUES ('stranger-1000001@example.com', 'x', 1);
        INSERT INTO used_flows (id, redeemed_by, expires_at) VALUES (1000001, 7, 9e15)";
    let world = World::overtaken_with(&[], &FEDERATION, "INSERT INTO used_flows (id, redeemed_by", winner);
    let request = with_identities(&world.service.db, "POST /auth/federated/exchange EXCHANGE_OF_STRANGER");
    world.anonymous().ask(&request).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(world.service.db.rows("SELECT type, reason FROM audit_events"), Vec::new());
}
