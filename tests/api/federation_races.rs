//! Exchanges, links and removals at once: of two uses of a flow one counts, an identity has one owner, an account twenty
//! identities at most, and a way to sign in is left. Each request reads before the first of them writes.

use serde_json::{Value, json};

use crate::support::federation::{
    FEDERATION, MAILING, come_back_with_code, confirm, exchange, exchange_as, federated_as, federated_sign_in,
    mailed_flow, present, start, start_as, start_native,
};
use crate::support::mail::wrong_code;
use crate::support::passkey::{PATH, interleaving, register, sign_in};
use crate::support::provider::Person;
use crate::support::{EMAIL, Reply, Service};

/// An address for which `acme` is authoritative.
const OWN_ADDRESS: &str = "ada@acme.example";

fn service(settings: &[(&str, &str)]) -> Service {
    interleaving(&[settings, &FEDERATION].concat())
}

fn count(service: &Service, rows: &str) -> i64 {
    service.db.one(&format!("SELECT count(*) FROM {rows}"))
}

fn sorted<const N: usize>(replies: [Reply; N]) -> [u16; N] {
    let mut statuses = replies.map(|reply| reply.status);
    statuses.sort_unstable();
    statuses
}

fn reason(reply: &Reply) -> &str {
    reply.body["error"]["details"]["reason"].as_str().unwrap_or_default()
}

/// A flow with the code that its browser brought back.
async fn returned(service: &Service, person: &Person) -> [String; 2] {
    let started = start(service, "acme").await;
    let code = come_back_with_code(service, &started, person).await;
    [started.flow, code]
}

/// The same of a signed-in user.
async fn returned_as(service: &Service, access: &str, purpose: &str, person: &Person) -> [String; 2] {
    let started = start_as(service, "acme", access, purpose).await;
    let code = come_back_with_code(service, &started, person).await;
    [started.flow, code]
}

