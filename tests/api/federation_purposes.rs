//! Flows, codes and ID tokens in the place of others: each is good for its own purpose, its own client, and its own provider.

use serde_json::{Value, json};

use crate::support::federation::{
    MAILING, ask_to_start, come_back_with_code, confirm, exchange, federated_sign_in, mailed_flow, start, start_as,
    with,
};
use crate::support::mail::{ask, settle};
use crate::support::provider::Person;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

/// An address for which `acme` is authoritative.
const ADA: &str = "ada@acme.example";

async fn post(service: &Service, path: &str, access: Option<&str>, body: &Value) -> Reply {
    let reply = match access {
        None => service.post(path, body).await,
        Some(access) => service.call("POST", path, access, Some(body)).await,
    };
    settle().await;
    reply
}

/// The flow of an app for this purpose, and its nonce.
async fn native(service: &Service, provider: &str, access: Option<&str>, purpose: &str) -> [String; 2] {
    let mut members = json!({"native": true, "return_url": null});
    if access.is_some() {
        members[purpose] = json!(true);
    }
    let reply = ask_to_start(service, provider, access, &members).await.expect(200);
    ["flow", "nonce"].map(|name| reply.body[name].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_apps_flow_that_links_or_steps_up_needs_its_caller_too() {
    let service = with(&[]);
    let ada = federated_sign_in(&service, "acme", &Person::of("ada", ADA)).await.expect(200).tokens().access;
    let eve =
        federated_sign_in(&service, "acme", &Person::of("eve", "eve@acme.example")).await.expect(200).tokens().access;
    for purpose in ["link", "step_up"] {
        let [flow, nonce] = native(&service, "acme", Some(&ada), purpose).await;
        let id_token = service.server.providers.id_token("acme", &nonce, &Person::of("ada", ""));
        let path = "/auth/federated/acme/id-token";
        let body = json!({"flow": flow, "id_token": id_token});
        post(&service, path, None, &body).await.expect_error(401, "AUTH_TOKEN_INVALID");
        post(&service, path, Some(&eve), &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let done = post(&service, path, Some(&ada), &body).await.expect(200).body;
        assert_eq!(done.get("access_token").is_some(), purpose == "step_up", "{done}");
        assert!(done.get("refresh_token").is_none(), "{done}");
    }
    service.advance(500);
    let [flow, nonce] = native(&service, "acme", Some(&ada), "link").await;
    service.advance(101);
    let id_token = service.server.providers.id_token("acme", &nonce, &Person::of("thief", ""));
    let body = json!({"flow": flow, "id_token": id_token});
    let refused = post(&service, "/auth/federated/acme/id-token", Some(&ada), &body).await;
    refused.expect_error(401, "AUTH_STEP_UP_REQUIRED");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities"), 2);
}

#[tokio::test]
async fn an_id_token_is_good_for_its_own_flow_of_its_own_provider() {
    let service = with(&[]);
    let person = Person::of("1", EMAIL);
    let [flow, nonce] = native(&service, "acme", None, "").await;
    let [other_flow, other_nonce] = native(&service, "acme", None, "").await;
    let [of_google, google_nonce] = native(&service, "google", None, "").await;
    let browser = start(&service, "acme").await;
    let providers = &service.server.providers;
    let (token, other_token) =
        (providers.id_token("acme", &nonce, &person), providers.id_token("acme", &other_nonce, &person));
    let of_google_token = providers.id_token("google", &google_nonce, &person);
    let at = |provider: &str| format!("/auth/federated/{provider}/id-token");
    for (provider, flow, id_token) in [
        ("acme", &flow, &other_token),
        ("acme", &other_flow, &token),
        ("acme", &browser.flow, &token),
        ("acme", &flow, &of_google_token),
        ("google", &flow, &token),
        ("google", &of_google, &token),
        ("acme", &of_google, &of_google_token),
    ] {
        let body = json!({"flow": flow, "id_token": id_token});
        post(&service, &at(provider), None, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    // Neither is a code of a browser.
    exchange(&service, &flow, &token).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let code = come_back_with_code(&service, &browser, &person).await;
    exchange(&service, &flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let body = json!({"flow": flow, "id_token": code});
    post(&service, &at("acme"), None, &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM users"), 0);
    for (provider, flow, id_token) in [("acme", &flow, &token), ("google", &of_google, &of_google_token)] {
        let reply = post(&service, &at(provider), None, &json!({"flow": flow, "id_token": id_token})).await;
        assert_eq!(reply.status, if provider == "acme" { 200 } else { 409 });
    }
}

/// The mails of one account at once: no flow takes the code of another.
#[tokio::test]
async fn a_mailed_code_is_good_for_its_own_operation() {
    let service = with(&[&[("EMAIL_SIGN_IN", "on")], &MAILING[..]].concat());
    let tokens = service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let refused = federated_sign_in(&service, "acme", &Person::of("1", EMAIL)).await;
    let (flow, code) = (mailed_flow(&refused), service.mailbox.take_one().code());
    let own = ask(&service, "/auth/email/code", EMAIL).await;
    let own_code = service.mailbox.take_one().code();
    let reset = ask(&service, "/auth/password/forgot", EMAIL).await;
    let reset_code = service.mailbox.take_one().code();
    let operations = [
        ("/auth/email/sign-in", json!({})),
        ("/auth/password/reset", json!({"new_password": "staple battery horse correct"})),
        ("/auth/email/verify", json!({"password": PASSWORD})),
    ];
    for (path, members) in &operations {
        for proof in [
            json!({"flow": flow, "code": code}),
            json!({"flow": own, "code": code}),
            json!({"flow": reset, "code": code}),
        ] {
            let mut body = members.clone();
            body.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
            post(&service, path, Some(&tokens.access), &body).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        }
    }
    for (flow, code) in [(&flow, &own_code), (&flow, &reset_code), (&own, &own_code), (&reset, &reset_code)] {
        confirm(&service, flow, code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities"), 0);
    confirm(&service, &flow, &code).await.expect(200);
}

/// The code of a return is encrypted for another purpose than the flow of a mail.
#[tokio::test]
async fn a_flow_of_a_mail_is_no_code_and_a_code_no_flow() {
    let service = with(&MAILING);
    let access = service.register(EMAIL).await.access;
    let refused = federated_sign_in(&service, "acme", &Person::of("1", EMAIL)).await;
    let (mailed, code) = (mailed_flow(&refused), service.mailbox.take_one().code());
    let begun = start(&service, "acme").await;
    let returned = come_back_with_code(&service, &begun, &Person::of("1", EMAIL)).await;
    exchange(&service, &begun.flow, &mailed).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    exchange(&service, &mailed, &returned).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    for flow in [&returned, &begun.flow] {
        confirm(&service, flow, &code).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    // A state is no flow.
    let state = begun.authorize_url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    exchange(&service, state, &returned).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    // Of another purpose.
    for purpose in ["link", "step_up"] {
        let other = start_as(&service, "acme", &access, purpose).await;
        let body = json!({"flow": other.flow, "code": returned});
        let refused = post(&service, "/auth/federated/exchange", Some(&access), &body).await;
        refused.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM identities"), 0);
    confirm(&service, &mailed, &code).await.expect(200);
}
