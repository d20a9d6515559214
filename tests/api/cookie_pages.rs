//! Cookie mode: the pages that may use it. A request that relies on a cookie, or asks for one, must come from such a page.

use serde_json::json;

use crate::support::browser::{Browser, cookie_login, set_cookies};
use crate::support::{EMAIL, PASSWORD, Service};

/// The pages that may use the cookies, by the headers of their browser.
#[tokio::test]
async fn only_pages_of_the_service_and_listed_ones_of_its_site_may_use_cookies() {
    const PAGES: [(Option<&str>, Option<&str>, bool); 16] = [
        (Some("same-origin"), Some("https://auth.example.com"), true),
        (Some("same-origin"), None, true),
        (Some("same-site"), Some("https://app.example.com"), true),
        (Some("same-site"), Some("https://other.example.com"), false),
        (Some("same-site"), Some("https://auth.example.com"), false),
        (Some("same-site"), None, false),
        (Some("cross-site"), Some("https://app.example.com"), false),
        (Some("cross-site"), Some("https://evil.example"), false),
        (Some("cross-site"), None, false),
        (Some("none"), None, false),
        (Some(""), Some("https://auth.example.com"), false),
        (None, Some("https://auth.example.com"), true),
        (None, Some("https://app.example.com"), true),
        (None, Some("https://auth.example.com.evil.example"), false),
        (None, Some("null"), false),
        (None, None, false),
    ];
    let service = Service::with(&[
        ("PUBLIC_URL", "https://auth.example.com"),
        ("BACKEND_CORS_ORIGINS", r#"["https://app.example.com"]"#),
    ]);
    let home = Browser::signed_in(&service).await;
    for (site, origin, is_allowed) in PAGES {
        let mut browser = Browser { site, origin, cookies: home.cookies.clone(), ..Browser::at_home() };
        let reply = browser.post(&service, "/auth/login", Some(&cookie_login())).await;
        assert_eq!(reply.status, if is_allowed { 200 } else { 403 }, "{site:?} {origin:?}");
        for path in ["/auth/refresh", "/auth/logout"] {
            let reply = browser.post(&service, path, None).await;
            assert_eq!(reply.status, if is_allowed { 200 } else { 403 }, "{path} {site:?} {origin:?}");
            assert_eq!(set_cookies(&reply).is_empty(), !is_allowed);
        }
    }
    let foreign = Browser { cookies: home.cookies.clone(), ..Browser::elsewhere() };
    let reply =
        foreign.clone().post(&service, "/auth/login", Some(&cookie_login())).await.expect_error(403, "FORBIDDEN");
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("share a site"));
    // A request that neither relies on a cookie nor asks for one needs no page.
    let plain = json!({"email": EMAIL, "password": PASSWORD});
    let reply = foreign.clone().post(&service, "/auth/login", Some(&plain)).await.expect(200);
    let body = json!({"refresh_token": reply.tokens().refresh});
    foreign.clone().post(&service, "/auth/refresh", Some(&body)).await.expect(200);
}

#[tokio::test]
async fn a_star_lists_no_origin() {
    let service = Service::with(&[("BACKEND_CORS_ORIGINS", r#"["*"]"#)]);
    service.register(EMAIL).await;
    for site in [Some("same-site"), None] {
        let mut browser = Browser { site, origin: Some("https://app.example.com"), ..Browser::at_home() };
        browser.post(&service, "/auth/login", Some(&cookie_login())).await.expect_error(403, "FORBIDDEN");
    }
}

/// A wrong password is not told from a right one before the page is admitted, and costs no work.
#[tokio::test]
async fn a_foreign_page_learns_nothing_about_a_password() {
    let service = Service::new();
    service.register(EMAIL).await;
    let mut foreign = Browser::elsewhere();
    for password in [PASSWORD, "wrong"] {
        let body = json!({"email": EMAIL, "password": password, "token_delivery": "cookie"});
        foreign.post(&service, "/auth/login", Some(&body)).await.expect_error(403, "FORBIDDEN");
        assert_eq!(service.last_d1_calls(), 0);
    }
}
