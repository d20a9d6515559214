//! Query strings: every operation of the JSON API refuses parameters that it does not know; files ignore them.

use serde_json::json;

use crate::support::Service;
use crate::support::contract::{DESCRIPTION, resolve};
use crate::support::world::World;

/// The description's operations, with their parameters in the query.
fn operations() -> impl Iterator<Item = (String, &'static str, Vec<&'static str>)> {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolve);
            let in_query = parameters.filter(|parameter| parameter["in"] == "query");
            (
                method.to_uppercase(),
                path.as_str(),
                in_query.map(|parameter| parameter["name"].as_str().unwrap()).collect(),
            )
        })
    })
}

/// A filter that is passed over lists everything.
#[tokio::test]
async fn a_parameter_that_is_unknown_or_given_twice_is_refused_everywhere() {
    let world = World::of(&[("root", "PLATFORM_ADMIN"), ("sam", "STUDENT@1")]);
    world.enroll("sam", 1);
    world.service.db.execute(
        "INSERT INTO invitations (id, university_id, email, role, invited_by, created_at, expires_at, sent_at, nonce)
         VALUES (1, 1, 'a@example.com', 'TA', 1, 1, 9e15, 1, 1)",
    );
    let before = world.dump();
    for (method, path, parameters) in operations() {
        // A provider may add parameters (RFC 6749 §4.1.2); repeated ones are refused by a test of federation.
        if path.ends_with("/callback") {
            continue;
        }
        if ["/health", "/openapi", "/operator", "/.well-known", "/oauth"].iter().any(|start| path.starts_with(start)) {
            continue;
        }
        let (root, sam) = (world.sign_in("root").await, world.sign_in("sam").await);
        let caller = if path.ends_with("/enrollments") && method == "POST" { &sam } else { &root };
        let path = path.replace("{id}", "1").replace("{department_id}", "3").replace("{grant_id}", "1");
        let path = ["{invitation_id}", "{passkey_id}", "{identity_id}"]
            .iter()
            .fold(path, |path, parameter| path.replace(parameter, "1"));
        let value = |name: &str| match name {
            "email" => "a@example.com",
            "is_active" => "true",
            "type" => "registered",
            _ => "1",
        };
        let twice = parameters.iter().map(|name| (*name, format!("{name}={0}&{name}={0}", value(name))));
        let unknown = [("emial", "emial=x".to_owned()), ("search", "search=boss&search=x".to_owned())];
        for (name, query) in twice.chain(unknown) {
            let reply =
                caller.ask(&format!("{method} {path}?{query} {{}}")).await.expect_error(422, "VALIDATION_ERROR");
            assert_eq!(
                reply.body["error"]["details"]["errors"][0]["loc"],
                json!(["query", name]),
                "{method} {path}?{query}"
            );
            assert_eq!(reply.faults().len(), 1);
        }
    }
    assert_eq!(world.dump(), before);
}

#[tokio::test]
async fn pages_files_and_health_ignore_the_query() {
    let service = Service::new();
    for path in ["/health", "/health/ready", "/openapi.json", "/openapi.yaml", "/docs", "/docs/docs.js"] {
        service.get(&format!("{path}?v=1&v=2")).await.expect(200);
    }
}
