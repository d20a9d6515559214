//! The API description, from the static files of the deployment.
//!
//! The files are the same in all deployments. This module inserts the title and the mount prefix of the deployment. A
//! test checks that each placeholder occurs exactly once.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::http::platform::etag;

pub(in crate::http) async fn json(configured: Configured, headers: HeaderMap) -> Result<Response, Refusal> {
    let tag = etag::of(&configured, etag::digest_of(&configured, "/openapi.json").await?)?;
    if etag::is_known(&headers, &tag) {
        return Ok(etag::not_modified(tag, etag::CACHED));
    }
    let text = configured.assets().text("/openapi.json").await?;
    let presentation = &configured.settings().presentation;
    let title = format!("\"title\":{}", json_string(&presentation.app_name));
    let server = format!("\"servers\":[{{\"url\":{}}}]", json_string(server_url(&presentation.base_path)));
    let text =
        text.replacen("\"title\":\"edge-auth\"", &title, 1).replacen("\"servers\":[{\"url\":\"/\"}]", &server, 1);
    Ok(file_response(text, tag, "application/json"))
}

pub(in crate::http) async fn yaml(configured: Configured, headers: HeaderMap) -> Result<Response, Refusal> {
    let tag = etag::of(&configured, etag::digest_of(&configured, "/openapi.yaml").await?)?;
    if etag::is_known(&headers, &tag) {
        return Ok(etag::not_modified(tag, etag::CACHED));
    }
    let text = configured.assets().text("/openapi.yaml").await?;
    let presentation = &configured.settings().presentation;
    // A JSON string is a YAML string too (YAML 1.2 §1.3).
    let title = format!("\n  title: {}\n", json_string(&presentation.app_name));
    let server = format!("\nservers:\n  - url: {}\n", json_string(server_url(&presentation.base_path)));
    let text = text.replacen("\n  title: edge-auth\n", &title, 1).replacen("\nservers:\n  - url: /\n", &server, 1);
    Ok(file_response(text, tag, "application/yaml"))
}

const fn server_url(base_path: &str) -> &str {
    if base_path.is_empty() { "/" } else { base_path }
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn file_response(text: String, tag: HeaderValue, content_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, etag::CACHED);
    response.headers_mut().insert(ETAG, tag);
    response
}
