//! Access control: the rule in each line of the route table, and the middleware that enforces it.

use axum::body::Body;
use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;

use crate::domain::authz::Permission;
use crate::domain::ids::UniversityId;
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::limits::{RATE_LIMIT_PERIOD_MS, RateLimit};
use crate::domain::problem::{Code, Problem};
use crate::http::kit::context::Configured;
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::refusal::{BearerChallenge, Refusal};
use crate::service::authz::caller::{Caller, authenticate, authorize};
use crate::service::platform::operations::authenticate_operator;
use crate::store::authz::resources::{ResourceRow, Target};
#[cfg(feature = "campus")]
use crate::store::campus::resources::CampusTarget;

/// The access rule of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No authentication; the handler sees no caller.
    Public,
    /// Authentication is optional. An invalid token counts as none.
    OptionalUser,
    /// An active user with a valid access token and a live session.
    User,
    /// Such a user, with this permission on the resource in the path.
    Permit(Permission, PathResource),
    /// A client with the operator's key. Needs no database, so it works while the database is down.
    Operator,
}

/// The type of the resource that the `{id}` of a path refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the names of the resources")]
pub enum PathResource {
    /// No resource: the permission applies to the service itself.
    Platform,
    University,
    #[cfg(feature = "campus")]
    Course,
    #[cfg(feature = "campus")]
    Enrollment,
}

impl PathResource {
    /// The resource to read, if the rule needs one. Malformed text gets the same `NOT_FOUND` as an unknown id.
    fn target(self, id: Option<&str>) -> Result<Option<Target>, Code> {
        let id = id.unwrap_or_default();
        let target = match self {
            Self::Platform => return Ok(None),
            Self::University => UniversityId::parse(id).map(Target::University),
            #[cfg(feature = "campus")]
            Self::Course => CourseId::parse(id).map(|id| Target::Campus(CampusTarget::Course(id))),
            #[cfg(feature = "campus")]
            Self::Enrollment => EnrollmentId::parse(id).map(|id| Target::Campus(CampusTarget::Enrollment(id))),
        };
        target.map(Some).ok_or(Code::NotFound)
    }
}

/// The path pattern that a request matched, for the access log.
#[derive(Clone)]
struct Route(MatchedPath);

pub(crate) fn route_of(response: &Response) -> &str {
    response.extensions().get::<Route>().map_or("", |route| route.0.as_str())
}

/// Wraps a handler in the access rule, and the rule in the rate limit per client network.
pub(in crate::http) fn guarded(access: Access, rate_limit: Option<RateLimit>, handler: MethodRouter) -> MethodRouter {
    let handler = match access {
        Access::Public => handler,
        Access::OptionalUser => handler.route_layer(from_fn(optional_user)),
        Access::User => handler.route_layer(from_fn(require_user)),
        Access::Permit(permission, resource) => {
            handler.route_layer(from_fn(move |request, next| require_permission(permission, resource, request, next)))
        }
        Access::Operator => handler.route_layer(from_fn(require_operator)),
    };
    let handler = match rate_limit {
        None => handler,
        Some(rate_limit) => handler.route_layer(from_fn(move |request, next| limited(rate_limit, request, next))),
    };
    handler.layer(from_fn(note_route))
}

/// Refuses a client over its rate limit, before the body is read, a password hashed or the database queried.
async fn limited(rate_limit: RateLimit, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let configured = match Configured::of(&parts) {
        Ok(configured) => configured,
        Err(refusal) => return refusal.into_response(),
    };
    let is_limited = configured.settings().rate_limiting;
    if is_limited && !configured.limiter().admit(rate_limit, configured.peer().network()).await {
        return Refusal::from(Problem::rate_limited(RATE_LIMIT_PERIOD_MS)).into_response();
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

/// The resource in the path, as read by the access rule.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "campus"), expect(dead_code, reason = "only campus has routes that use it"))]
pub(in crate::http) struct Found(pub(in crate::http) ResourceRow);

async fn require_user(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match user(&parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            answered(next.run(Request::from_parts(parts, body)).await)
        }
        Err(refusal) => refused(refusal, &parts.headers),
    }
}

async fn user(parts: &Parts) -> Result<Caller, Refusal> {
    let token = bearer_token(&parts.headers).ok_or(Code::TokenInvalid);
    let configured = Configured::of(parts)?;
    Ok(authenticate(&configured.service(), token?).await?)
}

/// An invalid token counts as none, but a failure of the database is reported.
async fn optional_user(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if bearer_token(&parts.headers).is_some() {
        match user(&parts).await {
            Ok(caller) => drop(parts.extensions.insert(caller)),
            Err(refusal) if refusal.is_ours() => return refusal.into_response(),
            Err(_) => {}
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

async fn require_permission(permission: Permission, resource: PathResource, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match permitted(permission, resource, &mut parts).await {
        Ok((caller, found)) => {
            parts.extensions.insert(caller);
            if let Some(found) = found {
                parts.extensions.insert(Found(found));
            }
            answered(next.run(Request::from_parts(parts, body)).await)
        }
        Err(refusal) => refused(refusal, &parts.headers),
    }
}

async fn permitted(
    permission: Permission,
    resource: PathResource,
    parts: &mut Parts,
) -> Result<(Caller, Option<ResourceRow>), Refusal> {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.map_err(|_| Code::NotFound);
    let id = params.as_ref().ok().and_then(|params| params.iter().find(|(name, _)| *name == "id"));
    let target = resource.target(id.map(|(_, value)| value));
    let token = bearer_token(&parts.headers).ok_or(Code::TokenInvalid);
    let configured = Configured::of(parts)?;
    let service = configured.service();
    match target {
        Ok(target) => Ok(authorize(&service, token?, permission, target).await?),
        // Authentication comes first: an unauthenticated client gets 401 even for a malformed id.
        Err(code) => authenticate(&service, token?).await.map_or_else(|error| Err(error.into()), |_| Err(code.into())),
    }
}

/// The response of a handler behind a token. A wrong password is a 401 too, and needs a challenge as well.
fn answered(mut response: Response) -> Response {
    response.extensions_mut().insert(BearerChallenge::Rejected);
    response
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

/// A refusal with the challenge that fits the presented token.
fn refused(refusal: Refusal, headers: &HeaderMap) -> Response {
    let mut response = refusal.into_response();
    let challenge = if bearer_token(headers).is_some() { BearerChallenge::Rejected } else { BearerChallenge::Absent };
    response.extensions_mut().insert(challenge);
    response
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme's name is compared without case
/// (RFC 9110 §11.1). Two such headers count as none, because they are ambiguous.
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && values.next().is_none();
    is_bearer.then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The fallback for unknown paths.
pub(in crate::http) async fn not_found() -> Refusal {
    Code::NotFound.into()
}

/// The fallback for a known path with another method. axum adds `Allow`.
pub(in crate::http) async fn method_not_allowed() -> Response<Body> {
    Refusal::from(ProtocolError::MethodNotAllowed).into_response()
}
