//! Device tokens, devices and the unlock of an account.

use serde_json::json;

use crate::support::world::World;
use crate::support::{EMAIL, PASSWORD};
use crate::throttle_networks::{
    DAY_SECONDS, HOME, WRONG, device_of, end_waits, flood, last_reason, login, network, registered, sum,
};

#[tokio::test]
async fn a_known_network_or_device_is_unknown_after_a_hundred_failures() {
    let (service, device) = registered().await;
    service.db.watch_events();
    for (ip, device) in [(HOME, None), ("203.0.113.9", Some(device.as_str()))] {
        for _ in 0..100 {
            end_waits(&service);
            login(&service, ip, WRONG, device).await.expect(401);
        }
        service.db.execute("UPDATE throttles SET blocked_until = 0");
        assert_eq!(sum(&service, "max(failures)", "user/1/known/%"), 100);
        assert_eq!(sum(&service, "count(*)", "user/1/unknown/%"), 0, "they held up no other network");
        flood(&service, 0..21).await;
        login(&service, ip, PASSWORD, device).await.expect(401);
        assert_eq!(last_reason(&service), "throttled");
        service.db.execute("DELETE FROM throttles WHERE key LIKE 'user/1/unknown/%'");
        // The next device token names a new device.
        let reply = login(&service, ip, PASSWORD, device).await.expect(200);
        flood(&service, 0..21).await;
        login(&service, "198.51.100.200", PASSWORD, Some(&device_of(&reply))).await.expect(200);
        service.db.execute("DELETE FROM throttles");
    }
}

#[tokio::test]
async fn an_invalid_device_token_is_ignored_and_one_of_another_type_is_a_fault() {
    let (service, device) = registered().await;
    let other = service.register("bob@example.com").await;
    let bob = service.login("bob@example.com", PASSWORD).await.expect(200);
    flood(&service, 0..200).await;
    let altered = format!("{}x", &device);
    for token in ["", "x", "a.b.c", &altered, &other.access, &other.refresh, &device_of(&bob)] {
        login(&service, "203.0.113.9", PASSWORD, Some(token)).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        login(&service, HOME, PASSWORD, Some(token)).await.expect(200);
    }
    login(&service, "203.0.113.9", PASSWORD, Some(&device)).await.expect(200);
    let body = json!({"email": EMAIL, "password": PASSWORD, "device_token": 7});
    let faults = service.post("/auth/login", &body).await.expect(422).faults();
    assert_eq!(faults, [("device_token".to_owned(), "type_error".to_owned())]);
    // A device token opens nothing.
    service.me(&device).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.refresh(&device).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.logout(&device).await.expect_error(401, "AUTH_TOKEN_INVALID");
    service.advance(90 * DAY_SECONDS);
    flood(&service, 0..1).await;
    service.db.execute("UPDATE throttles SET closed_until = 9007199254740991 WHERE key LIKE 'user/1/unknown/%'");
    login(&service, "203.0.113.99", PASSWORD, Some(&device)).await.expect(401);
}

#[tokio::test]
async fn an_unlock_ends_all_waits_and_is_recorded() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("bob", "")]);
    let service = &world.service;
    let bob = |password: &str| json!({"email": "bob@example.com", "password": password});
    let root = world.sign_in("root").await;
    for number in 0..200 {
        service.post_from(&network(number), "/auth/login", &bob(WRONG)).await.expect(401);
    }
    service.post_from(HOME, "/auth/login", &bob(PASSWORD)).await.expect(401);
    world.sign_in("root").await.ask("POST /admin/users/9/unlock").await.expect_error(404, "NOT_FOUND");
    let reply = root.ask("POST /admin/users/2/unlock").await.expect(200);
    assert_eq!((reply.body["message"].as_str(), service.last_d1_calls()), (Some("Sign-in unlocked"), 2));
    let last = &service.db.rows("SELECT type, user_id, actor_id FROM audit_events ORDER BY id DESC LIMIT 1")[0];
    assert_eq!(json!(last), json!({"type": "unlocked", "user_id": 2, "actor_id": 1}));
    let reply = service.post_from(HOME, "/auth/login", &bob(PASSWORD)).await.expect(200);
    let tokens = reply.tokens();
    service.call("POST", "/admin/users/2/unlock", &tokens.access, None).await.expect_error(403, "FORBIDDEN");
    assert_eq!(service.logs("User unlocked").len(), 1);
}
