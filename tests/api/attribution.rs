//! The attribution of refusals in the log: network, user, session and key, as far as they are known.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::limiter::LIMIT;
use crate::support::world::World;
use crate::support::{EMAIL, PASSWORD, Reply, Service};

const RAY: &str = "230b030023ae2822-SJC";
const MEMBERS: [&str; 4] = ["network", "user_id", "session_id", "kid"];

/// Sends a request from 203.0.113.7 with a ray.
async fn ask(service: &Service, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("CF-Connecting-IP", "203.0.113.7").header("CF-Ray", RAY);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let body = match body {
        None => Body::empty(),
        Some(body) => {
            request = request.header("Content-Type", "application/json");
            Body::from(body.to_string())
        }
    };
    service.send(request.body(body).unwrap()).await
}

/// The attribution in the last refusal.
fn attribution(service: &Service) -> [Value; 4] {
    let line = service.logs("Request refused").pop().unwrap();
    assert_eq!((&line["ray"], &line["level"]), (&RAY.into(), &"WARNING".into()));
    MEMBERS.map(|member| line[member].clone())
}

/// The member of a part of a token; part 0 is its header.
fn member(token: &str, part: usize, name: &str) -> Value {
    let json = URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&json).unwrap()[name].clone()
}

fn session_of(token: &str) -> i64 {
    member(token, 1, "sid").as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_refused_login_names_the_account_if_there_is_one() {
    let service = Service::new();
    service.register(EMAIL).await;
    let login = |email: &'static str| json!({"email": email, "password": "a wrong password"});
    ask(&service, "POST", "/auth/login", None, Some(login(EMAIL))).await.expect(401);
    assert_eq!(attribution(&service), [json!("203.0.113.0/24"), json!(1), Value::Null, Value::Null]);
    ask(&service, "POST", "/auth/login", None, Some(login("unknown@example.com"))).await.expect(401);
    assert_eq!(attribution(&service), [json!("203.0.113.0/24"), Value::Null, Value::Null, Value::Null]);
    service.db.execute("UPDATE users SET is_active = 0");
    let body = json!({"email": EMAIL, "password": PASSWORD});
    ask(&service, "POST", "/auth/login", None, Some(body)).await.expect_error(403, "AUTH_INACTIVE_USER");
    assert_eq!(attribution(&service), [json!("203.0.113.0/24"), json!(1), Value::Null, Value::Null]);
}

#[tokio::test]
async fn a_refused_refresh_token_names_its_user_session_and_key() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let expected =
        [json!("203.0.113.0/24"), json!(1), json!(session_of(&tokens.refresh)), member(&tokens.refresh, 0, "kid")];
    let refresh = json!({"refresh_token": tokens.refresh});
    service.refresh(&tokens.refresh).await.expect(200);
    for _ in ["reused", "dead"] {
        ask(&service, "POST", "/auth/refresh", None, Some(refresh.clone()))
            .await
            .expect_error(401, "AUTH_TOKEN_REVOKED");
        assert_eq!(attribution(&service), expected);
    }
    let line = service.logs("Refresh token reuse detected: session ended").pop().unwrap();
    assert_eq!(MEMBERS.map(|member| line[member].clone()), expected);
    service.advance(31 * 24 * 3600);
    ask(&service, "POST", "/auth/refresh", None, Some(refresh)).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    assert_eq!(attribution(&service), expected);
}

#[tokio::test]
async fn a_forged_token_names_a_key_of_the_service_and_nothing_that_it_claims() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let known = [json!("203.0.113.0/24"), Value::Null, Value::Null, member(&tokens.access, 0, "kid")];
    let unknown = [json!("203.0.113.0/24"), Value::Null, Value::Null, Value::Null];
    let claims = URL_SAFE_NO_PAD.encode(json!({"sub": "1", "sid": "77"}).to_string());
    let signature = tokens.access.rsplit('.').next().unwrap();
    let header = |kid: &str| URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "at+jwt", "kid": kid}).to_string());
    let own = known[3].as_str().unwrap();
    for (token, expected) in [
        (format!("{}.{claims}.{signature}", header(own)), &known),
        (format!("{}.{claims}.{signature}", header("0000000000000000")), &unknown),
        (format!("{}.{claims}.{signature}", header("x\n{\"level\":\"ERROR\"}")), &unknown),
        ("no.jwt.this".to_owned(), &unknown),
    ] {
        ask(&service, "GET", "/users/me", Some(&token), None).await.expect_error(401, "AUTH_TOKEN_INVALID");
        assert_eq!(&attribution(&service), expected, "{token}");
        for path in ["/auth/refresh", "/auth/logout"] {
            let body = json!({"refresh_token": token});
            ask(&service, "POST", path, None, Some(body)).await.expect_error(401, "AUTH_TOKEN_INVALID");
            assert_eq!(&attribution(&service), expected, "{path} {token}");
        }
    }
}

