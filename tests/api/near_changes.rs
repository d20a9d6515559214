//! Changes whose caller a replica admits: the primary confirms it in the batch of the change, or decides as without replicas.

use std::sync::Arc;

use edge_auth::http::routes::{ROUTES, ReadsAt};

use crate::rbac_matrix::{PEOPLE, callers, parts, request};
use crate::rbac_requests::NEED_FACTORS;
use crate::support::Reply;
use crate::support::contract::is_built;
use crate::support::factors::with_factors_of;
use crate::support::federation::FEDERATION;
use crate::support::replicated::{ON, Replicated};
use crate::support::world::World;

/// Losses of a right, and a move of the resources, which the replica does not have.
const LOSSES: [&str; 6] = [
    "DELETE FROM sessions",
    "UPDATE users SET is_active = 0",
    "DELETE FROM user_university_roles",
    "UPDATE courses SET department_id = 2 WHERE university_id = 1",
    "UPDATE courses SET is_public = 0",
    "INSERT INTO key_ring (id, version, nonce, algorithm) VALUES (1, 7, 7, 'HS256')",
];

fn is_near(line: &str) -> bool {
    let operation = line.split(' ').next().unwrap();
    let route = ROUTES.iter().find(|route| route.operation_id == operation);
    route.is_some_and(|route| route.reads_at == ReadsAt::Nearest)
}

fn changes(line: &str) -> bool {
    let operation = line.split(' ').next().unwrap();
    ROUTES.iter().any(|route| route.operation_id == operation && route.method != "GET")
}

/// Each line of the access matrix that a replica may answer, with each caller and the expected status.
fn cells() -> Vec<(&'static str, &'static str, u16)> {
    let lines = parts().concat().into_iter().filter(|(line, _)| is_built(line) && is_near(line));
    let cells = lines.flat_map(|(line, statuses)| {
        callers().into_iter().zip(statuses).map(move |(caller, status)| (line, caller, status.parse().unwrap()))
    });
    cells.filter(|(line, caller, _)| *caller != "anon" && !line.ends_with("Identities")).collect()
}

/// The world of the matrix with a caller and its session. The replica stands still from here.
struct Scene {
    world: World,
    db: Arc<Replicated>,
    token: String,
    request: String,
}

async fn scene(line: &str, caller: &str, is_replicated: bool) -> Scene {
    let mut db = None;
    let on = is_replicated.then_some(ON);
    let settings: Vec<_> = FEDERATION.into_iter().chain(on).collect();
    let world = World::through(&PEOPLE, &settings, |primary| {
        let replicated = Replicated::of(primary);
        db = Some(Arc::clone(&replicated));
        replicated
    });
    let db = db.unwrap();
    world.enroll("own", 1);
    world.enroll("own", 3);
    if NEED_FACTORS.contains(&line) {
        with_factors_of(&world.service.db, caller, "{passkey}");
    }
    world.add_key(caller, 7);
    let token = world.sign_in(caller).await.token().to_owned();
    world.set_active("off", false);
    let request = with_factors_of(&world.service.db, caller, &request(&world, line));
    world.service.send_mails().await;
    db.catch_up();
    db.asked();
    Scene { world, db, token, request }
}

impl Scene {
    async fn ask(&self) -> Reply {
        self.world.with_token(self.token.strip_prefix("Bearer ").unwrap()).ask(&self.request).await
    }
}

/// The access matrix holds with replicas, too. A change that is allowed takes the way to the primary once.
#[tokio::test]
async fn the_matrix_holds_at_a_replica() {
    assert!(cells().len() > 300, "{}", cells().len());
    for (line, caller, status) in cells() {
        let scene = scene(line, caller, true).await;
        let before = scene.world.dump();
        let reply = scene.ask().await;
        assert_eq!(reply.status, status, "{line}, asked by {caller}: {reply:?}");
        assert!(status < 400 || scene.world.dump() == before, "{line}, asked by {caller}: refused, but data changed");
        let expected = if changes(line) { (1, 1) } else { (1, 0) };
        // A token of a disabled user counts as none where it is optional.
        let is_settled = status >= 400 || caller == "off";
        assert!(is_settled || scene.db.asked() == expected, "{line}, asked by {caller}");
    }
}

