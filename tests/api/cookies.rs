//! Cookie mode: tokens that no script of a page can read, and requests that only pages of the service can make.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use edge_auth::domain::public_key::SignatureAlgorithm;
use serde_json::json;

use crate::support::authenticator::Authenticator;
use crate::support::browser::{Browser, SetCookie, cookie_login, set_cookies};
use crate::support::mail::{MAIL, ask, with};
use crate::support::passkey::{ORIGIN, parsed, register, service_with, start};
use crate::support::totp::account;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

const REFRESH: &str = "__Host-edge-auth";
const DEVICE: &str = "__Host-edge-auth-device";
const DAY: i64 = 24 * 3600;

/// Both tokens are in cookies, and no token but the access token is in the body.
fn assert_in_cookies(reply: &Reply) {
    let names: Vec<(String, i64)> =
        set_cookies(reply).into_iter().map(|SetCookie { name, max_age, .. }| (name, max_age)).collect();
    assert_eq!(names, [(REFRESH.to_owned(), 30 * DAY), (DEVICE.to_owned(), 90 * DAY)]);
    assert!(reply.body["access_token"].is_string(), "{reply:?}");
    for cookie in set_cookies(reply) {
        assert!(!reply.text.contains(&cookie.value));
    }
    assert!(reply.body["refresh_token"].is_null() && reply.body["device_token"].is_null());
}

#[tokio::test]
async fn each_way_to_sign_in_can_hand_over_cookies() {
    let mut browser = Browser::at_home();
    let service = service_with(&[]);
    let body = json!({"email": "new@example.com", "password": PASSWORD, "token_delivery": "cookie"});
    assert_in_cookies(&browser.post(&service, "/auth/register", Some(&body)).await.expect(201));
    let tokens = service.register(EMAIL).await;
    assert_in_cookies(&browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect(200));
    let mut passkey = Authenticator::new(SignatureAlgorithm::EdDsa);
    register(&service, &tokens.access, &mut passkey).await.expect(201);
    let started = start(&service).await;
    let credential = parsed(&passkey.authenticate(&started["options"], ORIGIN));
    let body = json!({"flow": started["flow"], "credential": credential, "token_delivery": "cookie"});
    assert_in_cookies(&browser.post(&service, "/auth/passkey", Some(&body)).await.expect(200));
}

#[tokio::test]
async fn a_second_factor_and_a_mailed_code_can_hand_over_cookies() {
    let mut browser = Browser::at_home();
    let service = Service::new();
    let (_, app, _) = account(&service).await;
    let due = browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect_error(401, "AUTH_MFA_REQUIRED");
    assert_eq!(set_cookies(&due), [], "the first factor opens nothing");
    let token = due.body["error"]["details"]["mfa_token"].clone();
    let body = json!({"mfa_token": token, "code": app.code(0), "token_delivery": "cookie"});
    assert_in_cookies(&browser.post(&service, "/auth/mfa", Some(&body)).await.expect(200));

    let service = with(MAIL, &[("EMAIL_SIGN_IN", "on")]);
    service.register(EMAIL).await;
    service.db.execute("UPDATE users SET email_verified_at = 1");
    let flow = ask(&service, "/auth/email/code", EMAIL).await;
    let body = json!({"flow": flow, "code": service.mailbox.take_one().code(), "token_delivery": "cookie"});
    assert_in_cookies(&browser.post(&service, "/auth/email/sign-in", Some(&body)).await.expect(200));
}

#[tokio::test]
async fn a_token_that_came_by_cookie_is_answered_by_cookie() {
    let service = Service::new();
    let mut browser = Browser::signed_in(&service).await;
    let before = browser.cookie(REFRESH).unwrap().to_owned();
    service.advance(DAY);
    for body in [None, Some(json!({})), Some(json!({"refresh_token": null, "token_delivery": "body"}))] {
        let reply = browser.post(&service, "/auth/refresh", body.as_ref()).await.expect(200);
        let [SetCookie { name, max_age, .. }] = set_cookies(&reply).try_into().unwrap();
        assert_eq!((name.as_str(), max_age), (REFRESH, 29 * DAY), "the rest of the session");
        assert!(reply.body["refresh_token"].is_null(), "{reply:?}");
        service.me(reply.body["access_token"].as_str().unwrap()).await.expect(200);
    }
    assert_ne!(browser.cookie(REFRESH).unwrap(), before);
    // A token of the body counts before the cookie, and is answered in the body.
    let other = service.login(EMAIL, PASSWORD).await.expect(200).tokens();
    let body = json!({"refresh_token": other.refresh});
    let reply = browser.post(&service, "/auth/refresh", Some(&body)).await.expect(200);
    assert_eq!(set_cookies(&reply), []);
    assert_ne!(reply.tokens().refresh, other.refresh);
}

