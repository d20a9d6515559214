//! Access control: the rule in each line of the route table, and the middleware that enforces it.

use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::domain::authz::Permission;
use crate::domain::ids::UniversityId;
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::limits::{RATE_LIMIT_PERIOD_MS, RateLimit};
use crate::domain::problem::{Code, Problem};
use crate::http::kit::context::Configured;
use crate::http::kit::protocol::ProtocolError;
use crate::http::kit::refusal::{BearerChallenge, Refusal};
use crate::service;
use crate::service::authz::admission::{Admission, Demand, Reading, admit, admit_anyone};
use crate::service::authz::caller::{Subject, verify};
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

/// The read of an operation, made of its path, its query and the subject of its token. The access rule takes it along in
/// the batch that reads the caller. A plan is not async: it builds statements and cannot run them.
pub(in crate::http) type Plan<I, T> = fn(I) -> Reading<T>;

/// The plan of an operation without such a read.
pub(in crate::http) fn no_reading((): ()) -> Reading<()> {
    Reading::nothing()
}

/// An operation that only reads. Its plan says how to respond, too.
pub(in crate::http) fn reading<I: FromRequestParts<()> + Send + 'static>(
    access: Access,
    rate_limit: Option<RateLimit>,
    method: MethodFilter,
    plan: Plan<I, Response>,
) -> MethodRouter {
    let handler = move |request: Request| async move {
        let (mut parts, _) = request.into_parts();
        let challenge = challenge(access, &parts.headers);
        let admission = admitted(access, plan, &mut parts).await;
        with_challenge(challenge, admission.map_or_else(|refused| refused, |admission| admission.result))
    };
    limited_and_noted(rate_limit, on(method, handler))
}

/// Wraps a handler in the access rule. The handler gets the result of the plan as [`Fetched`].
pub(in crate::http) fn guarded<I, T>(
    access: Access,
    rate_limit: Option<RateLimit>,
    plan: Plan<I, T>,
    handler: MethodRouter,
) -> MethodRouter
where
    I: FromRequestParts<()> + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    let handler = match access {
        Access::Public => handler,
        _ => handler.route_layer(from_fn(move |request, next| admit_or_refuse(access, plan, request, next))),
    };
    limited_and_noted(rate_limit, handler)
}

/// The limit comes before the access rule.
fn limited_and_noted(rate_limit: Option<RateLimit>, handler: MethodRouter) -> MethodRouter {
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

/// The result of the route's plan.
#[derive(Clone)]
pub(in crate::http) struct Fetched<T>(pub(in crate::http) T);

async fn admit_or_refuse<I, T>(access: Access, plan: Plan<I, T>, request: Request, next: Next) -> Response
where
    I: FromRequestParts<()> + Send,
    T: Clone + Send + Sync + 'static,
{
    let (mut parts, body) = request.into_parts();
    let challenge = challenge(access, &parts.headers);
    let response = match admitted(access, plan, &mut parts).await {
        Ok(Admission { caller, resource, result }) => {
            parts.extensions.insert(Fetched(result));
            if let Some(caller) = caller {
                parts.extensions.insert(caller);
            }
            if let Some(resource) = resource {
                parts.extensions.insert(Found(resource));
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refused) => refused,
    };
    with_challenge(challenge, response)
}

/// Decides the access rule of a route. The plan's rows are decoded only if the rule allows the caller.
async fn admitted<I, T>(access: Access, plan: Plan<I, T>, parts: &mut Parts) -> Result<Admission<T>, Response>
where
    I: FromRequestParts<()> + Send,
    T: 'static,
{
    match access {
        Access::Public => admitted_without_token(plan, parts).await,
        Access::OptionalUser => match admitted_by_token(Ok(None), plan, parts).await {
            // A token without an active user and a live session counts as none. A failure of the database is reported.
            Err(refused) if matches!(refused.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                parts.extensions.remove::<Subject>();
                admitted_without_token(plan, parts).await
            }
            decided => decided,
        },
        Access::User => admitted_by_token(Ok(None), plan, parts).await,
        Access::Permit(permission, resource) => {
            let target = resource.target(path_id(parts).await.as_deref());
            let demand = target.map(|target| Some(Demand { permission, target }));
            admitted_by_token(demand, plan, parts).await
        }
        Access::Operator => {
            let configured = Configured::of(parts).map_err(Refusal::into_response)?;
            authenticate_operator(&configured.service(), bearer_token(&parts.headers)).map_err(refused)?;
            admitted_without_token(plan, parts).await
        }
    }
}

/// The text of the path parameter `id`.
async fn path_id(parts: &mut Parts) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find(|(name, _)| *name == "id").map(|(_, value)| value.to_owned())
}

/// Access comes before everything else that the request may have wrong. With a malformed path or query, the plan is not
/// made, and the caller is told only if the rule allows the caller.
async fn admitted_by_token<I, T>(
    demand: Result<Option<Demand>, Code>,
    plan: Plan<I, T>,
    parts: &mut Parts,
) -> Result<Admission<T>, Response>
where
    I: FromRequestParts<()> + Send,
    T: 'static,
{
    let configured = Configured::of(parts).map_err(Refusal::into_response)?;
    let service = configured.service();
    let token = bearer_token(&parts.headers).ok_or_else(|| Refusal::from(Code::TokenInvalid).into_response())?;
    let subject = verify(&service, token).map_err(refused)?;
    parts.extensions.insert(subject);
    let input = I::from_request_parts(parts, &()).await.map_err(IntoResponse::into_response);
    match (demand, input) {
        (Ok(demand), Ok(input)) => admit(&service, subject, demand, plan(input)).await.map_err(refused),
        (Ok(demand), Err(response)) => {
            admit(&service, subject, demand, Reading::nothing()).await.map_err(refused)?;
            Err(response)
        }
        (Err(code), _) => {
            admit(&service, subject, None, Reading::nothing()).await.map_err(refused)?;
            Err(Refusal::from(code).into_response())
        }
    }
}

async fn admitted_without_token<I, T>(plan: Plan<I, T>, parts: &mut Parts) -> Result<Admission<T>, Response>
where
    I: FromRequestParts<()> + Send,
    T: 'static,
{
    let configured = Configured::of(parts).map_err(Refusal::into_response)?;
    let input = I::from_request_parts(parts, &()).await.map_err(IntoResponse::into_response)?;
    admit_anyone(&configured.service(), plan(input)).await.map_err(refused)
}

fn refused(error: service::Error) -> Response {
    Refusal::from(error).into_response()
}

/// The challenge that fits the presented token, if the response is a 401. A wrong password behind a token is one too.
fn challenge(access: Access, headers: &HeaderMap) -> Option<BearerChallenge> {
    let is_absent = bearer_token(headers).is_none();
    let challenge = if is_absent { BearerChallenge::Absent } else { BearerChallenge::Rejected };
    (access != Access::Public).then_some(challenge)
}

fn with_challenge(challenge: Option<BearerChallenge>, mut response: Response) -> Response {
    if let Some(challenge) = challenge {
        response.extensions_mut().insert(challenge);
    }
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
