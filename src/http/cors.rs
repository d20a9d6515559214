//! Which pages of other origins may call (Fetch Standard, CORS protocol).

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::headers::REQUEST_ID;
use crate::domain::settings::CorsOrigins;

/// How long a browser may remember the answer to a preflight request.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The layer for these origins; none if there are none, and then no response says anything about CORS.
pub(super) fn layer(origins: &CorsOrigins) -> Option<CorsLayer> {
    let (origins, with_credentials) = match origins {
        CorsOrigins::Only(list) if list.is_empty() => return None,
        // Every entry was checked to be ASCII when the settings were read.
        CorsOrigins::Only(list) => {
            (AllowOrigin::list(list.iter().filter_map(|origin| HeaderValue::from_str(origin).ok())), true)
        }
        CorsOrigins::Any => (AllowOrigin::any(), false),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(with_credentials)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, REQUEST_ID])
        .expose_headers([REQUEST_ID, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(MAX_AGE);
    Some(layer)
}
