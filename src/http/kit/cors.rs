//! CORS: the origins whose pages may call the service (Fetch Standard, CORS protocol).

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION,
    CONTENT_TYPE, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::domain::settings::{CorsOrigins, Presentation};
use crate::http::kit::headers::REQUEST_ID;
use crate::http::kit::near::BOOKMARK;

/// How long a browser may cache the response to a preflight request.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Adds CORS for these origins to a router. Without origins, no response has CORS headers.
pub(in crate::http) fn wrap(router: Router, presentation: &Presentation) -> Router {
    match layer(presentation) {
        Some(layer) => router.layer(layer),
        None => router,
    }
}

/// True for an OPTIONS request that is no preflight (Fetch Standard §3.2.2). The layer would answer it as one.
pub(in crate::http) fn is_plain_options(request: &Request) -> bool {
    let headers = request.headers();
    let is_preflight = headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS && !is_preflight
}

/// Adds the request headers that pages may send to the response of a preflight. The layer would take parsed names, and the
/// parser of names takes 3 kB of the Wasm.
pub(in crate::http) fn allow_headers(response: &mut Response, presentation: &Presentation) {
    if !response.headers().contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
        return;
    }
    let own = [AUTHORIZATION, CONTENT_TYPE, REQUEST_ID, BOOKMARK].map(|name| name.as_str().to_owned());
    let further = presentation.cors_request_headers.iter().map(|name| name.to_ascii_lowercase());
    let names: Vec<String> = own.into_iter().chain(further).collect();
    // The settings accept header names only, so their list is a value.
    if let Ok(value) = HeaderValue::try_from(names.join(",")) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, value);
    }
}

fn layer(presentation: &Presentation) -> Option<CorsLayer> {
    let (origins, with_credentials) = match &presentation.cors_origins {
        CorsOrigins::Only(list) if list.is_empty() => return None,
        // The settings accept ASCII origins only, so this filter drops none.
        CorsOrigins::Only(list) => {
            (AllowOrigin::list(list.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())), true)
        }
        CorsOrigins::Any => (AllowOrigin::any(), false),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(with_credentials)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .expose_headers([REQUEST_ID, BOOKMARK, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(MAX_AGE);
    Some(layer)
}