#[tokio::test]
async fn a_refused_caller_is_named_by_token_and_session() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    let known =
        [json!("203.0.113.0/24"), json!(1), json!(session_of(&tokens.access)), member(&tokens.access, 0, "kid")];
    let access = Some(tokens.access.as_str());
    let body = json!({"current_password": "wrong", "new_password": "a passphrase of the thief"});
    for (method, path, body, status) in [
        ("GET", "/admin/users", None, 403),
        ("GET", "/universities/1", None, 404),
        ("GET", "/users/me?x=1", None, 422),
        ("PUT", "/users/me/password", Some(body), 401),
        ("PATCH", "/users/me", Some(json!({"full_name": 7})), 422),
    ] {
        ask(&service, method, path, access, body).await.expect(status);
        assert_eq!(attribution(&service), known, "{method} {path}");
    }
    service.advance(3600);
    ask(&service, "GET", "/users/me", access, None).await.expect_error(401, "AUTH_TOKEN_EXPIRED");
    assert_eq!(attribution(&service), known);
    service.advance(-3600);
    service.logout(&tokens.refresh).await.expect(200);
    ask(&service, "GET", "/users/me", access, None).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(attribution(&service), known);
}

#[tokio::test]
async fn refusals_before_any_token_is_read_name_the_network() {
    let service = Service::with(&[("RATE_LIMITING", "on")]);
    let network = [json!("203.0.113.0/24"), Value::Null, Value::Null, Value::Null];
    let body = || Some(json!({"refresh_token": "x"}));
    let mut last = ask(&service, "POST", "/auth/refresh", None, body()).await;
    for _ in 0..LIMIT {
        last = ask(&service, "POST", "/auth/refresh", None, body()).await;
    }
    last.expect_error(429, "RATE_LIMITED");
    assert_eq!(attribution(&service), network);
    for (method, path, status) in [("GET", "/nowhere", 404), ("GET", "/auth/login", 405), ("GET", "/users/me", 401)] {
        ask(&service, method, path, None, None).await.expect(status);
        assert_eq!(attribution(&service), network, "{path}");
    }
}

#[tokio::test]
async fn lines_of_successes_name_no_network() {
    let world = World::of(&[("bob", "")]);
    let token = world.service.login("bob@example.com", PASSWORD).await.tokens().access;
    ask(&world.service, "GET", "/users/me", Some(&token), None).await.expect(200);
    let lines = world.service.log_lines();
    assert!(lines.iter().all(|line| !line.contains("network") && !line.contains("203.0.113")), "{lines:?}");
    assert!(lines.iter().rev().take(2).all(|line| line.contains(RAY)), "{lines:?}");
}

#[tokio::test]
async fn the_log_names_a_network_an_address_or_nothing() {
    for (setting, ip, logged) in [
        ("network", "::ffff:203.0.113.7", json!("203.0.113.0/24")),
        ("network", "2001:db8:7:8::9", json!("2001:db8:7::/48")),
        ("network", "no address", Value::Null),
        ("address", "203.0.113.7", json!("203.0.113.7")),
        ("address", "2001:db8:7:8::9", json!("2001:db8:7:8::9")),
        ("none", "203.0.113.7", Value::Null),
    ] {
        let service = Service::with(&[("LOG_CLIENT", setting)]);
        service.post_from(ip, "/auth/refresh", &json!({"refresh_token": "x"})).await.expect(401);
        assert_eq!(service.logs("Request refused")[0]["network"], logged, "{setting} {ip}");
    }
}

#[tokio::test]
async fn a_malformed_ray_is_not_logged() {
    let service = Service::new();
    for ray in ["230b030023ae2822-SJC,x", "\"}", "230B030023AE2822-SJC", ""] {
        let request = Request::get("/health").header("CF-Ray", ray);
        service.send(request.body(Body::empty()).unwrap()).await.expect(200);
    }
    let lines = service.log_lines();
    assert!(lines.iter().all(|line| !line.contains("\"ray\"")), "{lines:?}");
}
