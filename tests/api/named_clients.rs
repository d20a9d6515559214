//! Backends that name the address of the client for whom they call.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge_auth::domain::ids::ApiKeyId;
use edge_auth::domain::machine::api_key::ApiKey;
use serde_json::{Value, json};

use crate::support::machine::{CLIENT_ID, ID, add, key};
use crate::support::{EMAIL, PASSWORD, Reply, Service};

const BACKEND: &str = "198.51.100.7";
const CLIENT: &str = "8.8.4.4";
const IGNORED: &str = "X-Edge-Auth-Client ignored";

fn with_backend(settings: &[(&str, &str)]) -> Service {
    let service = Service::with(settings);
    add(&service.db);
    service.db.execute("UPDATE service_accounts SET scopes = '[\"client-address\"]'");
    service
}

/// Signs in through the backend, with these two headers.
async fn login(service: &Service, key: Option<&str>, client: Option<&str>) -> Reply {
    login_from(service, BACKEND, key, client).await
}

async fn login_from(service: &Service, backend: &str, key: Option<&str>, client: Option<&str>) -> Reply {
    let mut request = Request::post("/auth/login").header("Content-Type", "application/json");
    request = request.header("CF-Connecting-IP", backend);
    for (name, value) in [("X-Edge-Auth-Key", key), ("X-Edge-Auth-Client", client)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let body = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    service.send(request.body(Body::from(body)).unwrap()).await
}

/// The addresses of the sessions, in the order of the sign-ins.
fn addresses(service: &Service) -> Vec<Value> {
    service.db.rows("SELECT ip FROM sessions ORDER BY rowid").iter().map(|row| row["ip"].clone()).collect()
}

#[tokio::test]
async fn sessions_limits_and_logs_count_the_named_client() {
    let service = with_backend(&[("RATE_LIMITING", "on")]);
    service.register(EMAIL).await;
    service.db.execute("DELETE FROM sessions");
    service.limiter.open();
    login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    assert_eq!(addresses(&service), [json!(CLIENT)]);
    let counted: Vec<_> = service.limiter.counts().into_iter().map(|(binding, key, _)| (binding, key)).collect();
    let of = |binding: &str| {
        counted.iter().filter(|(name, _)| *name == binding).map(|(_, key)| key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("LOGIN_LIMITER"), [CLIENT]);
    assert_eq!(of("READ_LIMITER"), [BACKEND], "the look-up of an unknown key");
    assert_eq!(of("SERVICE_ACCOUNT_LIMITER"), [format!("service:{ID}")]);
    assert!(service.logs(IGNORED).is_empty());
}

#[tokio::test]
async fn an_isolate_looks_a_key_up_once_a_minute() {
    let service = with_backend(&[]);
    service.register(EMAIL).await;
    let mut calls = Vec::new();
    for seconds in [0, 1, 58, 1] {
        service.advance(seconds);
        login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
        calls.push(service.last_d1_calls());
    }
    assert_eq!(calls, [4, 2, 2, 4]);
    // A withdrawn key names clients for at most a minute more.
    service.db.execute("DELETE FROM api_keys");
    login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    assert!(service.logs(IGNORED).is_empty());
    service.advance(60);
    login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    assert_eq!(service.logs(IGNORED).len(), 1);
}

#[tokio::test]
async fn the_first_use_from_each_network_is_an_event_although_the_isolate_knows_the_key() {
    let service = with_backend(&[]);
    service.db.execute("UPDATE service_accounts SET scopes = '[\"client-address\",\"introspect\"]'");
    service.register(EMAIL).await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{}", key())));
    let introspection = Request::post("/oauth/introspect").header("Authorization", basic);
    let introspection = introspection.header("Content-Type", "application/x-www-form-urlencoded");
    service.send(introspection.body(Body::from("token=x")).unwrap()).await.expect(200);
    let networks = || {
        let events = service.db.rows("SELECT ip FROM audit_events WHERE type = 'service_network_used' ORDER BY id");
        events.iter().map(|row| row["ip"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(networks(), [""; 0]);
    login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    login_from(&service, "203.0.113.9", Some(&key()), Some(CLIENT)).await.expect(200);
    login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    assert_eq!(networks(), [BACKEND, "203.0.113.9"]);
}

#[tokio::test]
async fn headers_that_are_not_accepted_are_ignored_and_logged() {
    let service = with_backend(&[]);
    service.register(EMAIL).await;
    service.db.execute("DELETE FROM sessions");
    let wrong = ApiKey::mint(ApiKeyId::new(ID).unwrap(), [8; 32]).text().expose().to_owned();
    let broken = format!("{}0", key());
    let good = key();
    let cases: [(Option<&str>, Option<&str>, u64); 9] = [
        (None, Some(CLIENT), 2),
        (Some(&good), None, 2),
        (Some(&wrong), Some(CLIENT), 3),
        (Some(&broken), Some(CLIENT), 2),
        (Some("ea_sk_"), Some(CLIENT), 2),
        (Some(&good), Some("10.0.0.1"), 2),
        (Some(&good), Some("8.8.8.8, 8.8.4.4"), 2),
        (Some(&good), Some(""), 2),
        (Some(&good), Some("localhost"), 2),
    ];
    for (index, (key, client, calls)) in cases.iter().enumerate() {
        login(&service, *key, *client).await.expect(200);
        assert_eq!(service.last_d1_calls(), *calls, "{client:?}");
        let logged = service.logs(IGNORED);
        assert_eq!(logged.len(), index + 1, "{client:?}");
        assert_eq!(logged.last().unwrap()["level"], "WARNING");
    }
    for scopes in ["[]", "[\"introspect\"]"] {
        service.db.execute(&format!("UPDATE service_accounts SET scopes = '{scopes}'"));
        login(&service, Some(&good), Some(CLIENT)).await.expect(200);
    }
    service.db.execute("UPDATE service_accounts SET scopes = '[\"client-address\"]', is_active = 0");
    login(&service, Some(&good), Some(CLIENT)).await.expect(200);
    assert!(addresses(&service).iter().all(|address| *address == BACKEND), "{:?}", addresses(&service));
    assert!(service.log_lines().iter().all(|line| !line.contains(&good) && !line.contains(&wrong)));
}

/// A stranger that guesses keys costs at most the allowance of its own address, and none where no limit is.
#[tokio::test]
async fn look_ups_of_unknown_keys_are_limited_by_the_connecting_address() {
    let service = with_backend(&[("RATE_LIMITING", "on")]);
    service.register(EMAIL).await;
    service.limiter.open();
    service.limiter.shut("READ_LIMITER");
    login(&service, Some(&key()), Some(CLIENT)).await.expect_error(429, "RATE_LIMITED");
    assert_eq!(service.last_d1_calls(), 0);
    service.limiter.open();
    for path in ["/health", "/openapi.json", "/nowhere"] {
        let request = Request::get(path).header("X-Edge-Auth-Key", key()).header("X-Edge-Auth-Client", CLIENT);
        service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(service.last_d1_calls(), 0, "{path}");
    }
}

/// As one of the backend, the request would use up the limits that all users of the backend share.
#[tokio::test]
async fn over_the_limit_of_the_account_or_without_the_database_a_named_client_is_refused() {
    let service = with_backend(&[("RATE_LIMITING", "on")]);
    service.register(EMAIL).await;
    service.limiter.open();
    service.limiter.shut("SERVICE_ACCOUNT_LIMITER");
    login(&service, Some(&key()), Some(CLIENT)).await.expect_error(429, "RATE_LIMITED");
    let (service, port) = crate::breaker::flaky(&[("RATE_LIMITING", "on")]);
    add(&service.db);
    port.fail(true);
    login(&service, Some(&key()), Some(CLIENT)).await.expect_error(503, "SERVICE_UNAVAILABLE");
    assert!(service.limiter.counts().iter().all(|(binding, ..)| *binding != "LOGIN_LIMITER"));
}

/// The key set and readiness are of use while the database is down.
#[tokio::test]
async fn without_the_database_the_key_set_and_readiness_go_on_as_the_backend_s_own() {
    let (service, port) = crate::breaker::flaky(&[("ALGORITHM", "EdDSA")]);
    add(&service.db);
    service.get("/.well-known/jwks.json").await.expect(200);
    port.fail(true);
    for (path, status) in [("/.well-known/jwks.json", 200), ("/health/ready", 503)] {
        let request = Request::get(path).header("X-Edge-Auth-Key", key()).header("X-Edge-Auth-Client", CLIENT);
        let reply = service.send(request.body(Body::empty()).unwrap()).await.expect(status);
        assert!(reply.body.get("error").is_none(), "{path}: {}", reply.text);
    }
    assert_eq!(service.logs(IGNORED).len(), 2);
}

/// A key without the scope is remembered too, and its look-ups count for its account, not for the connecting address.
#[tokio::test]
async fn a_genuine_key_without_the_scope_costs_one_look_up_a_minute_and_network() {
    let service = with_backend(&[("RATE_LIMITING", "on")]);
    service.db.execute("UPDATE service_accounts SET scopes = '[\"introspect\"]'");
    service.register(EMAIL).await;
    service.limiter.open();
    let mut calls = Vec::new();
    for backend in [BACKEND, BACKEND, "203.0.113.9", "203.0.113.9"] {
        login_from(&service, backend, Some(&key()), Some(CLIENT)).await.expect(200);
        calls.push(service.last_d1_calls());
    }
    assert_eq!(calls, [3, 2, 3, 2]);
    let counted = |binding: &str| service.limiter.counts().iter().filter(|(name, ..)| *name == binding).count();
    assert_eq!((counted("READ_LIMITER"), counted("SERVICE_ACCOUNT_LIMITER")), (1, 1));
    service.limiter.shut("SERVICE_ACCOUNT_LIMITER");
    login_from(&service, "203.0.113.10", Some(&key()), Some(CLIENT)).await.expect_error(429, "RATE_LIMITED");
    assert_eq!(service.last_d1_calls(), 0);
}

#[tokio::test]
async fn the_first_use_from_a_network_is_an_event_and_a_hundred_networks_are_kept() {
    let service = with_backend(&[]);
    service.register(EMAIL).await;
    let events =
        || service.db.rows("SELECT reason, object_id, ip FROM audit_events WHERE type = 'service_network_used'");
    for _ in 0..3 {
        service.advance(61);
        login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    }
    let found = events();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["reason"], &found[0]["object_id"], &found[0]["ip"]),
        (&json!(CLIENT_ID), &json!(ID), &json!(BACKEND))
    );
    for number in 0..105 {
        service.db.execute(&format!(
            "INSERT INTO service_networks (service_account_id, network_tag, first_used_at) VALUES ({ID}, 'n{number}', {number})"
        ));
    }
    service.advance(61);
    login(&service, Some(&key()), Some(CLIENT)).await.expect(200);
    assert_eq!(service.db.one::<i64>("SELECT count(*) FROM service_networks"), 100);
    assert_eq!(events().len(), 1, "the network in use is the newest");
}

/// A backend with many addresses does not fill the audit log.
#[tokio::test]
async fn an_account_has_at_most_twenty_events_of_new_networks_a_day() {
    let service = with_backend(&[]);
    service.register(EMAIL).await;
    let count = || service.db.one::<i64>("SELECT count(*) FROM audit_events WHERE type = 'service_network_used'");
    let mut networks = (1..=25).map(|number| format!("203.0.113.{number}"));
    for backend in networks.by_ref().take(24) {
        login_from(&service, &backend, Some(&key()), Some(CLIENT)).await.expect(200);
    }
    assert_eq!(count(), 20);
    service.advance(86_401);
    login_from(&service, &networks.next().unwrap(), Some(&key()), Some(CLIENT)).await.expect(200);
    assert_eq!(count(), 21);
}
