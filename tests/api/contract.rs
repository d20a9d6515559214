//! The route table, `openapi.yaml` and the error table agree.

use std::collections::BTreeSet;

use edge_auth::domain::audit::EventType;
use edge_auth::domain::authz::{Permission, Role};
use edge_auth::domain::machine::oauth::OAuthError;
use edge_auth::domain::machine::scope::Scope;
use edge_auth::domain::problem::{Code, FaultKind};
use edge_auth::http::ProtocolError;
use edge_auth::http::routes::{Access, Limits, ROUTES};
use serde_json::{Value, json};

use crate::support::contract::{DESCRIPTION, as_built, is_built, resolve, validator};

/// `(METHOD, path, operation)` of every described operation.
fn operations() -> Vec<(String, &'static String, &'static Value)> {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let items = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    items.collect()
}

#[test]
fn routes_and_described_operations_are_the_same() {
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
fn the_description_requires_a_token_exactly_where_the_route_table_does() {
    for (method, path, operation) in operations() {
        let route = ROUTES.iter().find(|route| route.method == method && route.path == path).unwrap();
        let (mut scheme, unauthorized) = match route.access {
            // The credentials of the client may also be in the body.
            Access::Public if path == "/oauth/token" => (json!([{"clientBasic": []}, {}]), ""),
            Access::Public => (json!(null), ""),
            // The token is optional and a bad one counts as none, so there is no 401.
            Access::OptionalUser => (json!([{}, {"accessToken": []}]), ""),
            Access::User | Access::Permit(..) => (json!([{"accessToken": []}]), "#/components/responses/Unauthorized"),
            Access::Client => (json!([{"clientBasic": []}]), "#/components/responses/OAuthInvalidClient"),
            Access::Operator => (json!([{"operatorKey": []}]), "#/components/responses/OperatorUnauthorized"),
        };
        if route.accepted.takes_keys() {
            scheme.as_array_mut().unwrap().push(json!({"apiKey": []}));
        }
        if route.accepted.scope().is_some() {
            scheme.as_array_mut().unwrap().extend([json!({"serviceKey": []}), json!({"serviceToken": []})]);
        }
        assert_eq!(operation["security"], scheme, "{method} {path}");
        if route.access != Access::Public {
            // Operations that also take a password have further reasons for a 401.
            let found = operation["responses"]["401"]["$ref"].as_str().unwrap_or_default();
            let found = found.trim_end_matches("OrWrongPassword").trim_end_matches("OrStepUp");
            let found = found.trim_end_matches("OrWrongInvitation");
            // The proof of the body, and not the token, is refused.
            let found = found.trim_end_matches("#/components/responses/WrongProof");
            assert_eq!(found, unauthorized, "{method} {path}");
        }
        // Any authenticated caller may be disabled, and most permissions may be missing.
        let refusals = resolve(&operation["responses"]["403"])["content"]["application/json"]["examples"].as_object();
        let is_refused = |code: Code| refusals.is_some_and(|examples| examples.contains_key(code.as_str()));
        if matches!(route.access, Access::User | Access::Permit(..)) {
            assert!(is_refused(Code::InactiveUser), "{method} {path}");
        }
        if matches!(route.access, Access::Permit(permission, _) if permission != Permission::ViewUniversity) {
            assert!(is_refused(Code::Forbidden), "{method} {path}");
        }
        assert_eq!(operation["responses"]["429"].is_object(), route.limits != Limits::Unlimited, "{method} {path}");
    }
}

#[test]
fn described_enums_match_the_code() {
    let listed = |pointer: &str| -> Vec<&str> {
        let words = DESCRIPTION.pointer(&format!("/components/schemas/{pointer}/enum"));
        words.unwrap().as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    };
    let codes: Vec<_> = errors().iter().map(|error| error.code).collect();
    assert_eq!(listed("ErrorCode"), codes);
    let kinds: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(listed("Fault/properties/type"), kinds);
    let events: Vec<_> = EventType::ALL.iter().map(|event| event.as_str()).collect();
    assert_eq!(listed("EventType"), events);
    let roles: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    assert_eq!(listed("Role"), roles);
    let permissions: Vec<_> = Permission::all().map(|(name, _)| name).collect();
    let described = listed("Permission").into_iter().filter(|name| is_built(name));
    assert_eq!(described.collect::<Vec<_>>(), permissions);
    assert_eq!(listed("Scope"), Scope::ALL.map(Scope::as_str));
    assert_eq!(listed("OAuthError/properties/error"), OAuthError::ALL.map(OAuthError::as_str));
}

/// The codes with messages that may be more specific than the one in the error table.
const SPECIFIC_MESSAGES: [&str; 2] = [Code::Conflict.as_str(), Code::Forbidden.as_str()];

/// A row of the contract's table of errors.
struct Row {
    code: &'static str,
    status: u16,
    message: &'static str,
}

/// The errors of the core and those of HTTP itself, by status.
fn errors() -> Vec<Row> {
    let core = Code::ALL.map(|code| Row { code: code.as_str(), status: code.status(), message: code.message() });
    let protocol =
        ProtocolError::ALL.map(|error| Row { code: error.as_str(), status: error.status(), message: error.message() });
    let mut errors: Vec<Row> = core.into_iter().chain(protocol).collect();
    errors.sort_by_key(|error| error.status);
    errors
}

#[test]
fn every_error_example_has_the_services_message() {
    let mut shown = BTreeSet::new();
    for (name, example) in DESCRIPTION["components"]["examples"].as_object().unwrap() {
        let error = &example["value"]["error"];
        if let Some(code) = error.as_str() {
            let known = OAuthError::ALL.into_iter().find(|known| known.as_str() == code).unwrap();
            assert_eq!(example["value"]["error_description"], known.description(), "{name}");
            continue;
        }
        let Some(row) = errors().into_iter().find(|row| error["code"] == row.code) else {
            assert!(error.is_null(), "{name} has an unknown code");
            continue;
        };
        shown.insert(row.code);
        if !SPECIFIC_MESSAGES.contains(&row.code) || name == Code::Forbidden.as_str() {
            assert_eq!(error["message"], row.message, "{name}");
        }
    }
    let all: BTreeSet<_> = errors().iter().map(|row| row.code).collect();
    assert_eq!(shown, all, "every code has an example");
}

#[test]
fn every_error_is_described_under_its_status() {
    for (method, path, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let examples = resolve(response)["content"]["application/json"]["examples"].as_object();
            for (name, example) in examples.into_iter().flatten() {
                let stated = &resolve(example)["value"]["error"]["code"];
                let Some(row) = errors().into_iter().find(|row| *stated == row.code) else { continue };
                assert_eq!(row.status.to_string(), *status, "{method} {path} {name}");
                // The first example of a code is named after it; further examples have names of their own.
                let named = &resolve(&examples.unwrap()[row.code])["value"]["error"]["code"];
                assert_eq!(named, stated, "{method} {path} {name}");
            }
        }
    }
}

