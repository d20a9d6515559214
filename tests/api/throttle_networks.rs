//! The throttle per account and network: strangers neither lock the owner out nor get more guesses than the table of
//! `domain/limits/throttle.rs` allows, and the rows that they cause are bounded.

use edge_auth::domain::limits::throttle::{DAY_MS, FREE_FAILURES, FREE_FAILURES_OF_ALL, wait_ms};
use serde_json::{Value, json};

use crate::support::{EMAIL, PASSWORD, Reply, Service, clock};

pub const WRONG: &str = "not the password of anybody";
pub const HOME: &str = "192.0.2.1";
pub const DAY_SECONDS: i64 = DAY_MS / 1000;

pub async fn login(service: &Service, ip: &str, password: &str, device: Option<&str>) -> Reply {
    let body = json!({"email": EMAIL, "password": password, "device_token": device});
    service.post_from(ip, "/auth/login", &body).await
}

/// A service with an account that was registered at home, and its device token.
pub async fn registered() -> (Service, String) {
    let service = Service::new();
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let reply = service.post_from(HOME, "/auth/register", &body).await.expect(201);
    (service, device_of(&reply))
}

pub fn device_of(reply: &Reply) -> String {
    reply.body["device_token"].as_str().unwrap().to_owned()
}

/// An address of which each network is another one.
pub fn network(number: i64) -> String {
    if number % 2 == 0 {
        format!("10.{}.{}.{}", number / 65536 % 256, number / 256 % 256, number % 256)
    } else {
        format!("2001:db8:{:x}:{:x}::1", number / 65536, number % 65536)
    }
}

