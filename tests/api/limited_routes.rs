//! The rate limits of every route: the refusals, the checks that they precede, and the counters of each request.

use axum::body::Body;
use edge_auth::domain::limits::{RateLimit, UserLimit};
use edge_auth::http::routes::{Limits, ROUTES, Route};

use crate::api_keys;
use crate::round_trips::{PEOPLE, SETTINGS, operations, prepared};
use crate::support::Reply;
use crate::support::machine;
use crate::support::watched_body::Watch;
use crate::support::world::{Visitor, World};

const IPV6: &str = "2001:db8:1:2:3:4:5:6";

fn limited() -> World {
    let settings: Vec<_> = SETTINGS.iter().copied().chain([("RATE_LIMITING", "on")]).collect();
    World::through(&PEOPLE, &settings, |db| db)
}

fn route(operation: &str) -> &'static Route {
    ROUTES.iter().find(|route| route.operation_id == operation).unwrap()
}

/// Everything that a request might have changed.
fn everything(world: &World) -> String {
    let tables = ["sessions", "throttles", "audit_events", "registration_counts"];
    let rows = tables.map(|table| world.service.db.rows(&format!("SELECT * FROM {table}")));
    format!("{}{rows:?}", world.dump())
}

/// Sends a request with a body that never comes; the service must refuse it without asking for the body.
async fn turned_away(world: &World, visitor: &Visitor<'_>, request: &str, ip: &str, period_ms: i64) -> Reply {
    let watch = Watch::default();
    let head = visitor.request(request).0.header("CF-Connecting-IP", ip);
    let reply = world.service.send(head.body(watch.body()).unwrap()).await.expect(429);
    let error = &reply.body["error"];
    assert!(error["code"] == "RATE_LIMITED" || error == "temporarily_unavailable", "{request}: {reply:?}");
    assert_eq!(reply.header("retry-after"), Some((period_ms / 1000).to_string().as_str()), "{request}");
    assert!(!watch.was_asked(), "{request}");
    reply
}

async fn refused_per_network(world: &World, limit: RateLimit, visitor: &Visitor<'_>, request: &str) {
    let before = everything(world);
    let [narrow, wide] = limit.bindings();
    for (binding, ip) in [(narrow, "192.0.2.7"), (narrow, IPV6), (wide, IPV6)] {
        world.service.limiter.shut(binding);
        let reply = turned_away(world, visitor, request, ip, limit.period_ms()).await;
        assert_eq!(reply.header("www-authenticate"), None, "nothing is said about the token: {request}");
        assert_eq!(world.service.last_d1_calls(), 0, "{request}");
    }
    assert_eq!(everything(world), before, "{request}");
}

async fn refused_per_user(world: &World, limit: UserLimit, visitor: &Visitor<'_>, request: &str) {
    let before = everything(world);
    world.service.limiter.shut(limit.binding());
    turned_away(world, visitor, request, "192.0.2.7", limit.period_ms()).await;
    // The read that finds the caller, and for a session that has ended the attempt to find one.
    assert_eq!(world.service.last_d1_calls(), 1, "{request}");
    assert_eq!(everything(world), before, "{request}");
}

/// The counters of the last request: the bindings and the keys.
async fn counted(world: &World, visitor: &Visitor<'_>, request: &str, status: impl Fn(u16) -> bool) -> Vec<String> {
    world.service.limiter.open();
    let (head, body) = visitor.request(request);
    let reply = world.service.send(head.header("CF-Connecting-IP", IPV6).body(Body::from(body)).unwrap()).await;
    assert!(status(reply.status), "{request}: {reply:?}");
    let counts = world.service.limiter.counts();
    let shown = |key: String| if key.starts_with("session:") { "session:<id>".to_owned() } else { key };
    counts.into_iter().map(|(binding, key, count)| format!("{count} {binding} {}", shown(key))).collect()
}

fn counters(limits: Limits, user: Option<i64>) -> Vec<String> {
    let mut expected = Vec::new();
    if let Some([narrow, wide]) = limits.network().map(RateLimit::bindings) {
        expected.extend([format!("1 {narrow} 2001:db8:1:2::/64"), format!("1 {wide} 2001:db8:1::/48")]);
    }
    if let Some((limit, user)) = limits.user().zip(user) {
        let key = match limit {
            UserLimit::Password | UserLimit::EndSessions => "session:<id>".to_owned(),
            _ => format!("user:{user}"),
        };
        expected.push(format!("1 {} {key}", limit.binding()));
    }
    expected.sort_by(|a, b| a.split(' ').nth(1).cmp(&b.split(' ').nth(1)));
    expected
}

