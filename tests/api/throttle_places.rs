//! The twenty places of known networks and devices: which row makes room, and that no counted failure is forgotten.

use std::sync::Arc;

use edge_auth::domain::limits::throttle::{FREE_FAILURES, wait_ms};
use serde_json::json;

use crate::lost_answers::LostAnswers;
use crate::support::world::World;
use crate::support::{PASSWORD, Service, clock};
use crate::throttle_networks::{
    DAY_SECONDS, HOME, WRONG, device_of, end_waits, last_reason, login, network, registered, sum,
};

const KNOWN: &str = "user/1/known/%";

/// Signs in with the device from this many new networks.
async fn roam(service: &Service, networks: std::ops::Range<i64>, device: &str) {
    for number in networks {
        service.advance(1);
        login(service, &network(number), PASSWORD, Some(device)).await.expect(200);
    }
}

/// Signs in without a device token, and returns the tokens of the new devices.
async fn new_devices(service: &Service, count: usize) -> Vec<String> {
    let mut devices = Vec::new();
    for _ in 0..count {
        devices.push(device_of(&login(service, HOME, PASSWORD, None).await.expect(200)));
    }
    devices
}

async fn fail(service: &Service, device: &str, times: i64) {
    for number in 0..times {
        end_waits(service);
        login(service, &network(7000 + number), WRONG, Some(device)).await.expect(401);
    }
}

fn failures_of(service: &Service, kind: &str) -> i64 {
    service.db.one(&format!("SELECT coalesce(sum(failures), 0) FROM throttles WHERE tag LIKE '{kind}/%'"))
}

/// All places are taken, numbered without gaps, each by another network or device.
fn assert_full(service: &Service) {
    let places = "(count(DISTINCT tag) || ' ' || min(key) || ' ' || max(key))";
    let places: String = service.db.one(&format!("SELECT {places} FROM throttles WHERE key LIKE '{KNOWN}'"));
    assert_eq!(places, "20 user/1/known/00 user/1/known/19");
    assert_eq!(sum(service, "count(*)", KNOWN), 20);
}

/// Every slot of strangers has a hundred failures, and all unknown networks are refused.
fn close(service: &Service) {
    for slot in 0..32 {
        service.db.execute(&format!(
            "INSERT INTO throttles (key, failures, recent_failures, failed_at, blocked_until, closed_until)
             VALUES ('user/1/unknown/{slot:02}', 100, 100, {now}, 9007199254740991, 9007199254740991)",
            now = clock().millis()
        ));
    }
}

#[tokio::test]
async fn the_owners_device_signs_in_although_all_places_are_taken_and_strangers_have_filled_every_slot() {
    let (service, device) = registered().await;
    service.db.watch_events();
    roam(&service, 0..25, &device).await;
    assert_full(&service);
    close(&service);
    login(&service, "203.0.113.9", PASSWORD, None).await.expect(401);
    assert_eq!(last_reason(&service), "throttled");
    login(&service, "203.0.113.9", PASSWORD, Some(&device)).await.expect(200);
    // After a mistyped password too, which is counted in a row of the device.
    login(&service, "203.0.113.10", WRONG, Some(&device)).await.expect(401);
    assert_eq!((failures_of(&service, "device"), sum(&service, "max(failures)", "user/1/unknown/%")), (1, 100));
    login(&service, "203.0.113.10", PASSWORD, Some(&device)).await.expect(200);
    assert_eq!(failures_of(&service, "device"), 0);
    assert_full(&service);
}

#[tokio::test]
async fn a_stolen_device_token_has_a_hundred_guesses_from_any_number_of_networks() {
    let (service, device) = registered().await;
    service.db.watch_events();
    let stolen = new_devices(&service, 1).await.remove(0);
    roam(&service, 0..25, &device).await;
    for number in 0..100 {
        end_waits(&service);
        login(&service, &network(5000 + number), WRONG, Some(&stolen)).await.expect(401);
        assert_eq!(last_reason(&service), "wrong_password");
    }
    assert_eq!((failures_of(&service, "device"), sum(&service, "sum(failures)", "user/1/unknown/%")), (100, 0));
    assert_full(&service);
    // Roaming of the owner, and mistyped passwords of other devices, do not give it further guesses.
    roam(&service, 100..130, &device).await;
    for other in new_devices(&service, 19).await {
        fail(&service, &other, 1).await;
    }
    assert_eq!(sum(&service, "max(failures)", KNOWN), 100);
    close(&service);
    login(&service, "203.0.113.9", PASSWORD, Some(&stolen)).await.expect(401);
    assert_eq!(last_reason(&service), "throttled");
    login(&service, "203.0.113.9", PASSWORD, Some(&device)).await.expect(200);
    assert_full(&service);
}

#[tokio::test]
async fn failures_of_a_device_survive_sign_ins_from_new_networks() {
    let (service, device) = registered().await;
    let stolen = new_devices(&service, 1).await.remove(0);
    roam(&service, 0..25, &device).await;
    fail(&service, &stolen, 99).await;
    roam(&service, 100..150, &device).await;
    assert_eq!(failures_of(&service, "device"), 99);
    assert_full(&service);
    fail(&service, &stolen, 1).await;
    assert_eq!(sum(&service, "max(failures)", KNOWN), 100, "the count goes on");
}

