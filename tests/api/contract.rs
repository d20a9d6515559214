//! The route table, `openapi.yaml` and the error table say the same.

use std::collections::BTreeSet;

use edge_auth::domain::problem::{Code, FaultKind};
use edge_auth::http::routes::{Access, ROUTES};
use serde_json::{Value, json};

use crate::support::contract::{DESCRIPTION, resolve, validator};

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
            Access::Public => (json!(null), Value::Null),
            Access::OptionalUser => continue,
            Access::User | Access::Permit(..) => {
                (json!([{"accessToken": []}]), "#/components/responses/Unauthorized".into())
            }
            Access::Operator => (json!([{"operatorKey": []}]), "#/components/responses/OperatorUnauthorized".into()),
        };
        assert_eq!(operation["security"], scheme, "{method} {path}");
        if route.access != Access::Public {
            // Those that also take a password have one more reason for a 401.
            let found = operation["responses"]["401"]["$ref"].as_str().unwrap_or_default();
            assert_eq!(found.trim_end_matches("OrWrongPassword"), unauthorized, "{method} {path}");
        }
        assert_eq!(operation["responses"]["429"].is_object(), route.door.is_some(), "{method} {path}");
    }
}

#[test]
fn the_error_codes_and_fault_types_are_those_of_the_table() {
    let listed = |pointer: &str| -> Vec<&str> {
        DESCRIPTION.pointer(pointer).unwrap().as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
    };
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed("/components/schemas/ErrorCode/enum"), codes);
    let kinds: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(listed("/components/schemas/Fault/properties/type/enum"), kinds);
}

#[test]
fn every_example_of_an_error_is_what_the_service_says() {
    for code in Code::ALL {
        let example = &DESCRIPTION["components"]["examples"][code.as_str()]["value"]["error"];
        if example.is_object() && code != Code::Conflict {
            assert_eq!(example["message"], code.message(), "{code:?}");
        }
    }
}

#[test]
fn every_error_stands_at_its_status() {
    for (method, path, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let examples = resolve(response)["content"]["application/json"]["examples"].as_object();
            for code in examples.into_iter().flatten().map(|(name, _)| name) {
                if let Some(code) = Code::ALL.iter().find(|known| known.as_str() == code) {
                    assert_eq!(code.status().to_string(), *status, "{method} {path} {code:?}");
                }
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
    assert!(checked > 30, "only {checked} examples were found");
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
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), *DESCRIPTION, "the JSON is the YAML");
}