#[test]
fn every_example_matches_its_schema() {
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

/// Every schema below a part of the description, with its place.
fn schemas(place: &str, part: &'static Value, found: &mut Vec<(String, &'static Value)>) {
    if part["type"].is_string() || part["type"].is_array() {
        found.push((place.to_owned(), part));
    }
    match part {
        Value::Object(members) => {
            members.iter().for_each(|(name, part)| schemas(&format!("{place}/{name}"), part, found));
        }
        Value::Array(items) => items.iter().for_each(|part| schemas(place, part, found)),
        _ => {}
    }
}

/// Generators of clients take 32 bits where no format says otherwise; ids have 53.
#[test]
fn every_integer_states_its_size() {
    let mut found = Vec::new();
    schemas("", &DESCRIPTION, &mut found);
    let mut integers = 0;
    for (place, schema) in found.into_iter().filter(|(_, schema)| schema["type"] == "integer") {
        let fits = schema["maximum"].as_i64().is_some_and(|maximum| i32::try_from(maximum).is_ok());
        assert_eq!(schema["format"], if fits { "int32" } else { "int64" }, "{place}");
        integers += 1;
    }
    assert!(integers >= 6, "only {integers} integers were found");
}

/// openapi-generator, the most used generator of clients, takes texts only, and stops at an object.
#[test]
fn no_link_has_a_body_that_generators_refuse() {
    for (name, link) in DESCRIPTION["components"]["links"].as_object().unwrap() {
        assert!(link["requestBody"].is_null() || link["requestBody"].is_string(), "{name}");
    }
}

/// openapi-generator allows 50 references to anchors. `PyYAML` takes no unquoted question mark in a flow mapping.
#[test]
fn the_served_yaml_has_no_anchors_and_no_flow_mappings() {
    let yaml = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/public/openapi.yaml")).unwrap();
    for line in yaml.lines() {
        let value = line.trim_start().trim_start_matches("- ").split_once(": ").map_or(line.trim(), |(_, value)| value);
        let is_name = |name: &str| !name.is_empty() && name.chars().all(char::is_alphanumeric);
        let is_anchor = value.strip_prefix(['&', '*']).is_some_and(is_name);
        // A line of an example is JSON.
        let is_mapping = value.starts_with('{') && value != "{}" && !value.starts_with("{\"");
        assert!(!is_anchor && !is_mapping, "{line}");
    }
}

#[test]
fn the_placeholders_for_deployment_settings_occur_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/public");
    let yaml = std::fs::read_to_string(format!("{folder}/openapi.yaml")).unwrap();
    let json = std::fs::read_to_string(format!("{folder}/openapi.json")).unwrap();
    assert_eq!(yaml.matches("\n  title: edge-auth\n").count(), 1);
    assert_eq!(yaml.matches("\nservers:\n  - url: /\n").count(), 1);
    assert_eq!(json.matches("\"title\":\"edge-auth\"").count(), 1);
    assert_eq!(json.matches("\"servers\":[{\"url\":\"/\"}]").count(), 1);
    assert_eq!(as_built(serde_json::from_str(&json).unwrap()), *DESCRIPTION, "the JSON is the YAML");
}