/// A device without failures needs no row, so its row makes room before that of a network.
#[tokio::test]
async fn a_device_that_signs_in_again_makes_room_before_any_network() {
    let (service, device) = registered().await;
    let typing = new_devices(&service, 1).await.remove(0);
    roam(&service, 0..18, &device).await;
    fail(&service, &typing, 1).await;
    assert_full(&service);
    login(&service, HOME, PASSWORD, Some(&typing)).await.expect(200);
    assert_eq!(sum(&service, "count(*)", "user/1/known/%' AND tag LIKE 'network/%"), 19);
    roam(&service, 18..19, &device).await;
    assert_eq!(sum(&service, "count(*)", "user/1/known/%' AND tag LIKE 'network/%"), 20);
    // HOME is now the network that is unused for longest.
    fail(&service, &typing, 1).await;
    close(&service);
    login(&service, HOME, PASSWORD, None).await.expect(401);
    login(&service, &network(0), PASSWORD, None).await.expect(200);
    assert_full(&service);
}

/// Tokens that replace each other in turn have the guesses of the places, and no free ones.
#[tokio::test]
async fn more_stolen_tokens_than_places_have_the_guesses_of_the_places_in_all() {
    let (service, device) = registered().await;
    service.db.watch_events();
    let stolen = new_devices(&service, 25).await;
    let mut guesses = 0;
    let mut is_refused = false;
    while !is_refused {
        is_refused = true;
        close(&service);
        for token in &stolen {
            service.db.execute("UPDATE throttles SET blocked_until = 0");
            login(&service, "203.0.113.9", WRONG, Some(token)).await.expect(401);
            if last_reason(&service) == "wrong_password" {
                (guesses, is_refused) = (guesses + 1, false);
            }
        }
        assert!(guesses <= 2000, "guesses without end");
        service.db.execute("DELETE FROM throttles WHERE key LIKE 'user/1/unknown/%'");
    }
    assert_eq!((guesses, failures_of(&service, "device")), (2000, 2000));
    assert_full(&service);
    // After ninety days without a failure, all of these tokens have expired, and a new device takes the place of one.
    let (now, day) = (clock().millis(), DAY_SECONDS * 1000);
    service.db.execute(&format!("UPDATE throttles SET failed_at = {now} - 90 * {day} WHERE key = 'user/1/known/07'"));
    close(&service);
    login(&service, "203.0.113.9", WRONG, Some(&device)).await.expect(401);
    let failures = "SELECT failures FROM throttles WHERE key = 'user/1/known/07'";
    assert_eq!(service.db.one::<i64>(failures), 1);
    login(&service, "203.0.113.9", PASSWORD, Some(&device)).await.expect(200);
}

/// Failures of a network are not those of the device that takes its place; those of a device are.
#[tokio::test]
async fn a_device_in_the_place_of_a_network_begins_at_one_and_in_the_place_of_a_device_goes_on() {
    let (service, device) = registered().await;
    roam(&service, 0..25, &device).await;
    let now = clock().millis();
    service.db.execute(&format!(
        "UPDATE throttles SET failures = 99, recent_failures = 99, failed_at = {now}, blocked_until = 9007199254740991"
    ));
    let written = service.db.one::<i64>("SELECT total_changes()");
    login(&service, "203.0.113.9", WRONG, Some(&device)).await.expect(401);
    assert_eq!(service.db.one::<i64>("SELECT total_changes()") - written, 2, "the counter and the event");
    let of_device = "SELECT failures || ' ' || recent_failures || ' ' || blocked_until || ' ' || (signed_in_at IS NULL)
                     FROM throttles WHERE tag LIKE 'device/%'";
    assert_eq!(service.db.one::<String>(of_device), "1 1 0 1");
    service.db.execute("UPDATE throttles SET tag = 'device/' || key, failures = 40, recent_failures = 40");
    service.db.execute("UPDATE throttles SET failures = 9, recent_failures = 9 WHERE key = 'user/1/known/05'");
    login(&service, "203.0.113.9", WRONG, Some(&device)).await.expect(401);
    let tenth = "SELECT max(failures) FROM throttles WHERE failures < 40 AND tag NOT LIKE '%/user/%'";
    assert_eq!(service.db.one::<i64>(tenth), 10, "the fewest failures go on");
    end_waits(&service);
    login(&service, "203.0.113.9", WRONG, Some(&device)).await.expect(401);
    assert_eq!(sum(&service, "blocked_until", "user/1/known/05") - clock().millis(), wait_ms(11, FREE_FAILURES));
    assert_full(&service);
}

/// A correct password of a disabled account is no failure, so it takes no known network's place.
#[tokio::test]
async fn a_refusal_that_counts_no_failure_replaces_no_row() {
    let (service, device) = registered().await;
    roam(&service, 0..25, &device).await;
    let tags = || service.db.one::<String>("SELECT group_concat(tag, ' ') FROM throttles WHERE tag IS NOT NULL");
    let before = tags();
    service.db.execute("UPDATE users SET is_active = 0");
    login(&service, "203.0.113.9", PASSWORD, Some(&device)).await.expect_error(403, "AUTH_INACTIVE_USER");
    assert_eq!(tags(), before);
}

#[tokio::test]
async fn a_failure_that_replaces_a_row_counts_once_although_its_batch_is_executed_twice() {
    let world = World::through(&[("bob", "")], &[], |db| Arc::new(LostAnswers(db)));
    let service = &world.service;
    let body = |password: &str, token: Option<&str>| json!({"email": "bob@example.com", "password": password, "device_token": token});
    let device = device_of(&service.post_from(HOME, "/auth/login", &body(PASSWORD, None)).await.expect(200));
    for number in 0..25 {
        let body = body(PASSWORD, Some(&device));
        service.post_from(&network(number), "/auth/login", &body).await.expect(200);
    }
    for count in 1..=3 {
        service.post_from(&network(99), "/auth/login", &body(WRONG, Some(&device))).await.expect(401);
        assert_eq!(failures_of(service, "device"), count);
        assert_full(service);
    }
}