#[tokio::test]
async fn a_flow_opens_one_of_two_sessions_that_are_asked_for_at_once() {
    for (email, account) in [
        (EMAIL, "none"),
        (OWN_ADDRESS, "none"),
        (EMAIL, "linked"),
        (OWN_ADDRESS, "verified"),
        (OWN_ADDRESS, "unverified"),
    ] {
        let service = service(&[]);
        let person = Person::of("1", email);
        match account {
            "none" => {}
            "linked" => drop(federated_sign_in(&service, "acme", &person).await.expect(200)),
            _ => drop(service.register(email).await),
        }
        if account == "verified" {
            service.db.execute("UPDATE users SET email_verified_at = 1");
        }
        let [flow, code] = returned(&service, &person).await;
        service.db.execute("DELETE FROM sessions");
        let replies = tokio::join!(exchange(&service, &flow, &code), exchange(&service, &flow, &code));
        assert_eq!(sorted([replies.0, replies.1]), [200, 401], "{account}");
        let rows = ["users", "identities", "sessions"].map(|table| count(&service, table));
        assert_eq!(rows, [1, 1, 1], "{account}");
        exchange(&service, &flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn an_id_token_opens_one_of_two_sessions_that_are_asked_for_at_once() {
    let service = service(&[]);
    let (flow, nonce) = start_native(&service, "acme").await;
    let id_token = service.server.providers.id_token("acme", &nonce, &Person::of("1", EMAIL));
    let replies =
        tokio::join!(present(&service, "acme", &flow, &id_token), present(&service, "acme", &flow, &id_token));
    assert_eq!(sorted([replies.0, replies.1]), [200, 401]);
    assert_eq!(["users", "sessions"].map(|table| count(&service, table)), [1, 1]);
}

#[tokio::test]
async fn a_flow_sends_one_mail_and_its_code_is_used_once() {
    let service = service(&MAILING);
    service.register(EMAIL).await;
    let [flow, code] = returned(&service, &Person::of("1", EMAIL)).await;
    let (first, second) = tokio::join!(exchange(&service, &flow, &code), exchange(&service, &flow, &code));
    let mail = service.mailbox.take_one();
    let mailed = [first, second].into_iter().find(|reply| reply.body["error"]["details"]["flow"].is_string()).unwrap();
    let (flow, code) = (mailed_flow(&mailed), mail.code());
    let replies = tokio::join!(confirm(&service, &flow, &code), confirm(&service, &flow, &code));
    assert_eq!(sorted([replies.0, replies.1]), [200, 401]);
    assert_eq!(["identities", "sessions"].map(|table| count(&service, table)), [1, 1]);
    assert_eq!(count(&service, "audit_events WHERE type = 'identity_linked'"), 1);
}

/// The last guess and the right code at once: five wrong codes end it, in whatever order they arrive.
#[tokio::test]
async fn concurrent_wrong_codes_are_all_counted() {
    let service = service(&MAILING);
    service.register(EMAIL).await;
    let refused = federated_sign_in(&service, "acme", &Person::of("1", EMAIL)).await;
    let (flow, code) = (mailed_flow(&refused), service.mailbox.take_one().code());
    let wrong = wrong_code(&code);
    let guess = async || confirm(&service, &flow, wrong).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    tokio::join!(guess(), guess(), guess(), guess(), guess(), guess());
    confirm(&service, &flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT failures FROM email_proofs"), 5);
}

#[tokio::test]
async fn two_identities_with_one_address_make_one_account() {
    for (email, settings) in [(EMAIL, &[][..]), (OWN_ADDRESS, &[]), (OWN_ADDRESS, &MAILING)] {
        let service = service(settings);
        let [flow_1, code_1] = returned(&service, &Person::of("1", email)).await;
        let [flow_2, code_2] = returned(&service, &Person::of("2", email)).await;
        let replies = tokio::join!(exchange(&service, &flow_1, &code_1), exchange(&service, &flow_2, &code_2));
        let replies = [replies.0, replies.1];
        assert!(replies.iter().any(|reply| reason(reply) == "account_exists"), "{replies:?}");
        assert_eq!(sorted(replies), [200, 409]);
        assert_eq!(["users", "identities", "sessions"].map(|table| count(&service, table)), [1, 1, 1]);
    }
}

/// A person with two tabs: the second one signs in as soon as it tries again.
#[tokio::test]
async fn two_flows_of_a_new_person_make_one_account() {
    let service = service(&[]);
    let person = Person::of("1", EMAIL);
    let [[flow_1, code_1], [flow_2, code_2]] = [returned(&service, &person).await, returned(&service, &person).await];
    let replies = tokio::join!(exchange(&service, &flow_1, &code_1), exchange(&service, &flow_2, &code_2));
    assert!(matches!(sorted([replies.0, replies.1]), [200, 200 | 401 | 409]));
    assert_eq!(["users", "identities"].map(|table| count(&service, table)), [1, 1]);
    federated_sign_in(&service, "acme", &person).await.expect(200);
    assert_eq!(count(&service, "users"), 1);
}

/// A registration by password and one by a provider.
#[tokio::test]
async fn an_address_gets_one_account_whichever_way_it_is_registered() {
    let service = service(&[]);
    let [flow, code] = returned(&service, &Person::of("1", EMAIL)).await;
    let body = json!({"email": EMAIL, "password": crate::support::PASSWORD});
    let replies = tokio::join!(service.post("/auth/register", &body), exchange(&service, &flow, &code));
    let statuses = (replies.0.status, replies.1.status);
    assert!(matches!(statuses, (201, 409) | (409, 200)), "{statuses:?}");
    assert_eq!(["users", "sessions"].map(|table| count(&service, table)), [1, 1]);
    assert_eq!(count(&service, "identities"), i64::from(statuses.1 == 200));
}

#[tokio::test]
async fn an_identity_that_two_users_link_at_once_has_one_owner() {
    let service = service(&[]);
    let ada = service.register(EMAIL).await.access;
    let bob = service.register("bob@example.com").await.access;
    let person = Person::of("1", "");
    let [flow_1, code_1] = returned_as(&service, &ada, "link", &person).await;
    let [flow_2, code_2] = returned_as(&service, &bob, "link", &person).await;
    let replies = tokio::join!(
        exchange_as(&service, Some(&ada), &flow_1, &code_1),
        exchange_as(&service, Some(&bob), &flow_2, &code_2)
    );
    let replies = [replies.0, replies.1];
    assert!(replies.iter().any(|reply| reason(reply) == "linked_to_other"), "{replies:?}");
    assert_eq!(sorted(replies), [200, 409]);
    assert_eq!(count(&service, "identities"), 1);
    assert_eq!(count(&service, "audit_events WHERE type = 'identity_linked'"), 1);
}

/// A new account by one flow, a link to another account by the other.
#[tokio::test]
async fn an_identity_that_is_linked_while_it_signs_in_has_one_owner() {
    let service = service(&[]);
    let ada = service.register(EMAIL).await.access;
    let person = Person::of("1", "new@example.com");
    let [flow_1, code_1] = returned_as(&service, &ada, "link", &person).await;
    let [flow_2, code_2] = returned(&service, &person).await;
    let replies =
        tokio::join!(exchange_as(&service, Some(&ada), &flow_1, &code_1), exchange(&service, &flow_2, &code_2));
    assert!(matches!((replies.0.status, replies.1.status), (200, 401 | 409) | (409, 200)));
    assert_eq!(count(&service, "identities"), 1);
    let owners = count(&service, "users AS u WHERE has_password = 0 AND id NOT IN (SELECT user_id FROM identities)");
    assert_eq!(owners, 0, "no account is left without a way in");
}

#[tokio::test]
async fn an_account_has_twenty_identities_whatever_is_linked_at_once() {
    let service = service(&[]);
    let ada = service.register(EMAIL).await.access;
    service.db.execute(
        "WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 18)
         INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
         SELECT id, 1, 'acme', 'https://id.acme.example', 'old ' || id, 1 FROM n",
    );
    let mut returns = Vec::new();
    for number in 1..=4 {
        returns.push(returned_as(&service, &ada, "link", &Person::of(&number.to_string(), "")).await);
    }
    let link = async |number: usize| {
        let [flow, code] = &returns[number];
        exchange_as(&service, Some(&ada), flow, code).await
    };
    let replies = tokio::join!(link(0), link(1), link(2), link(3));
    let replies = [replies.0, replies.1, replies.2, replies.3];
    assert_eq!(replies.iter().filter(|reply| reason(reply) == "too_many").count(), 2, "{replies:?}");
    assert_eq!(sorted(replies), [200, 200, 409, 409]);
    assert_eq!(count(&service, "identities"), 20);
    // One that is there already is no further one.
    let again = returned_as(&service, &ada, "link", &Person::of("old 1", "")).await;
    let linked = exchange_as(&service, Some(&ada), &again[0], &again[1]).await.expect(200);
    assert_eq!(linked.body["id"], 1);
}

/// An account that a provider has made, with a second identity.
async fn of_two_providers(service: &Service) -> String {
    let access = federated_sign_in(service, "acme", &Person::of("1", EMAIL)).await.expect(200).tokens().access;
    federated_as(service, &access, "google", "link", &Person::of("1", "")).await.expect(200);
    access
}

fn identities(service: &Service) -> Vec<i64> {
    let rows = service.db.rows("SELECT id FROM identities ORDER BY id");
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn unlink(service: &Service, access: &str, id: i64) -> Reply {
    service.call("DELETE", &format!("/users/me/identities/{id}"), access, None).await
}

#[tokio::test]
async fn of_two_removals_at_once_one_leaves_the_last_way_in() {
    let service = service(&[]);
    let access = of_two_providers(&service).await;
    let ids = identities(&service);
    let replies = tokio::join!(unlink(&service, &access, ids[0]), unlink(&service, &access, ids[1]));
    assert_eq!(sorted([replies.0, replies.1]), [204, 409]);
    assert_eq!(identities(&service).len(), 1);
    assert_eq!(count(&service, "audit_events WHERE type = 'identity_unlinked'"), 1);
    // The same identity twice is one removal.
    federated_as(&service, &access, "github", "link", &Person::of("7", "")).await.expect(200);
    let id = identities(&service)[0];
    let replies = tokio::join!(unlink(&service, &access, id), unlink(&service, &access, id));
    assert_eq!(sorted([replies.0, replies.1]), [204, 404]);
    service.me(&access).await.expect(200);
}

#[tokio::test]
async fn the_last_passkey_and_the_last_identity_do_not_go_at_once() {
    // The public URL is that of the passkeys.
    let service = interleaving(&FEDERATION[1..]);
    let tokens = service.register(EMAIL).await;
    let mut passkey =
        crate::support::authenticator::Authenticator::new(edge_auth::domain::public_key::SignatureAlgorithm::EdDsa);
    register(&service, &tokens.access, &mut passkey).await.expect(201);
    let access = sign_in(&service, &mut passkey).await.expect(200).tokens().access;
    service.db.execute(
        "UPDATE users SET has_password = 0;
         INSERT INTO identities (id, user_id, provider, issuer, subject, created_at)
         VALUES (1, 1, 'acme', 'https://id.acme.example', '1', 1)",
    );
    let passkey: i64 = service.db.one("SELECT id FROM passkeys");
    let path = format!("{PATH}/{passkey}");
    let replies = tokio::join!(unlink(&service, &access, 1), service.call("DELETE", &path, &access, None));
    assert_eq!(sorted([replies.0, replies.1]), [204, 409]);
    assert_eq!(count(&service, "passkeys") + count(&service, "identities"), 1);
}

#[tokio::test]
async fn a_step_up_flow_is_used_once() {
    let service = service(&[]);
    let person = Person::of("1", EMAIL);
    let access = federated_sign_in(&service, "acme", &person).await.expect(200).tokens().access;
    let [flow, code] = returned_as(&service, &access, "step_up", &person).await;
    let step_up = async || exchange_as(&service, Some(&access), &flow, &code).await;
    let replies = tokio::join!(step_up(), step_up());
    let is_token = |reply: &Reply| reply.body.get("access_token").is_some_and(Value::is_string);
    assert_eq!([&replies.0, &replies.1].into_iter().filter(|reply| is_token(reply)).count(), 1);
    assert_eq!(sorted([replies.0, replies.1]), [200, 401]);
}
