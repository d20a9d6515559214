//! The age of a replica: how long an ended session and a lost right still read, and a primary or a replica that fails.

use serde_json::json;

use crate::support::PASSWORD;
use crate::support::replicated::{BOTH, FAR, NEAR, replicated_world, replicated_world_with, signed_in};
use crate::support::world::address;

/// How long an ended session still reads: as long as the replica lags, and two minutes at most.
#[tokio::test]
async fn an_ended_session_reads_for_two_minutes_at_most() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    world.sign_in("bob").await.ask("POST /auth/logout-all").await.expect(200);
    db.asked();
    bob.ask("GET /users/me").await.expect(200);
    world.service.advance(119);
    bob.ask("GET /auth/sessions").await.expect(200);
    assert_eq!(db.asked(), (2, 0));
    world.service.advance(1);
    bob.ask("GET /users/me").await.expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(db.asked(), BOTH);
}

#[tokio::test]
async fn a_session_whose_end_the_replica_has_is_refused() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    bob.ask("POST /auth/logout-all").await.expect(200);
    db.catch_up();
    bob.ask("GET /users/me").await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

/// A revoked role, a disabled and an erased user are bounded in the same way.
#[tokio::test]
async fn a_lost_right_is_gone_with_the_age_of_the_replica() {
    let (world, db) = replicated_world().await;
    let (ulla, eve, bob) = (world.sign_in("ulla").await, world.sign_in("eve").await, world.sign_in("bob").await);
    db.catch_up();
    world.service.db.execute("DELETE FROM user_university_roles");
    world.set_active("eve", false);
    bob.ask(&format!("DELETE /users/me {}", json!({"password": PASSWORD}))).await.expect(204);
    let asked = [(&ulla, "GET /universities/1/roles", 404), (&eve, "GET /users/me", 403), (&bob, "GET /users/me", 401)];
    for (visitor, request, _) in asked {
        visitor.ask(request).await.expect(200);
    }
    world.service.advance(120);
    for (visitor, request, status) in asked {
        visitor.ask(request).await.expect(status);
    }
}

/// A replica that stands still for an hour: the first read of an isolate finds out, and for a minute the isolate does not
/// ask the replica again.
#[tokio::test]
async fn a_replica_that_stands_still_is_asked_once_a_minute() {
    let (world, db) = replicated_world_with(&[("ACCESS_TOKEN_EXPIRE_MINUTES", "120")]).await;
    let bob = signed_in(&world, &db, "bob").await;
    world.service.advance(3600);
    let read = async || bob.ask("GET /users/me").await.expect(200);
    read().await;
    assert_eq!(db.asked(), BOTH);
    for _ in 0..10 {
        read().await;
    }
    assert_eq!(db.asked(), (0, 10));
    world.service.advance(59);
    read().await;
    assert_eq!(db.asked(), FAR);
    world.service.advance(1);
    read().await;
    assert_eq!(db.asked(), BOTH);
    assert_eq!(world.service.logs("The replica is too far behind, the primary answers").len(), 2);
    // It follows again.
    world.service.send_mails().await;
    db.follow(true);
    world.service.advance(60);
    db.asked();
    read().await;
    assert_eq!(db.asked(), NEAR);
}

#[tokio::test]
async fn without_a_heartbeat_no_replica_is_used() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    world.service.db.execute("DELETE FROM heartbeat");
    db.catch_up();
    bob.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), BOTH);
}

#[tokio::test]
async fn a_failing_replica_costs_one_request_a_minute_a_detour() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    db.fail_replica(true);
    for expected in [BOTH, FAR, FAR] {
        bob.ask("GET /users/me").await.expect(200);
        assert_eq!(db.asked(), expected);
    }
    db.fail_replica(false);
    world.service.advance(60);
    bob.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), NEAR);
}

/// While the primary is down, sessions read at the replica for two minutes. The breaker is open, and is not asked.
#[tokio::test]
async fn reads_survive_two_minutes_without_the_primary() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    db.fail_primary(true);
    for _ in 0..6 {
        world.service.login(&address("eve"), PASSWORD).await.expect_error(503, "SERVICE_UNAVAILABLE");
    }
    db.asked();
    world.service.advance(119);
    bob.ask("GET /users/me").await.expect(200);
    assert_eq!(db.asked(), NEAR);
    bob.ask(r#"PATCH /users/me {"full_name": "Robert"}"#).await.expect_error(503, "SERVICE_UNAVAILABLE");
    world.service.advance(1);
    bob.ask("GET /users/me").await.expect_error(503, "SERVICE_UNAVAILABLE");
}

/// The replica's failures do not open the breaker of the primary.
#[tokio::test]
async fn a_failing_replica_does_not_open_the_breaker() {
    let (world, db) = replicated_world().await;
    let bob = signed_in(&world, &db, "bob").await;
    db.fail_replica(true);
    for _ in 0..10 {
        bob.ask("GET /users/me").await.expect(200);
        world.service.advance(60);
        world.service.send_mails().await;
    }
    assert_eq!(world.service.logs("The replica did not answer, the primary does").len(), 10);
}

/// After D1 Time Travel the bookmarks of earlier tokens lie in the future. No replica has that state, so the primary answers
/// until the tokens are replaced.
#[tokio::test]
async fn bookmarks_of_the_future_read_the_primary() {
    let (world, db) = replicated_world().await;
    let bob = world.service.login(&address("bob"), PASSWORD).await.expect(200).tokens();
    db.travel_back(500);
    db.follow(true);
    for _ in 0..3 {
        db.asked();
        world.service.me(&bob.access).await.expect(200);
        assert_eq!(db.asked(), BOTH);
    }
    let refreshed = world.service.refresh(&bob.refresh).await.expect(200).tokens();
    db.asked();
    world.service.me(&refreshed.access).await.expect(200);
    assert_eq!(db.asked(), NEAR);
}
