//! Checks every reply of every test against `openapi.yaml`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use axum::http::Method;
use edge_auth::http::PAGES;
use serde_json::{Value, json};

use super::Reply;

/// Whether this build has the operation, path or permission. Courses and enrolments belong to the feature `campus`.
pub fn is_built(words: &str) -> bool {
    let words = words.to_lowercase();
    cfg!(feature = "campus") || !["course", "enroll"].iter().any(|word| words.contains(word))
}

/// The parsed `openapi.yaml`, as far as this build has it.
pub static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    as_built(serde_norway::from_str(&text).unwrap())
});

/// Removes the paths and the members of the export that this build does not have.
pub fn as_built(mut description: Value) -> Value {
    description["paths"].as_object_mut().unwrap().retain(|path, _| is_built(path));
    let export = &mut description["components"]["schemas"]["Export"];
    export["required"].as_array_mut().unwrap().retain(|member| is_built(member.as_str().unwrap()));
    export["properties"].as_object_mut().unwrap().retain(|member, _| is_built(member));
    let example = &mut description["components"]["examples"]["Export"]["value"];
    example.as_object_mut().unwrap().retain(|member, _| is_built(member));
    description
}

/// By the text of their schema. Building one takes longer than most tests.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> = LazyLock::new(Mutex::default);

/// Follows a `$ref`, if there is one.
pub fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(reference) => DESCRIPTION.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// The described operation of a request, if there is one.
pub fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    // A HEAD request is a GET without its body (RFC 9110 §9.3.2).
    let method = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    paths.iter().find(|(pattern, _)| matches(pattern, path)).and_then(|(_, item)| item.get(&method))
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    pattern.split('/').all(|wanted| {
        let is_parameter = wanted.starts_with('{');
        segments.next().is_some_and(|segment| segment == wanted || (is_parameter && !segment.is_empty()))
    }) && segments.next().is_none()
}

/// Checks status, headers, media type, body and error code.
#[track_caller]
pub fn check(method: &Method, path: &str, reply: &Reply) {
    let is_page = ["", "/", "/pages/settings.json"].contains(&path)
        || PAGES.iter().any(|page| page.path == path.trim_end_matches('/'));
    if is_page && reply.status < 400 {
        return;
    }
    let is_preflight = *method == Method::OPTIONS && reply.status == 200;
    if is_preflight {
        return;
    }
    let has_body = *method != Method::HEAD;
    if let Some(length) = reply.header("content-length").filter(|_| has_body) {
        assert_eq!(length, reply.text.len().to_string(), "{method} {path}");
    }
    let Some(operation) = operation(method, path) else {
        // An undescribed path still follows the rules for all errors.
        check_headers(resolve(&DESCRIPTION["components"]["responses"]["ServerError"]), reply);
        if has_body {
            assert_valid("Error", &json!({"$ref": "#/components/schemas/Error"}), reply);
        }
        return;
    };
    let response = &operation["responses"][reply.status.to_string()];
    assert!(response.is_object(), "{method} {path}: status {} is not described: {reply:?}", reply.status);
    let response = resolve(response);
    check_headers(response, reply);
    if !has_body {
        return;
    }
    if response["content"].is_null() {
        assert_eq!((reply.text.as_str(), reply.header("content-type")), ("", None), "{method} {path}");
        return;
    }
    let media_type = reply.header("content-type").unwrap_or("none");
    let content = &response["content"][media_type];
    assert!(content.is_object(), "{method} {path} {}: {media_type} is not described", reply.status);
    if media_type == "application/json" {
        assert_valid(&format!("{method} {path} {}", reply.status), &content["schema"], reply);
    }
    if media_type == "application/x-ndjson" {
        let validator = shared_validator(&content["schema"]["contentSchema"]);
        for line in reply.text.lines() {
            assert!(validator.is_valid(&serde_json::from_str(line).unwrap()), "{method} {path}: {line}");
        }
    }
    if let Some(code) = reply.body["error"]["code"].as_str() {
        assert!(content["examples"][code].is_object(), "{method} {path}: {code} has no example: {reply:?}");
    }
}

#[track_caller]
fn check_headers(response: &'static Value, reply: &Reply) {
    for (name, header) in response["headers"].as_object().unwrap() {
        let header = resolve(header);
        match reply.header(name) {
            Some(value) => {
                let valid = shared_validator(&header["schema"]).is_valid(&Value::from(value));
                assert!(valid, "{name}: {value:?} is not as described");
            }
            None => assert_ne!(header["required"], true, "{name} is missing: {reply:?}"),
        }
    }
}

#[track_caller]
fn assert_valid(key: &str, schema: &Value, reply: &Reply) {
    let faults: Vec<String> =
        shared_validator(schema).iter_errors(&reply.body).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{key}: {faults:?}\n{}", reply.text);
}

/// The validator for this schema, built once for all tests.
fn shared_validator(schema: &Value) -> Arc<jsonschema::Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    Arc::clone(validators.entry(schema.to_string()).or_insert_with(|| Arc::new(validator(schema))))
}

/// A validator for a schema whose references point to the description's schemas.
pub fn validator(schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"]["schemas"] = DESCRIPTION["components"]["schemas"].clone();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}
