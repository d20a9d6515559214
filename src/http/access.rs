//! Who may call a route: the rule that each line of the route table names.

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;

use super::context::Configured;
use super::refusal::{Challenge, Refusal};
use crate::domain::limits::{DOOR_PERIOD_MS, Door};
use crate::domain::problem::{Code, Problem};
use crate::service::caller::{Caller, authenticate};
use crate::service::operations::authenticate_operator;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// An active user with a valid access token and a live session.
    User,
    /// Who holds the operator's key. Asks nothing of the database: it must work while that is down.
    Operator,
}

/// The path pattern that a request matched, for the access log.
#[derive(Clone)]
struct Route(MatchedPath);

pub(crate) fn route_of(response: &Response) -> &str {
    response.extensions().get::<Route>().map_or("", |route| route.0.as_str())
}

/// Puts the rule in front of a handler, and the limit per client address in front of the rule.
pub(super) fn guarded(access: Access, door: Option<Door>, handler: MethodRouter) -> MethodRouter {
    let handler = match access {
        Access::Public => handler,
        Access::User => handler.route_layer(from_fn(require_user)),
        Access::Operator => handler.route_layer(from_fn(require_operator)),
    };
    let handler = match door {
        None => handler,
        Some(door) => handler.route_layer(from_fn(move |request, next| limited(door, request, next))),
    };
    handler.layer(from_fn(note_route))
}

/// Turns a client away that comes too often: before anything is read, hashed or asked of the database.
async fn limited(door: Door, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let configured = match Configured::of(&parts) {
        Ok(configured) => configured,
        Err(refusal) => return refusal.into_response(),
    };
    let is_limited = configured.settings().rate_limiting;
    if is_limited && !configured.limiter().admit(door, configured.client().network()).await {
        return Refusal::from(Problem::rate_limited(DOOR_PERIOD_MS)).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}

async fn require_user(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let configured = match Configured::of(&parts) {
        Ok(configured) => configured,
        Err(refusal) => return refusal.into_response(),
    };
    match caller(&configured, &parts.headers).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            // The handler may refuse a password: still a 401 of a route that takes a token.
            response.extensions_mut().insert(Challenge::Rejected);
            response
        }
        Err(refusal) => refused(refusal, &parts.headers),
    }
}

async fn require_operator(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let configured = match Configured::of(&parts) {
        Ok(configured) => configured,
        Err(refusal) => return refusal.into_response(),
    };
    match authenticate_operator(&configured.service(), bearer_token(&parts.headers)) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => refused(error.into(), &parts.headers),
    }
}

/// A refusal that says what it thinks of the token.
fn refused(refusal: Refusal, headers: &HeaderMap) -> Response {
    let mut response = refusal.into_response();
    let challenge = if bearer_token(headers).is_some() { Challenge::Rejected } else { Challenge::Absent };
    response.extensions_mut().insert(challenge);
    response
}

async fn caller(configured: &Configured, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let token = bearer_token(headers).ok_or(Code::TokenInvalid)?;
    Ok(authenticate(&configured.service(), token).await?)
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's name is compared without case
/// (RFC 9110 §11.1). Two such headers are none: which one would be meant?
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && values.next().is_none();
    is_bearer.then(|| token.trim()).filter(|token| !token.is_empty())
}

/// For paths that do not exist.
pub(super) async fn not_found() -> Refusal {
    Code::NotFound.into()
}

/// For paths that exist for other methods. axum adds `Allow`.
pub(super) async fn method_not_allowed() -> Response<Body> {
    Refusal::from(Code::MethodNotAllowed).into_response()
}