/// No change trusts a replica: if the primary has taken the right, the reply and the data are those without replicas.
#[tokio::test]
async fn a_change_is_decided_by_the_primary_whatever_the_replica_has() {
    let is_asked = |caller: &str| ["own", "S1", "I", "D1", "U", "P"].contains(&caller);
    let mut refused = 0;
    for (line, caller, status) in cells().into_iter().filter(|(line, caller, _)| changes(line) && is_asked(caller)) {
        for loss in LOSSES {
            let near = scene(line, caller, true).await;
            let far = scene(line, caller, false).await;
            let [before, far_before] = [&near, &far].map(|scene| {
                scene.world.service.db.execute(loss);
                scene.world.dump()
            });
            let (reply, expected) = (near.ask().await, far.ask().await);
            let context = format!("{line}, asked by {caller}, after {loss}");
            let outcome = |reply: &Reply| (reply.status, reply.body["error"]["code"].clone());
            assert_eq!(outcome(&reply), outcome(&expected), "{context}");
            assert_eq!(near.world.dump() != before, far.world.dump() != far_before, "{context}");
            refused += usize::from(status < 400 && reply.status >= 400);
        }
    }
    assert!(refused > 50, "{refused}");
}

/// The answer of the batch was lost, and it is repeated: its guard recognises the first execution.
#[tokio::test]
async fn a_repeated_change_is_recognised() {
    for (line, caller, status) in cells().into_iter().filter(|(line, _, status)| changes(line) && *status < 400) {
        let scene = scene(line, caller, true).await;
        scene.db.lose_answers();
        let reply = scene.ask().await;
        assert_eq!((reply.status, scene.db.asked()), (status, (1, 1)), "{line}, asked by {caller}: {reply:?}");
    }
}

/// The batch without its events has the guard, too.
#[tokio::test]
async fn a_full_database_changes_without_events_for_the_admitted_only() {
    for (loss, status, name) in [("SELECT 1", 200, "Somebody"), ("DELETE FROM sessions", 401, "Old")] {
        let scene = scene("updateProfile", "own", true).await;
        let sqlite = &scene.world.service.db;
        sqlite.execute("UPDATE users SET full_name = 'Old'");
        sqlite.execute(loss);
        scene.db.fill_primary();
        scene.ask().await.expect(status);
        let id = scene.world.id("own");
        assert_eq!(sqlite.column(&format!("SELECT full_name FROM users WHERE id = {id}")), [name], "{loss}");
        let unrecorded = scene.world.service.logs("Event not recorded: the database is full").len();
        assert_eq!(unrecorded, usize::from(status == 200), "{loss}");
    }
}

/// A right that the replica does not have yet counts, too. The handler gets the same body again.
#[tokio::test]
async fn a_new_right_is_found_at_the_primary() {
    let scene = scene("createUniversity", "new", true).await;
    let new = scene.world.id("new");
    scene.world.service.db.execute(&format!(
        "INSERT INTO user_university_roles (user_id, role, created_at) VALUES ({new}, 'PLATFORM_ADMIN', 1)"
    ));
    scene.ask().await.expect(201);
    assert_eq!(scene.db.asked(), (1, 2));
}

/// A grant that was replaced by another one: the guard fails, the primary admits, and the operation runs with its body.
#[tokio::test]
async fn an_operation_runs_again_with_its_body() {
    let scene = scene("updateUniversity", "P", true).await;
    scene.world.service.db.execute("UPDATE user_university_roles SET id = id + 1000");
    let reply = scene.ask().await.expect(200);
    assert_eq!((reply.body["name"].as_str(), scene.db.asked()), (Some("New"), (1, 3)));
}

/// A change of nothing sends no batch of its own: the primary decides about its caller all the same.
#[tokio::test]
async fn a_change_of_nothing_is_decided_by_the_primary() {
    let scene = scene("updateProfile", "new", true).await;
    let visitor = scene.world.with_token(scene.token.strip_prefix("Bearer ").unwrap());
    visitor.ask("PATCH /users/me {}").await.expect(200);
    assert_eq!(scene.db.asked(), (1, 1));
    scene.world.service.db.execute("DELETE FROM sessions");
    visitor.ask("PATCH /users/me {}").await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

/// A fault of the body is one at the replica, too.
#[tokio::test]
async fn a_fault_of_the_body_does_not_reach_the_primary() {
    let scene = scene("updateProfile", "new", true).await;
    let visitor = scene.world.with_token(scene.token.strip_prefix("Bearer ").unwrap());
    visitor.ask(r#"PATCH /users/me {"full_name": 7}"#).await.expect(422);
    assert_eq!(scene.db.asked(), (1, 0));
}

/// An operation that needs a recent sign-in authenticates at the primary.
#[test]
fn acts_that_need_a_recent_sign_in_are_not_near() {
    for route in ROUTES.iter().filter(|route| route.method != "GET" && route.reads_at == ReadsAt::Nearest) {
        assert_eq!(route.freshness, edge_auth::http::routes::Freshness::NotNeeded, "{}", route.operation_id);
    }
}
