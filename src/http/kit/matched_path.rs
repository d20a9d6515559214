//! The path pattern that a request matched, for the access log.

use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::MethodRouter;

#[derive(Clone)]
struct Route(MatchedPath);

pub(crate) fn route_of(response: &Response) -> &str {
    response.extensions().get::<Route>().map_or("", |route| route.0.as_str())
}

/// Notes the pattern of the path, for the access log.
pub(in crate::http) fn noted(handler: MethodRouter) -> MethodRouter {
    handler.layer(from_fn(note_route))
}

async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}
