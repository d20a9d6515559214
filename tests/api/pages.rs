//! The pages and their files: policies, redirects, caches, and the settings that switch them.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::support::federation::FEDERATION;
use crate::support::mail::MAIL;
use crate::support::{Reply, Service};

const SETTINGS: &str = "/pages/settings.json";

async fn send(service: &Service, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

async fn settings_of(settings: &[(&str, &str)]) -> Value {
    let reply = Service::with(settings).get(SETTINGS).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    reply.body
}

#[tokio::test]
async fn the_pages_are_served_with_a_policy_that_allows_their_own_files_only() {
    let service = Service::new();
    for page in edge_auth::http::PAGES {
        let reply = service.get(page.path).await.expect(200);
        assert!(!reply.text.is_empty());
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("http") && !policy.contains("eval"), "{policy}");
        let is_api = page.path.starts_with("/docs") || page.path.starts_with("/redoc");
        assert_eq!(policy.contains("unsafe-inline"), is_api, "{}", page.path);
        assert_eq!(policy.contains("require-trusted-types-for 'script'"), !is_api, "{}", page.path);
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        send(&service, "POST", page.path, &[]).await.expect_error(405, "METHOD_NOT_ALLOWED");
        assert_eq!(send(&service, "HEAD", page.path, &[]).await.expect(200).text, "");
    }
}

#[tokio::test]
async fn the_root_redirects_to_the_docs_also_under_a_base_path() {
    let reply = Service::new().get("/").await.expect(307);
    assert_eq!(reply.header("location"), Some("/docs"));
    let service = Service::with(&[("BASE_PATH", "/api/v1")]);
    for path in ["/api/v1", "/api/v1/"] {
        let reply = service.get(path).await.expect(307);
        assert_eq!(reply.header("location"), Some("/api/v1/docs"), "{path}");
    }
    service.get("/api/v1/docs").await.expect(200);
}

