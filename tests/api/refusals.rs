//! Counted refusals: one event per kind, user, network and hour, and bounds for all that strangers can store.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::world::{Person, World};
use crate::support::{EMAIL, PASSWORD, Service};

/// More networks than an hour has rows for refusals.
const NETWORKS: i64 = 6500;

async fn fail(service: &Service, ip: &str, email: &str) {
    let body = json!({"email": email, "password": "a wrong password"});
    service.post_from(ip, "/auth/login", &body).await.expect(401);
}

fn refusals(service: &Service, columns: &str) -> Vec<Value> {
    let rows = service.db.rows(&format!("SELECT {columns} FROM audit_events WHERE count IS NOT NULL ORDER BY count"));
    rows.into_iter().map(Value::from).collect()
}

/// An address of which each /24 is another network.
fn ip(number: i64) -> String {
    format!("10.{}.{}.7", number / 256, number % 256)
}

#[tokio::test]
async fn refusals_of_one_kind_user_network_and_hour_are_one_event() {
    let service = Service::new();
    service.register(EMAIL).await;
    for last in 1..4 {
        fail(&service, &format!("192.0.2.{last}"), EMAIL).await;
        service.advance(600);
    }
    let seen = refusals(&service, "type, reason, user_id, count, created_at, last_at, ip");
    let expected = json!({
        "type": "sign_in_refused", "reason": "wrong_password", "user_id": 1, "count": 3, "ip": "192.0.2.1",
        "created_at": 1_800_000_000_000_i64, "last_at": 1_800_001_200_000_i64,
    });
    assert_eq!(seen, [expected]);
    fail(&service, "192.0.3.1", EMAIL).await;
    fail(&service, "192.0.2.1", "nobody@example.com").await;
    service.advance(1800);
    fail(&service, "192.0.2.1", EMAIL).await;
    let counts: Vec<i64> = refusals(&service, "count").iter().map(|row| row["count"].as_i64().unwrap()).collect();
    assert_eq!(counts, [1, 1, 1, 3], "another network, no user, another hour");
}

#[tokio::test]
async fn an_administrator_and_the_export_see_count_first_and_last() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("bob", "")]);
    let bob = world.sign_in("bob").await;
    fail(&world.service, "192.0.2.1", "bob@example.com").await;
    world.service.advance(60);
    fail(&world.service, "192.0.2.2", "bob@example.com").await;
    let root = world.sign_in("root").await;
    let listed = root.all("/admin/audit-events?user_id=2&type=sign_in_refused").await;
    let exported = bob.ask("GET /users/me/export").await.expect(200).body;
    let exported = exported["audit_events"].as_array().unwrap().iter().find(|event| event["count"] == 2).unwrap();
    for event in [&listed[0], exported] {
        assert_eq!(event["created_at"], "2027-01-15T08:00:00.000Z");
        assert_eq!(event["first_at"], event["created_at"]);
        assert_eq!(event["last_at"], "2027-01-15T08:01:00.000Z");
        assert_eq!(event["ip"], "192.0.2.1");
    }
}

#[tokio::test]
async fn a_dead_refresh_token_and_a_taken_address_are_counted() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.logout(&tokens.refresh).await.expect(200);
    for _ in 0..50 {
        service.refresh(&tokens.refresh).await.expect(401);
        service.post("/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await.expect(409);
    }
    let mut seen = refusals(&service, "type, reason, user_id, count");
    seen.sort_by_key(|row| row["type"].to_string());
    let expected = [
        json!({"type": "refresh_refused", "reason": "revoked", "user_id": 1, "count": 50}),
        json!({"type": "registration_refused", "reason": "email_taken", "user_id": 1, "count": 50}),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn an_access_refused_to_a_user_is_an_event_and_an_unseen_resource_is_none() {
    const PEOPLE: [Person; 2] = [("ulla", "UNIVERSITY_ADMIN@1"), ("bob", "")];
    let world = World::of(&PEOPLE);
    let (ulla, bob) = (world.sign_in("ulla").await, world.sign_in("bob").await);
    for _ in 0..3 {
        ulla.ask("GET /admin/users").await.expect_error(403, "FORBIDDEN");
        assert_eq!(world.service.last_d1_calls(), 2);
    }
    bob.ask("GET /universities/1").await.expect_error(404, "NOT_FOUND");
    assert_eq!(world.service.last_d1_calls(), 1);
    world.anonymous().ask("GET /admin/users").await.expect(401);
    let expected = json!({"type": "access_refused", "reason": "platform:administer", "user_id": 1, "count": 3});
    assert_eq!(refusals(&world.service, "type, reason, user_id, count"), [expected]);
}

/// Sends a request with the longest user agent and the longest id that are kept.
async fn send_long(service: &Service, ip: &str, path: &str, body: &Value) {
    let (agent, id) = ("\u{1d538}".repeat(256), "x".repeat(128));
    let request = Request::post(path).header("Content-Type", "application/json").header("CF-Connecting-IP", ip);
    let request = request.header("User-Agent", agent.as_bytes()).header("X-Request-ID", id);
    let reply = service.send(request.body(Body::from(body.to_string())).unwrap()).await;
    assert!(matches!(reply.status, 401 | 409), "{reply:?}");
}

/// A flood within one hour: many networks, known and unknown users, several kinds. ARCHITECTURE.md has the sum per day.
#[tokio::test]
async fn a_flood_of_refusals_leaves_a_bounded_number_of_rows_and_bytes() {
    let service = Service::new();
    let tokens = service.register(EMAIL).await;
    service.logout(&tokens.refresh).await.expect(200);
    let pages = || service.db.one::<i64>("SELECT page_count FROM pragma_page_count") * 4096;
    let before = pages();
    let guess = |email: &str| json!({"email": email, "password": "a wrong password"});
    for number in 0..NETWORKS {
        let ip = ip(number);
        send_long(&service, &ip, "/auth/login", &guess(&format!("nobody-{number}@example.com"))).await;
        if number < 60 {
            send_long(&service, &ip, "/auth/login", &guess(EMAIL)).await;
            send_long(&service, &ip, "/auth/refresh", &json!({"refresh_token": tokens.refresh})).await;
            send_long(&service, &ip, "/auth/register", &json!({"email": EMAIL, "password": PASSWORD})).await;
        }
    }
    let count = |condition: &str| -> i64 {
        service.db.one(&format!("SELECT count(*) FROM audit_events WHERE count IS NOT NULL AND {condition}"))
    };
    assert!(count("TRUE") <= 5000 + 100, "{}", count("TRUE"));
    // Strangers fill four fifths of the places. The others are for refusals behind a token.
    assert!((3900..4100).contains(&count("refusal_tag IS NOT NULL")), "{}", count("refusal_tag IS NOT NULL"));
    assert_eq!(count("user_id = 1 AND ip IS NOT NULL"), 20);
    assert_eq!(count("user_id = 1 AND ip IS NULL"), 4, "one per kind");
    let all: i64 = service.db.one("SELECT sum(count) FROM audit_events WHERE count IS NOT NULL");
    assert_eq!(all, NETWORKS + 3 * 60, "none is lost");
    let (events, counters) = (count("TRUE"), service.db.one::<i64>("SELECT count(*) FROM throttles"));
    let registrations: i64 = service.db.one("SELECT count(*) FROM registration_counts");
    let (bytes, bound) = (pages() - before, events * 620 + counters * 90 + registrations * 60 + 100_000);
    assert!(bytes < bound, "{bytes} bytes for {events} events and {counters} counters, more than {bound}");
}