pub async fn flood(service: &Service, networks: std::ops::Range<i64>) {
    for number in networks {
        login(service, &network(number), WRONG, None).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

pub fn sum(service: &Service, aggregate: &str, keys: &str) -> i64 {
    service.db.one(&format!("SELECT coalesce({aggregate}, 0) FROM throttles WHERE key LIKE '{keys}'"))
}

/// Ends all waits, as if their time had passed, and keeps the counts.
pub fn end_waits(service: &Service) {
    service.db.execute("UPDATE throttles SET blocked_until = 0, closed_until = 0");
}

pub fn last_reason(service: &Service) -> Value {
    service.db.latest_event()["reason"].clone()
}

#[tokio::test]
async fn the_owner_signs_in_under_a_flood_from_ten_thousand_networks() {
    let (service, device) = registered().await;
    flood(&service, 0..10_000).await;
    login(&service, "203.0.113.9", PASSWORD, None).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    login(&service, HOME, PASSWORD, None).await.expect(200);
    // Mobile addresses that change daily: the device token is renewed with each sign-in.
    let mut device = device;
    for day in 0..200 {
        service.advance(DAY_SECONDS);
        flood(&service, 20_000 + 200 * day..20_000 + 200 * day + 3).await;
        let reply = login(&service, &network(90_000 + day), PASSWORD, Some(&device)).await.expect(200);
        device = device_of(&reply);
    }
    assert_eq!(sum(&service, "count(*)", "user/1/known/%"), 20);
    assert!(sum(&service, "count(*)", "user/1/unknown/%") <= 32);
    assert!(sum(&service, "count(*)", "%") <= 52);
    let bytes = "sum(length(key) + coalesce(length(tag), 0) + 5 * 8)";
    assert!(sum(&service, bytes, "%") < 5_000, "bytes that strangers store for one account");
}

#[tokio::test]
async fn failures_of_one_user_of_a_campus_do_not_hold_up_another_account_of_the_network() {
    let (service, _) = registered().await;
    let other = json!({"email": "bob@example.com", "password": PASSWORD});
    service.post_from("198.51.100.1", "/auth/register", &other).await.expect(201);
    for _ in 0..50 {
        login(&service, HOME, WRONG, None).await.expect(401);
    }
    service.post_from(HOME, "/auth/login", &other).await.expect(200);
    login(&service, HOME, PASSWORD, None).await.expect(401);
}

#[tokio::test]
async fn a_stranger_in_one_network_waits_and_another_network_does_not() {
    let (service, _) = registered().await;
    service.db.watch_events();
    for _ in 0..6 {
        login(&service, "198.51.100.1", WRONG, None).await.expect(401);
    }
    login(&service, "198.51.100.1", PASSWORD, None).await.expect(401);
    assert_eq!(last_reason(&service), "throttled");
    login(&service, "198.51.100.2", PASSWORD, None).await.expect(200);
    // All addresses of a /64 are one network.
    for number in 0..6 {
        login(&service, &format!("2001:db8::{number}"), WRONG, None).await.expect(401);
    }
    login(&service, "2001:db8::99", PASSWORD, None).await.expect(401);
}

/// The guesses that all unknown networks together have: a hundred with waits, then one a day.
#[tokio::test]
async fn an_attacker_with_any_number_of_networks_has_a_hundred_guesses_and_then_one_a_day() {
    let (service, _) = registered().await;
    service.db.watch_events();
    let start = clock();
    let mut guesses = 0;
    let mut attempts = 0..;
    while guesses < 102 {
        // The attacker tries from a fresh network whenever no wait is in force for all of them.
        let closed = sum(&service, "max(closed_until)", "user/1/%") - clock().millis();
        if closed > 0 {
            assert!(closed % 1000 == 0);
            service.advance(closed / 1000);
        }
        login(&service, &network(attempts.next().unwrap()), WRONG, None).await.expect(401);
        if last_reason(&service) == "wrong_password" {
            guesses += 1;
            let spent = clock().millis() - start.millis();
            let waits: i64 = (1..guesses.min(100)).map(|count| wait_ms(count, FREE_FAILURES_OF_ALL)).sum();
            let days = (guesses - 100).max(0) * DAY_MS;
            assert!(spent >= waits + days, "guess {guesses} after {spent} ms");
        }
    }
    let allowed = (clock().millis() - start.millis()) / DAY_MS;
    assert_eq!(allowed, 2, "a hundred on the first day, then one a day");
    assert_eq!(sum(&service, "sum(failures)", "user/1/unknown/%"), 102);
}

#[tokio::test]
async fn after_a_hundred_failures_unknown_networks_are_refused_until_a_day_after_the_last_counted_one() {
    let (service, _) = registered().await;
    service.db.watch_events();
    for number in 0..100 {
        end_waits(&service);
        flood(&service, number..number + 1).await;
    }
    assert_eq!(sum(&service, "sum(failures)", "user/1/unknown/%"), 100);
    // The refused right password is no failure, so it does not extend the day.
    let is_refused_for_a_day = async || {
        service.advance(DAY_SECONDS - 1);
        login(&service, "203.0.113.9", PASSWORD, None).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(last_reason(&service), "throttled");
        service.advance(1);
    };
    is_refused_for_a_day().await;
    flood(&service, 500..502).await;
    assert_eq!(sum(&service, "sum(failures)", "user/1/unknown/%"), 101, "one guess a day");
    is_refused_for_a_day().await;
    login(&service, "203.0.113.9", PASSWORD, None).await.expect(200);
}

#[tokio::test]
async fn waits_are_forgotten_after_a_day_and_the_count_is_not() {
    let (service, _) = registered().await;
    let fail = async |times| {
        for _ in 0..times {
            end_waits(&service);
            login(&service, HOME, WRONG, None).await.expect(401);
        }
    };
    fail(10).await;
    let wait = || sum(&service, "max(blocked_until)", "user/1/known/%") - clock().millis();
    assert_eq!(wait(), wait_ms(10, FREE_FAILURES));
    service.advance(DAY_SECONDS);
    fail(FREE_FAILURES).await;
    assert_eq!(sum(&service, "max(blocked_until)", "user/1/known/%"), 0, "the first five are free again");
    fail(1).await;
    assert_eq!(wait(), wait_ms(6, FREE_FAILURES));
    assert_eq!(sum(&service, "sum(failures)", "user/1/known/%"), 16);
    fail(84).await;
    service.advance(DAY_SECONDS);
    login(&service, HOME, PASSWORD, None).await.expect(200);
    assert_eq!(sum(&service, "sum(failures)", "user/1/known/%"), 0, "it is known again");
}

#[tokio::test]
async fn a_success_resets_only_its_own_device_or_network() {
    let (service, device) = registered().await;
    let failures = || -> Vec<(String, i64)> {
        let rows = service.db.rows("SELECT tag, failures FROM throttles ORDER BY key");
        let name = |tag: &Value| tag.as_str().map_or("unknown", |tag| tag.split('/').next().unwrap()).to_owned();
        rows.iter().map(|row| (name(&row["tag"]), row["failures"].as_i64().unwrap())).collect()
    };
    let expected = |counts: [i64; 3]| ["network", "device", "unknown"].map(str::to_owned).into_iter().zip(counts);
    for (ip, device) in [(HOME, None), (HOME, Some(device.as_str())), ("203.0.113.9", None)] {
        for _ in 0..3 {
            login(&service, ip, WRONG, device).await.expect(401);
        }
    }
    assert!(failures().into_iter().eq(expected([3, 3, 3])));
    login(&service, HOME, PASSWORD, Some(&device)).await.expect(200);
    assert!(failures().into_iter().eq(expected([3, 0, 3])));
    login(&service, HOME, PASSWORD, None).await.expect(200);
    assert!(failures().into_iter().eq(expected([0, 0, 3])));
    login(&service, "203.0.113.9", PASSWORD, None).await.expect(200);
    assert_eq!(sum(&service, "sum(failures)", "%"), 0);
}

#[tokio::test]
async fn refusals_are_the_same_reply_round_trips_and_rows_for_every_account_and_address() {
    let (service, device) = registered().await;
    let closed = "UPDATE throttles SET closed_until = 9007199254740991 WHERE key LIKE 'user/1/unknown/%'";
    let mut seen = Vec::new();
    let mut look = async |ip: &str, email: &str, password: &str, device: Option<&str>| {
        let before = service.db.one::<i64>("SELECT total_changes()");
        let body = json!({"email": email, "password": password, "device_token": device});
        let reply = service.post_from(ip, "/auth/login", &body).await.expect(401);
        let written = service.db.one::<i64>("SELECT total_changes()") - before;
        seen.push((reply.body["error"].to_string(), reply.headers.len(), service.last_d1_calls(), written));
    };
    look("203.0.113.9", "nobody@example.com", PASSWORD, None).await;
    look("203.0.113.9", EMAIL, WRONG, None).await;
    look(HOME, EMAIL, WRONG, None).await;
    look("203.0.113.9", EMAIL, WRONG, Some(&device)).await;
    service.db.execute(closed);
    look("203.0.113.9", EMAIL, PASSWORD, None).await;
    look("203.0.113.10", EMAIL, WRONG, None).await;
    service.db.execute("UPDATE throttles SET blocked_until = 9007199254740991");
    look(HOME, EMAIL, PASSWORD, None).await;
    look("203.0.113.9", EMAIL, PASSWORD, Some(&device)).await;
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert_eq!((seen[0].2, seen[0].3), (2, 2), "two round trips; the counter and the event");
}

#[tokio::test]
async fn a_sign_in_from_a_known_network_writes_no_row_of_the_throttle() {
    let (service, _) = registered().await;
    let written = async |ip: &str| {
        let before = service.db.one::<i64>("SELECT total_changes()");
        login(&service, ip, PASSWORD, None).await.expect(200);
        service.db.one::<i64>("SELECT total_changes()") - before
    };
    assert_eq!(written(HOME).await, 3, "the session, its event, and the network");
    assert_eq!(written(HOME).await, 2, "it is noted already");
    assert_eq!(written("203.0.113.9").await, 3, "and the new network");
    assert_eq!(written("203.0.113.9").await, 2);
    login(&service, "203.0.113.10", WRONG, None).await.expect(401);
    assert_eq!(written("203.0.113.10").await, 3, "the row of the failure becomes that of the network");
    assert_eq!(sum(&service, "count(*)", "user/1/unknown/%"), 0);
    service.advance(DAY_SECONDS);
    assert_eq!(written(HOME).await, 3, "and the day of the sign-in");
}

#[tokio::test]
async fn a_change_of_the_password_resets_all_counts_and_keeps_the_known_networks() {
    let (service, _) = registered().await;
    let tokens = login(&service, HOME, PASSWORD, None).await.expect(200).tokens();
    flood(&service, 0..300).await;
    for _ in 0..9 {
        login(&service, HOME, WRONG, None).await.expect(401);
    }
    let change = json!({"current_password": PASSWORD, "new_password": "a password of my own"});
    service.call("PUT", "/users/me/password", &tokens.access, Some(&change)).await.expect(200);
    assert_eq!(sum(&service, "sum(failures)", "user/1/%"), 0);
    flood(&service, 0..300).await;
    login(&service, HOME, "a password of my own", None).await.expect(200);
}
