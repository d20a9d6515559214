//! Access control: the rule in each line of the route table, and the middleware that enforces it.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::domain::authz::Permission;
use crate::domain::ids::UniversityId;
#[cfg(feature = "campus")]
use crate::domain::ids::{CourseId, EnrollmentId};
use crate::domain::problem::Code;
use crate::http::kit::bearer::{bearer_token, challenge};
use crate::http::kit::context::Configured;
use crate::http::kit::limits::{Limits, network_limited, user_limited};
use crate::http::kit::query;
use crate::http::kit::refusal::{BearerChallenge, Refusal};
use crate::service;
use crate::service::authz::admission::{Admission, Decided, Demand, Granted, Reading, admit, admit_anyone};
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

/// The conditions of a line of the table for a request, before its handler runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Rule {
    pub(in crate::http) access: Access,
    pub(in crate::http) limits: Limits,
}

impl Rule {
    /// For static files, which the database never sees.
    pub(in crate::http) const STATIC: Self = Self { access: Access::Public, limits: Limits::Unlimited };

    /// Does the route have the kinds of limits that its access rule needs? The table does not compile otherwise.
    pub(in crate::http) const fn is_limited(self) -> bool {
        match self.access {
            Access::User | Access::Permit(..) | Access::OptionalUser => matches!(self.limits, Limits::PerUser(..)),
            Access::Public => matches!(self.limits, Limits::Unlimited | Limits::PerNetwork(_)),
            Access::Operator => matches!(self.limits, Limits::Unlimited),
        }
    }

    fn challenge(self, parts: &Parts) -> Option<BearerChallenge> {
        (self.access != Access::Public).then(|| challenge(&parts.headers))
    }
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
    rule: Rule,
    method: MethodFilter,
    plan: Plan<I, Response>,
) -> MethodRouter {
    let handler = move |request: Request| async move {
        let (mut parts, _) = request.into_parts();
        let challenge = rule.challenge(&parts);
        let admission = admitted(rule, plan, &mut parts).await;
        with_challenge(challenge, admission.map_or_else(|refused| refused, |admission| admission.result))
    };
    limited_and_noted(rule.limits, on(method, handler))
}

/// Wraps a handler in the access rule. The handler gets the result of the plan as [`Fetched`].
pub(in crate::http) fn guarded<I, T>(rule: Rule, plan: Plan<I, T>, handler: MethodRouter) -> MethodRouter
where
    I: FromRequestParts<()> + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    let handler = match rule.access {
        Access::Public => handler,
        _ => handler.route_layer(from_fn(move |request, next| admit_or_refuse(rule, plan, request, next))),
    };
    limited_and_noted(rule.limits, handler)
}

/// The limit per client network comes before the access rule.
fn limited_and_noted(limits: Limits, handler: MethodRouter) -> MethodRouter {
    let handler = match limits.network() {
        None => handler,
        Some(limit) => handler.route_layer(from_fn(move |request, next| network_limited(limit, request, next))),
    };
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

/// The resource in the path, as read by the access rule.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "campus"), expect(dead_code, reason = "only campus has routes that use it"))]
pub(in crate::http) struct Found(pub(in crate::http) ResourceRow);

/// The result of the route's plan.
#[derive(Clone)]
pub(in crate::http) struct Fetched<T>(pub(in crate::http) T);

async fn admit_or_refuse<I, T>(rule: Rule, plan: Plan<I, T>, request: Request, next: Next) -> Response
where
    I: FromRequestParts<()> + Send,
    T: Clone + Send + Sync + 'static,
{
    let (mut parts, body) = request.into_parts();
    let challenge = rule.challenge(&parts);
    let response = match admitted(rule, plan, &mut parts).await {
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
async fn admitted<I, T>(rule: Rule, plan: Plan<I, T>, parts: &mut Parts) -> Result<Admission<T>, Response>
where
    I: FromRequestParts<()> + Send,
    T: 'static,
{
    let limits = rule.limits;
    match rule.access {
        Access::Public => admitted_without_token(plan, parts).await,
        Access::OptionalUser => match admitted_by_token(Ok(None), limits, plan, parts).await {
            // A token without an active user and a live session counts as none. A failure of the database is reported.
            Err(refused) if matches!(refused.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                parts.extensions.remove::<Subject>();
                admitted_without_token(plan, parts).await
            }
            decided => decided,
        },
        Access::User => admitted_by_token(Ok(None), limits, plan, parts).await,
        Access::Permit(permission, resource) => {
            let target = resource.target(path_id(parts).await.as_deref());
            let demand = target.map(|target| Some(Demand { permission, target }));
            admitted_by_token(demand, limits, plan, parts).await
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
    limits: Limits,
    plan: Plan<I, T>,
    parts: &mut Parts,
) -> Result<Admission<T>, Response>
where
    I: FromRequestParts<()> + Send,
    T: 'static,
{
    let configured = Configured::of(parts).map_err(Refusal::into_response)?;
    let token = bearer_token(&parts.headers).ok_or_else(|| Refusal::from(Code::TokenInvalid).into_response())?;
    let subject = verify(&configured.service(), token).map_err(refused)?;
    parts.extensions.insert(subject);
    let input = input_of(parts).await;
    let (demand, reading) = match (demand, input) {
        (Ok(demand), Ok(input)) => (demand, Ok(plan(input))),
        (Ok(demand), Err(response)) => (demand, Err(response)),
        (Err(code), _) => (None, Err(Refusal::from(code).into_response())),
    };
    parts.extensions.insert(Decided { subject, demand });
    match reading {
        Ok(reading) => granted(&configured, limits, subject, demand, reading).await?.admission().map_err(refused),
        Err(response) => {
            granted(&configured, limits, subject, demand, Reading::nothing()).await?;
            Err(response)
        }
    }
}

/// The limit per user counts callers to whom access was granted, even if their request has another fault.
async fn granted<T: 'static>(
    configured: &Configured,
    limits: Limits,
    subject: Subject,
    demand: Option<Demand>,
    reading: Reading<T>,
) -> Result<Granted<T>, Response> {
    let granted = admit(&configured.service(), subject, demand, reading).await.map_err(refused)?;
    user_limited(configured, limits, granted.caller()).await.map_err(Refusal::into_response)?;
    Ok(granted)
}

async fn admitted_without_token<I, T>(plan: Plan<I, T>, parts: &mut Parts) -> Result<Admission<T>, Response>
where
    I: FromRequestParts<()> + Send,
    T: 'static,
{
    let configured = Configured::of(parts).map_err(Refusal::into_response)?;
    let input = input_of(parts).await?;
    admit_anyone(&configured.service(), plan(input)).await.map_err(refused)
}

/// The input of a plan. An operation whose plan reads no query takes no parameters.
async fn input_of<I: FromRequestParts<()>>(parts: &mut Parts) -> Result<I, Response> {
    let input = I::from_request_parts(parts, &()).await.map_err(IntoResponse::into_response)?;
    query::refuse_unread(parts).map_err(Refusal::into_response)?;
    Ok(input)
}

fn refused(error: service::Error) -> Response {
    Refusal::from(error).into_response()
}

fn with_challenge(challenge: Option<BearerChallenge>, mut response: Response) -> Response {
    if let Some(challenge) = challenge {
        response.extensions_mut().insert(challenge);
    }
    response
}
