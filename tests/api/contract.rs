//! The route table, `openapi.yaml` and the error table say the same.

use std::collections::BTreeSet;

use edge_auth::domain::audit::EventType;
use edge_auth::domain::authz::{Permission, Role};
use edge_auth::domain::problem::{Code, FaultKind};
use edge_auth::http::routes::{Access, ROUTES};
use serde_json::{Value, json};

use crate::support::contract::{DESCRIPTION, is_built, resolve, validator};

/// `(METHOD, path, operation)` of everything that is described.
fn operations() -> Vec<(String, &'static String, &'static Value)> {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let items = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    items.collect()
}

#[test]
fn every_route_is_described_and_everything_described_is_a_route() {
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned(), route.operation_id.to_owned()))
        .collect();
    let described: BTreeSet<_> = operations()
        .into_iter()
        .map(|(method, path, operation)| (method, path.clone(), operation["operationId"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(routes, described);
    assert_eq!(routes.len(), ROUTES.len(), "no route is declared twice");
}

#[test]
fn the_description_asks_for_a_token_exactly_where_the_table_does() {
    for (method, path, operation) in operations() {
        let route = ROUTES.iter().find(|route| route.method == method && route.path == path).unwrap();
        let (scheme, unauthorized) = match route.access {
            Access::Public => (json!(null), ""),
            // No token at all, or one: a bad one counts as none, so there is no 401.
            Access::OptionalUser => (json!([{}, {"accessToken": []}]), ""),
            Access::User | Access::Permit(..) => (json!([{"accessToken": []}]), "#/components/responses/Unauthorized"),
            Access::Operator => (json!([{"operatorKey": []}]), "#/components/responses/OperatorUnauthorized"),
        };
        assert_eq!(operation["security"], scheme, "{method} {path}");
        if route.access != Access::Public {
            // Those that also take a password have one more reason for a 401.
            let found = operation["responses"]["401"]["$ref"].as_str().unwrap_or_default();
            assert_eq!(found.trim_end_matches("OrWrongPassword"), unauthorized, "{method} {path}");
        }
        // Whoever is asked for a token may be disabled; who may call at all may still be kept from this or that.
        let refusals = resolve(&operation["responses"]["403"])["content"]["application/json"]["examples"].as_object();
        let is_refused = |code: Code| refusals.is_some_and(|examples| examples.contains_key(code.as_str()));
        if matches!(route.access, Access::User | Access::Permit(..)) {
            assert!(is_refused(Code::InactiveUser), "{method} {path}");
        }
        if matches!(route.access, Access::Permit(permission, _) if permission != Permission::ViewUniversity) {
            assert!(is_refused(Code::Forbidden), "{method} {path}");
        }
        assert_eq!(operation["responses"]["429"].is_object(), route.door.is_some(), "{method} {path}");
    }
}

#[test]
fn the_lists_of_words_are_those_of_the_code() {
    let listed = |pointer: &str| -> Vec<&str> {
        let words = DESCRIPTION.pointer(&format!("/components/schemas/{pointer}/enum"));
        words.unwrap().as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    };
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed("ErrorCode"), codes);
    let kinds: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(listed("Fault/properties/type"), kinds);
    let events: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
    assert_eq!(listed("EventType"), events);
    let roles: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    assert_eq!(listed("Role"), roles);
    let permissions: Vec<_> = Permission::all().map(|(name, _)| name).collect();
    let described = listed("PermissionCheck/properties/permission").into_iter().filter(|name| is_built(name));
    assert_eq!(described.collect::<Vec<_>>(), permissions);
}

/// The codes whose message says more than the table does, where there is more to say.
const IN_WORDS: [Code; 2] = [Code::Conflict, Code::Forbidden];

#[test]
fn every_example_of_an_error_is_what_the_service_says() {
    let mut shown = BTreeSet::new();
    for (name, example) in DESCRIPTION["components"]["examples"].as_object().unwrap() {
        let error = &example["value"]["error"];
        let Some(code) = Code::ALL.into_iter().find(|code| error["code"] == code.as_str()) else {
            assert!(error.is_null(), "{name} has a code that nobody knows");
            continue;
        };
        shown.insert(code.as_str());
        if !IN_WORDS.contains(&code) || name == Code::Forbidden.as_str() {
            assert_eq!(error["message"], code.message(), "{name}");
        }
    }
    assert_eq!(shown, Code::ALL.map(Code::as_str).into(), "every code has an example");
}

#[test]
fn every_error_stands_at_its_status() {
    for (method, path, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let examples = resolve(response)["content"]["application/json"]["examples"].as_object();
            for (name, example) in examples.into_iter().flatten() {
                let stated = &resolve(example)["value"]["error"]["code"];
                let Some(code) = Code::ALL.iter().find(|known| *stated == known.as_str()) else { continue };
                assert_eq!(code.status().to_string(), *status, "{method} {path} {name}");
                // The first of a code is known by its name, further ones by a name of their own.
                let named = &resolve(&examples.unwrap()[code.as_str()])["value"]["error"]["code"];
                assert_eq!(named, stated, "{method} {path} {name}");
            }
        }
    }
}

#[test]
fn every_example_fits_its_schema() {
    let mut checked = 0;
    let mut check = |place: &str, content: &'static Value| {
        for (media_type, content) in content.as_object().into_iter().flatten() {
            let examples = content["examples"].as_object();
            for (name, example) in examples.into_iter().flatten() {
                let value = &resolve(example)["value"];
                let faults: Vec<_> = validator(&content["schema"]).iter_errors(value).map(|e| e.to_string()).collect();
                assert!(faults.is_empty(), "{place} {media_type} {name}: {faults:?}");
                checked += 1;
            }
        }
    };
    for (method, path, operation) in operations() {
        check(&format!("{method} {path}"), &operation["requestBody"]["content"]);
        for (status, response) in operation["responses"].as_object().unwrap() {
            check(&format!("{method} {path} {status}"), &resolve(response)["content"]);
        }
    }
    assert!(checked > 200, "only {checked} examples were found");
}

#[test]
fn the_places_that_a_deployment_fills_in_exist_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/public");
    let yaml = std::fs::read_to_string(format!("{folder}/openapi.yaml")).unwrap();
    let json = std::fs::read_to_string(format!("{folder}/openapi.json")).unwrap();
    assert_eq!(yaml.matches("\n  title: edge-auth\n").count(), 1);
    assert_eq!(yaml.matches("\nservers:\n  - url: /\n").count(), 1);
    assert_eq!(json.matches("\"title\":\"edge-auth\"").count(), 1);
    assert_eq!(json.matches("\"servers\":[{\"url\":\"/\"}]").count(), 1);
    let mut description: Value = serde_json::from_str(&json).unwrap();
    description["paths"].as_object_mut().unwrap().retain(|path, _| is_built(path));
    assert_eq!(description, *DESCRIPTION, "the JSON is the YAML");
}