#[tokio::test]
async fn logout_takes_the_cookie_and_removes_it() {
    let service = Service::new();
    let mut browser = Browser::signed_in(&service).await;
    let old = browser.clone();
    browser.post(&service, "/auth/logout", None).await.expect(200);
    assert_eq!(browser.cookie(REFRESH), None);
    assert!(browser.cookie(DEVICE).is_some(), "the device stays known");
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM sessions WHERE ended_at IS NULL"), 1, "of the registration");
    // A tab that still had it: the session is over, and the cookie goes.
    let mut tab = old;
    tab.post(&service, "/auth/refresh", None).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(tab.cookie(REFRESH), None);
}

#[tokio::test]
async fn a_request_without_any_token_is_refused() {
    let service = Service::new();
    for path in ["/auth/refresh", "/auth/logout"] {
        for body in [None, Some(json!({})), Some(json!({"refresh_token": null}))] {
            let reply = Browser::at_home().post(&service, path, body.as_ref()).await;
            let reply = reply.expect_error(401, "AUTH_TOKEN_INVALID");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"edge-auth\""), "no token was sent");
            assert_eq!(set_cookies(&reply), []);
        }
        let body = json!({"refresh_token": 5});
        let reply = Browser::at_home().post(&service, path, Some(&body)).await.expect_error(422, "VALIDATION_ERROR");
        assert_eq!(reply.faults(), [("refresh_token".to_owned(), "type_error".to_owned())]);
    }
}