/// In one world, since the operations build on each other.
#[tokio::test]
async fn every_limit_of_every_route_refuses_before_the_next_check() {
    let world = limited();
    for (d1_calls, operation, caller, request) in operations() {
        world.service.limiter.open();
        let (visitor, request) = prepared(&world, caller, request).await;
        let limits = route(operation).limits;
        assert!(d1_calls == 0 || limits != Limits::Unlimited, "{operation} asks the database without a limit");
        if let Some(limit) = limits.network() {
            refused_per_network(&world, limit, &visitor, &request).await;
        }
        let user = PEOPLE.iter().any(|(name, _)| *name == caller).then(|| world.id(caller));
        if let Some(limit) = limits.user().filter(|_| user.is_some()) {
            refused_per_user(&world, limit, &visitor, &request).await;
        }
        let counts = counted(&world, &visitor, &request, |status| (200..400).contains(&status)).await;
        let mut expected = counters(limits, user);
        if request.contains(" /oauth/") {
            // A client is counted when the batch that answers it has confirmed it.
            expected.push(format!("1 {} service:{}", UserLimit::Service.binding(), machine::ID));
            if operation == "issueToken" {
                // The first look-up of the key by this isolate.
                expected.extend(counters(Limits::PerNetwork(RateLimit::Read), None));
            }
            expected.sort_by(|a, b| a.split(' ').nth(1).cmp(&b.split(' ').nth(1)));
        }
        assert_eq!(counts, expected, "{operation} of {caller}");
    }
}

/// A stolen token that was revoked, or a request that is not allowed, must not use up the allowance of the user.
#[tokio::test]
async fn only_granted_access_counts_for_the_user() {
    for (_, operation, caller, request) in operations() {
        let limits = route(operation).limits;
        let world = limited();
        if limits.user().is_none() || !PEOPLE.iter().any(|(name, _)| *name == caller) {
            continue;
        }
        let (dead, request) = prepared(&world, caller, request).await;
        world.service.db.execute("DELETE FROM sessions");
        // Where authentication is optional, a dead token counts as none.
        let counts = counted(&world, &dead, &request, |status| [401, 200, 202, 404].contains(&status)).await;
        assert_eq!(counts, counters(limits, None), "{operation}");
    }
}

#[tokio::test]
async fn a_forbidden_request_does_not_count_for_the_user_and_an_invalid_one_does() {
    let world = limited();
    let (bob, root) = (world.sign_in("bob").await, world.sign_in("root").await);
    let forbidden = counted(&world, &bob, "GET /admin/users", |status| status == 403).await;
    assert_eq!(forbidden, counters(route("adminListUsers").limits, None));
    for (request, status) in
        [("GET /admin/users?limit=0", 422), ("GET /admin/users/4711", 404), ("GET /admin/users/x", 404)]
    {
        let counts = counted(&world, &root, request, |found| found == status).await;
        assert_eq!(counts, counters(route("adminGetUser").limits, Some(world.id("root"))), "{request}");
    }
}

/// A thief with a key cannot use up the allowance with which the owner withdraws it.
#[tokio::test]
async fn the_keys_of_a_user_share_a_counter_of_their_own() {
    let world = limited();
    world.service.db.execute("UPDATE users SET email_verified_at = 1");
    let owner = world.sign_in("ulla").await;
    let user = world.id("ulla");
    for _ in 0..2 {
        let (_, key) = api_keys::make(&owner, &["universities:view"]).await;
        let counts = counted(&world, &world.with_token(&key), "GET /users/me", |status| status == 200).await;
        assert!(counts.iter().any(|count| count.ends_with(&format!(" keys:{user}"))), "{counts:?}");
        assert!(!counts.iter().any(|count| count.contains("user:")), "{counts:?}");
    }
}

/// Requests of one /64 that its own limit refuses do not count for the neighbours in its /48.
#[tokio::test]
async fn a_site_has_ten_times_the_allowance_of_a_network() {
    let world = limited();
    let status = async |network: u32| {
        let (head, body) = world.anonymous().request(r#"POST /auth/refresh {"refresh_token": "x"}"#);
        let ip = format!("2001:db8:1:{network:x}::1");
        world.service.send(head.header("CF-Connecting-IP", ip).body(Body::from(body)).unwrap()).await.status
    };
    for _ in 0..30 {
        status(0).await;
    }
    let mut admitted = 0;
    for network in 1..12 {
        for _ in 0..5 {
            admitted += u32::from(status(network).await != 429);
        }
    }
    assert_eq!(admitted, 45, "the tenth part was used up by the first network");
    assert_eq!(status(0xffff).await, 429, "the /48");
    let (head, body) = world.anonymous().request(r#"POST /auth/refresh {"refresh_token": "x"}"#);
    let head = head.header("CF-Connecting-IP", "2001:db8:2::1");
    assert_eq!(world.service.send(head.body(Body::from(body)).unwrap()).await.status, 401, "another /48");
}
