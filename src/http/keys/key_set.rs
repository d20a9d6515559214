//! `/.well-known/jwks.json`: the public halves of the signing keys (RFC 7517 §5).

use axum::http::HeaderMap;
use axum::response::Response;

use crate::domain::keys::ring::{Ring, SigningKey};
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::http::platform::document;
use crate::service::keys::copy::for_publication;

/// A resource server has a rotated key long before it signs. While the service is out of reach, a cache may serve the old
/// set for an hour more.
const CACHED: &str = "public, max-age=300, stale-while-revalidate=3600";

pub(in crate::http) async fn key_set(configured: Configured, headers: HeaderMap) -> Result<Response, Refusal> {
    let ring = for_publication(&configured.service()).await?;
    Ok(document::public(&headers, text(&ring), CACHED))
}

fn text(ring: &Ring) -> String {
    let keys: Vec<String> = ring.published().into_iter().map(json_web_key).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// The stored members of the key, and those that say its use. None of them needs an escape.
fn json_web_key(key: &SigningKey) -> String {
    let members = key.public_key.trim_end_matches('}');
    format!(r#"{members},"kid":"{}","use":"sig","alg":"{}"}}"#, key.id.text(), key.algorithm.as_str())
}