#[tokio::test]
async fn a_token_of_no_more_use_is_removed_and_a_failure_removes_none() {
    let service = Service::new();
    for (value, code) in [("x", "AUTH_TOKEN_INVALID"), ("a.b.c", "AUTH_TOKEN_INVALID")] {
        let mut browser = Browser::at_home();
        browser.cookies.push((REFRESH.to_owned(), value.to_owned()));
        let reply = browser.post(&service, "/auth/refresh", None).await.expect_error(401, code);
        assert!(reply.header("www-authenticate").unwrap().contains("invalid_token"));
        assert_eq!(browser.cookie(REFRESH), None);
    }
    let mut browser = Browser::signed_in(&service).await;
    service.advance(8 * DAY);
    browser.clone().post(&service, "/auth/refresh", None).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.advance(-8 * DAY);
    service.db.execute("UPDATE users SET is_active = 0");
    let reply = browser.post(&service, "/auth/refresh", None).await.expect_error(403, "AUTH_INACTIVE_USER");
    assert_eq!(set_cookies(&reply), []);
    service.db.execute("ALTER TABLE sessions RENAME TO gone");
    let reply = browser.post(&service, "/auth/refresh", None).await;
    assert!(reply.status >= 500, "{reply:?}");
    assert_eq!(set_cookies(&reply), []);
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_stay_signed_in_and_a_late_one_is_a_thief() {
    let service = Service::new();
    let mut browser = Browser::signed_in(&service).await;
    let mut tab = browser.clone();
    browser.post(&service, "/auth/refresh", None).await.expect(200);
    service.advance(10);
    tab.post(&service, "/auth/refresh", None).await.expect(200);
    assert_eq!(tab.cookie(REFRESH), browser.cookie(REFRESH), "one successor, no second branch");
    let old = tab.clone();
    tab.post(&service, "/auth/refresh", None).await.expect(200);
    service.advance(11);
    old.clone().post(&service, "/auth/refresh", None).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    tab.post(&service, "/auth/refresh", None).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

/// The interval belongs to the cookie: a client that keeps its tokens itself is judged by the setting.
#[tokio::test]
async fn a_token_of_a_body_has_no_retry_interval_by_default() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.refresh(&tokens.refresh).await.expect(200);
    service.refresh(&tokens.refresh).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn the_device_cookie_keeps_strangers_from_locking_the_browser_out() {
    let service = Service::new();
    let mut browser = Browser::signed_in(&service).await;
    for number in 0..40 {
        let body = json!({"email": EMAIL, "password": "wrong"});
        service.post_from(&format!("203.0.{number}.1"), "/auth/login", &body).await.expect(401);
    }
    // At a network from which the account never signed in, only the device speaks for the browser.
    browser.ip = "198.51.100.7";
    let mut other = browser.clone();
    browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect(200);
    other.ip = "198.51.101.7";
    let plain = json!({"email": EMAIL, "password": PASSWORD});
    other.post(&service, "/auth/login", Some(&plain)).await.expect(401);
}

/// The device cookie is a device token like any other: with `REMEMBER_DEVICE_DAYS` it stands for the second factor.
#[tokio::test]
async fn the_device_cookie_remembers_a_second_factor() {
    let service = Service::with(&[("REMEMBER_DEVICE_DAYS", "7")]);
    let (_, app, _) = account(&service).await;
    let mut browser = Browser::at_home();
    let due = browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect_error(401, "AUTH_MFA_REQUIRED");
    let token = due.body["error"]["details"]["mfa_token"].clone();
    let body = json!({"mfa_token": token, "code": app.code(0), "token_delivery": "cookie"});
    browser.post(&service, "/auth/mfa", Some(&body)).await.expect(200);
    browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect(200);
    browser.cookies.retain(|(name, _)| name != DEVICE);
    browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect_error(401, "AUTH_MFA_REQUIRED");
}

#[tokio::test]
async fn deployments_below_different_paths_have_different_cookies() {
    let settings = [("BASE_PATH", "/api/v1"), ("PUBLIC_URL", "https://auth.example.com/api/v1")];
    let service = Service::with(&settings);
    let mut browser = Browser { site: None, ..Browser::at_home() };
    let body = json!({"email": EMAIL, "password": PASSWORD, "token_delivery": "cookie"});
    let reply = browser.post(&service, "/api/v1/auth/register", Some(&body)).await.expect(201);
    let names: Vec<String> = set_cookies(&reply).into_iter().map(|cookie| cookie.name).collect();
    assert_eq!(names, ["__Host-edge-auth-api-v1", "__Host-edge-auth-device-api-v1"]);
    browser.post(&service, "/api/v1/auth/refresh", None).await.expect(200);
    browser.cookies = vec![(REFRESH.to_owned(), browser.cookie(&names[0]).unwrap().to_owned())];
    browser.post(&service, "/api/v1/auth/refresh", None).await.expect_error(401, "AUTH_TOKEN_INVALID");
}

/// A neighbour of the host can set cookies for it, with any bytes.
#[tokio::test]
async fn other_cookies_do_not_matter_whatever_they_contain() {
    let service = Service::new();
    let browser = Browser::signed_in(&service).await;
    let token = browser.cookie(REFRESH).unwrap();
    let padding = "x".repeat(8000);
    for text in [
        format!("name=Zo\u{eb}; {REFRESH}={token}"),
        format!("{REFRESH}={token}; name=\u{1f600}"),
        format!("a; =; ;;{REFRESH}x=1; x{REFRESH}=2; {REFRESH}={token}"),
        format!(" {REFRESH}={token} ;{REFRESH}=another"),
        format!("{REFRESH}=; {REFRESH}={token}"),
        format!("padding={padding}; {REFRESH}={token}"),
    ] {
        let request = Request::post("/auth/refresh").header("Sec-Fetch-Site", "same-origin");
        let request = request.header("Cookie", HeaderValue::from_bytes(text.as_bytes()).unwrap());
        let reply = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, 200, "{text}");
    }
    for text in [format!("{REFRESH} ={token}"), format!("{REFRESH}=\"{token}\""), token.to_owned()] {
        let request = Request::post("/auth/refresh").header("Sec-Fetch-Site", "same-origin").header("Cookie", text);
        service.send(request.body(Body::empty()).unwrap()).await.expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn another_delivery_is_refused_and_null_is_none() {
    let body = json!({"email": EMAIL, "password": PASSWORD, "token_delivery": null});
    Browser::elsewhere().post(&Service::new(), "/auth/register", Some(&body)).await.expect(201).tokens();
    let service = Service::new();
    for value in [json!("Cookie"), json!(""), json!(true)] {
        let body = json!({"email": EMAIL, "password": PASSWORD, "token_delivery": value});
        let reply = Browser::at_home().post(&service, "/auth/login", Some(&body)).await;
        assert_eq!(reply.expect_error(422, "VALIDATION_ERROR").faults()[0].0, "token_delivery");
    }
}

/// The attributes keep the cookie from scripts and other sites, and logs have no cookie.
#[tokio::test]
async fn no_log_line_has_a_cookie() {
    let service = Service::with(&[("LOG_LEVEL", "DEBUG")]);
    let mut browser = Browser::signed_in(&service).await;
    let values: Vec<String> = browser.cookies.iter().map(|(_, value)| value.clone()).collect();
    browser.post(&service, "/auth/refresh", None).await.expect(200);
    browser.post(&service, "/auth/logout", None).await.expect(200);
    for line in service.log_lines() {
        assert!(values.iter().all(|value| !line.contains(value.as_str())), "{line}");
    }
}
