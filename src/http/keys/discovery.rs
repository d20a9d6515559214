//! `/.well-known/oauth-authorization-server`: the metadata of the service (RFC 8414). It exists if `PUBLIC_URL` is set: its
//! addresses are never taken from a request, since an attacker chooses the `Host` of their own.

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;

use crate::domain::machine::scope::Scope;
use crate::domain::problem::Code;
use crate::domain::settings::TokenSettings;
use crate::http::kit::context::Configured;
use crate::http::kit::matched_path::noted;
use crate::http::kit::refusal::Refusal;
use crate::http::platform::document;

/// The path, at the root of the host. A base path stands behind it (RFC 8414 §3.1).
const PATH: &str = "/.well-known/oauth-authorization-server";
const CACHED: &str = "public, max-age=300";
/// HTTP Basic (`OpenID` Connect Core §9). Introspection and revocation also take a key or a token as bearer.
const BASIC: &str = "client_secret_basic";

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    jwks_uri: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: [&'static str; 2],
    grant_types_supported: [&'static str; 1],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 1],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    scopes_supported: [&'static str; Scope::ALL.len()],
    service_documentation: String,
    /// Required by RFC 8414 §2. The service has no authorization endpoint.
    response_types_supported: [&'static str; 0],
    /// Not registered; the algorithm of access tokens.
    access_token_signing_alg_values_supported: [&'static str; 1],
}

impl<'a> Metadata<'a> {
    fn of(settings: &'a TokenSettings, url: &str) -> Self {
        Self {
            issuer: &settings.issuers.current,
            jwks_uri: format!("{url}/.well-known/jwks.json"),
            token_endpoint: format!("{url}/oauth/token"),
            token_endpoint_auth_methods_supported: [BASIC, "client_secret_post"],
            grant_types_supported: ["client_credentials"],
            introspection_endpoint: format!("{url}/oauth/introspect"),
            introspection_endpoint_auth_methods_supported: [BASIC],
            revocation_endpoint: format!("{url}/oauth/revoke"),
            revocation_endpoint_auth_methods_supported: [BASIC],
            scopes_supported: Scope::ALL.map(Scope::as_str),
            service_documentation: format!("{url}/docs"),
            response_types_supported: [],
            access_token_signing_alg_values_supported: [settings.algorithm.as_str()],
        }
    }
}

pub(in crate::http) async fn metadata(configured: Configured, headers: HeaderMap) -> Result<Response, Refusal> {
    let settings = &configured.settings().tokens;
    let url = settings.public_url.as_deref().ok_or(Code::NotFound)?;
    let text =
        serde_json::to_string(&Metadata::of(settings, url)).map_err(|error| Refusal::internal(error.to_string()))?;
    Ok(document::public(&headers, text, CACHED))
}

/// The route of a service with a base path. The table of routes is below that path, and so has no place for it.
pub(in crate::http) fn beside(base_path: &str) -> Router {
    let handler = get(async |request: Request| {
        let (parts, _) = request.into_parts();
        match Configured::of(&parts) {
            Ok(configured) => metadata(configured, parts.headers).await.into_response(),
            Err(refusal) => refusal.into_response(),
        }
    });
    Router::new().route(&format!("{PATH}{base_path}"), noted(handler))
}