#[tokio::test]
async fn a_slash_after_a_page_redirects_to_it() {
    for base_path in ["", "/api/v1"] {
        let service = Service::with(&[("BASE_PATH", base_path)]);
        for page in ["/docs", "/redoc", "/verify", "/reset", "/undo", "/not-me", "/invite", "/account", "/console"] {
            let reply = service.get(&format!("{base_path}{page}/")).await.expect(307);
            assert_eq!(reply.header("location"), Some(format!("{base_path}{page}").as_str()));
            service.get(&format!("{base_path}{page}")).await.expect(200);
        }
        for other in ["/docs//", "/redoc/x/", "/invite//", "/health/", "/openapi.json/"] {
            service.get(&format!("{base_path}{other}")).await.expect_error(404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_file_that_the_client_has_is_not_sent_again() {
    let service = Service::new();
    let pages = edge_auth::http::PAGES.map(|page| page.path);
    for path in pages.into_iter().chain(["/openapi.json", "/openapi.yaml", SETTINGS]) {
        let first = service.get(path).await.expect(200);
        let tag = first.header("etag").unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let reply = send(&service, "GET", path, &[("If-None-Match", &known)]).await.expect(304);
            assert_eq!((reply.text.as_str(), reply.header("etag")), ("", Some(tag.as_str())), "{path} {known}");
            assert_eq!(reply.header("cache-control"), first.header("cache-control"));
        }
        for other in ["\"other\"", "", tag.trim_matches('"')] {
            send(&service, "GET", path, &[("If-None-Match", other)]).await.expect(200);
        }
    }
    let renamed = Service::with(&[("APP_NAME", "other")]).get("/openapi.json").await;
    assert_ne!(renamed.header("etag"), service.get("/openapi.json").await.header("etag"), "the title is in it");
}

/// The build names the digest in the URLs of scripts and styles: only the content with that digest may be kept for long.
#[tokio::test]
async fn a_file_is_kept_for_a_year_under_the_url_of_its_content_only() {
    let service = Service::new();
    let html = service.get("/account").await.expect(200);
    assert_eq!(html.header("cache-control"), Some("public, max-age=300"));
    let version = html.text.split("?v=").nth(1).unwrap();
    let page = service.get(&format!("/account?v={}", &version[..16])).await.expect(200);
    assert_eq!(page.header("cache-control"), Some("public, max-age=300"), "a page has one URL for all its contents");
    for file in ["account/account.js", "account/account.css"] {
        let start = html.text.find(&format!("{file}?v=")).unwrap();
        let url = format!("/{}", &html.text[start..start + file.len() + 3 + 16]);
        let reply = service.get(&url).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"), "{url}");
        let tag = reply.header("etag").unwrap();
        let reply = send(&service, "GET", &url, &[("If-None-Match", tag)]).await.expect(304);
        assert_eq!(reply.header("cache-control"), Some("public, max-age=31536000, immutable"));
        for other in ["", "?v=", "?v=0123456789abcdef", "?x=1", &url[url.len() - 19..url.len() - 1]] {
            let reply = service.get(&format!("/{file}{other}")).await.expect(200);
            assert_eq!(reply.header("cache-control"), Some("public, max-age=300"), "{file}{other}");
        }
    }
}

#[tokio::test]
async fn the_settings_of_the_pages_are_those_of_the_deployment_and_no_secret() {
    let expected = json!({
        "app_name": "edge-auth", "pages": true, "logo_url": null, "accent": null, "registration": "open",
        "password_min_length": 8, "mail": false, "email_verification": "off", "email_sign_in": false, "passkeys": false,
        "providers": [],
    });
    assert_eq!(settings_of(&[]).await, expected);
    let more = [
        ("APP_NAME", "Uni </script>"),
        ("PAGES_LOGO_URL", "/logo.svg"),
        ("PAGES_ACCENT", "#3355ff"),
        ("REGISTRATION", "invitation"),
        ("PASSWORD_MIN_LENGTH", "15"),
        ("EMAIL_VERIFICATION", "required"),
        ("EMAIL_SIGN_IN", "on"),
        ("WEBAUTHN_RP_ID", "example.com"),
        ("WEBAUTHN_ORIGINS", r#"["https://auth.example.com"]"#),
        ("PAGES", "off"),
    ];
    let settings: Vec<(&str, &str)> = more.into_iter().chain(MAIL.iter().copied()).chain(FEDERATION).collect();
    let expected = json!({
        "app_name": "Uni </script>", "pages": false, "logo_url": "/logo.svg", "accent": "#3355ff",
        "registration": "invitation", "password_min_length": 15, "mail": true, "email_verification": "required",
        "email_sign_in": true, "passkeys": true,
        "providers": [
            {"id": "acme", "name": "Acme", "steps_up": true},
            {"id": "google", "name": "Google", "steps_up": false},
            {"id": "github", "name": "GitHub", "steps_up": false},
        ],
    });
    assert_eq!(settings_of(&settings).await, expected);
}

#[tokio::test]
async fn pages_for_people_can_be_left_out() {
    for base_path in ["", "/api/v1"] {
        let service = Service::with(&[("PAGES", "off"), ("BASE_PATH", base_path)]);
        for page in edge_auth::http::PAGES {
            let is_people = page.path.starts_with("/account") || page.path.starts_with("/console");
            let reply = service.get(&format!("{base_path}{}", page.path)).await;
            assert_eq!(reply.status, if is_people { 404 } else { 200 }, "{}", page.path);
        }
        service.get(&format!("{base_path}/account/")).await.expect_error(404, "NOT_FOUND");
        service.get(&format!("{base_path}{SETTINGS}")).await.expect(200);
    }
}

#[tokio::test]
async fn the_api_pages_can_be_left_out_with_the_description_and_the_root() {
    for base_path in ["", "/api/v1"] {
        let service = Service::with(&[("API_PAGES", "off"), ("BASE_PATH", base_path)]);
        for page in edge_auth::http::PAGES {
            let is_api = page.path.starts_with("/docs") || page.path.starts_with("/redoc");
            let reply = service.get(&format!("{base_path}{}", page.path)).await;
            assert_eq!(reply.status, if is_api { 404 } else { 200 }, "{}", page.path);
        }
        for path in ["", "/", "/docs/", "/redoc/", "/openapi.json", "/openapi.yaml"] {
            let path = format!("{base_path}{path}");
            if !path.is_empty() {
                service.get(&path).await.expect_error(404, "NOT_FOUND");
            }
        }
        service.get(&format!("{base_path}/health")).await.expect(200);
    }
}
