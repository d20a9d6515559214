//! Liveness: touches nothing, not even the settings.

use axum::response::Response;
use serde::Serialize;

use super::body::json;

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

pub(super) async fn health() -> Response {
    json(200, &Health { status: "ok" })
}
