//! Access control: the rule in each line of the route table, and the middleware that enforces it.

use axum::body::Body;
use axum::extract::Request;
use axum::http::Extensions;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::domain::authz::Permission;
use crate::domain::authz::credential::Accepted;
use crate::domain::limits::RateLimit;
use crate::domain::problem::Code;
use crate::domain::settings::Settings;
use crate::http::kit::bearer::{BearerChallenge, bearer_token, challenge};
use crate::http::kit::client::present_client;
use crate::http::kit::context::{Configured, Found};
use crate::http::kit::limits::{Limits, network_limited, user_limited};
use crate::http::kit::matched_path::noted;
use crate::http::kit::named_client;
use crate::http::kit::near;
use crate::http::kit::near::ReadsAt;
use crate::http::kit::operation::{Operation, Plan, Planned};
use crate::http::kit::path::{note_parameters, parameter};
pub use crate::http::kit::path_resource::PathResource;
use crate::http::kit::query;
use crate::http::kit::recording::Recording;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::admission::{Admission, Conditions, Decided, Demand, Reading, admit, admit_anyone};
use crate::service::authz::caller::Subject;
use crate::service::authz::near::{Change, admit_near};
use crate::service::authz::presented::{Presented, present};
use crate::service::platform::operations::authenticate_operator;
use crate::store::authz::viewer::Viewer;

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
    /// A service account, as the client of an OAuth endpoint. Its credential is confirmed in the batch that answers the
    /// request, so the body is read before.
    Client,
    /// A client with the operator's key. Needs no database, so it works while the database is down.
    Operator,
}

/// The conditions of a line of the table for a request, before its handler runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Rule {
    pub(in crate::http) access: Access,
    pub(in crate::http) accepted: Accepted,
    pub(in crate::http) limits: Limits,
    pub(in crate::http) reads_at: ReadsAt,
}

impl Rule {
    /// Does the route have the kinds of limits that its access rule needs? The table does not compile otherwise.
    pub(in crate::http) const fn is_limited(self) -> bool {
        match self.access {
            Access::User | Access::Permit(..) | Access::OptionalUser | Access::Client => {
                matches!(self.limits, Limits::PerUser(..))
            }
            Access::Public | Access::Operator => matches!(self.limits, Limits::Unlimited | Limits::PerNetwork(_)),
        }
    }

    /// Do the further credentials fit the access rule? Without a rule there is no caller. A service account has no
    /// permission on a resource, so its routes concern the service itself.
    pub(in crate::http) const fn is_coherent(self) -> bool {
        let takes_others = self.accepted.takes_keys() || self.accepted.scope().is_some();
        match self.access {
            Access::User | Access::Permit(_, PathResource::Platform) => true,
            Access::Client => !self.accepted.takes_keys() && self.accepted.scope().is_some(),
            Access::Permit(..) | Access::OptionalUser => self.accepted.scope().is_none(),
            Access::Public | Access::Operator => !takes_others,
        }
    }

    fn challenge(self, parts: &Parts) -> Option<BearerChallenge> {
        match self.access {
            Access::Public => None,
            Access::Client if bearer_token(&parts.headers).is_none() => Some(BearerChallenge::Basic),
            _ => Some(challenge(&parts.headers)),
        }
    }
}

/// The refusal of a token where authentication is optional, for requests that turn out to need it.
#[derive(Clone)]
pub(in crate::http) struct RefusedToken(pub(in crate::http) Refusal);

/// The route of an operation: its handler runs only if the rule allows it.
pub(in crate::http) fn guarded(rule: Rule, method: MethodFilter, operation: Operation) -> MethodRouter {
    noted(on(method, move |request: Request| perform(rule, operation, request)))
}

/// The limit per client network comes before the access rule.
async fn perform(rule: Rule, operation: Operation, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(refusal) = limited(rule.limits, &mut parts).await {
        return refusal.into_response();
    }
    note_parameters(&mut parts).await;
    let challenge = rule.challenge(&parts);
    let planned = admitted(rule, operation.plan, &mut parts).await;
    let changing = near::changing(&parts);
    let mut response = match planned {
        Ok(Planned::Response(response)) => Ok(response),
        Ok(Planned::Extensions(fetched)) => {
            parts.extensions.extend(fetched);
            if near::is_unsettled(&parts) {
                run_guarded(rule, operation, parts, body).await
            } else {
                operation.run(parts, body).await
            }
        }
        Err(refusal) => Err(refusal),
    };
    if let (Some(configured), Ok(response)) = (&changing, &mut response) {
        near::add_bookmark(configured, response).await;
    }
    with_challenge(challenge, response.into_response())
}

/// Runs an operation whose caller a replica admitted. If the primary does not, or was not asked, the primary decides about the
/// caller, and the operation runs once more.
async fn run_guarded(rule: Rule, operation: Operation, parts: Parts, body: Body) -> Result<Response, Refusal> {
    let (mut again, recording) = (parts.clone(), Recording::default());
    let configured = Configured::of(&again)?;
    let answer = operation.run(parts, recording.of(body)).await;
    let guard = configured.service().store.guard();
    if !near::is_for_the_primary(&answer, guard) {
        return answer;
    }
    guard.lift();
    let rule = Rule { reads_at: ReadsAt::Primary, ..rule };
    match admitted(rule, operation.plan, &mut again).await? {
        Planned::Response(response) => Ok(response),
        Planned::Extensions(fetched) => {
            again.extensions.extend(fetched);
            operation.run(again, recording.body()).await
        }
    }
}

/// The limit of the client network: of the client that a backend names, or of the connecting one. An operation without a
/// limit does not wait for the database, so no header makes it do so.
async fn limited(limits: Limits, parts: &mut Parts) -> Result<(), Refusal> {
    if limits.network().is_none() {
        return Ok(());
    }
    named_client::adopt(parts, limits.network().is_some_and(RateLimit::works_without_database)).await?;
    network_limited(limits, parts).await
}

/// Decides the access rule of a route. The plan's rows are decoded only if the rule allows the caller.
async fn admitted(rule: Rule, plan: Option<Plan>, parts: &mut Parts) -> Result<Planned, Refusal> {
    match rule.access {
        Access::Public if plan.is_none() => Ok(Planned::Extensions(Extensions::new())),
        Access::Public => admitted_without_token(plan, parts).await,
        Access::OptionalUser => match admitted_by_token(Ok(None), rule, plan, parts).await {
            // A token without an active user and a live session counts as none. A failure of the database is reported.
            Err(refused) if matches!(refused.status(), 401 | 403) => {
                parts.extensions.remove::<Viewer>();
                parts.extensions.remove::<Subject>();
                parts.extensions.insert(RefusedToken(refused));
                admitted_without_token(plan, parts).await
            }
            decided => decided,
        },
        Access::User => admitted_by_token(Ok(None), rule, plan, parts).await,
        Access::Permit(permission, resource) => {
            let target = resource.target(parameter(parts, "id"));
            let demand = target.map(|target| Some(Demand { permission, target }));
            admitted_by_token(demand, rule, plan, parts).await
        }
        Access::Client => present_client(parts).await,
        Access::Operator => {
            authenticate_operator(&Configured::of(parts)?.service(), bearer_token(&parts.headers))?;
            admitted_without_token(plan, parts).await
        }
    }
}

/// Access comes before everything else that the request may have wrong. With a malformed path or query, the plan is not
/// made, and the caller is told only if the rule allows the caller.
async fn admitted_by_token(
    demand: Result<Option<Demand>, Code>,
    rule: Rule,
    plan: Option<Plan>,
    parts: &mut Parts,
) -> Result<Planned, Refusal> {
    let configured = Configured::of(parts)?;
    let token = bearer_token(&parts.headers).ok_or(Code::TokenInvalid)?;
    let presented = present(&configured.service(), token).await?;
    note_presented(&presented, configured.service().settings, parts);
    let mut floor = near::floor(rule.reads_at, &configured, &presented, parts).await;
    loop {
        let Asked { conditions, reading, fault } = asked(&demand, rule, plan, parts);
        let nearest = floor.take();
        let granted = match &nearest {
            Some(floor) => {
                let change = if parts.method.is_safe() { Change::None } else { Change::Guarded };
                match admit_near(&configured.service(), &presented, conditions, reading, floor, change).await {
                    Some(granted) => granted,
                    None => continue,
                }
            }
            None => admit(&configured.service(), &presented, conditions, reading).await?,
        };
        // The limit per user counts callers to whom access was granted, even if their request has another fault.
        if parts.extensions.insert(Counted).is_none() {
            user_limited(&configured, rule.limits, granted.principal()).await?;
        }
        if let Some(refusal) = fault {
            return Err(refusal);
        }
        match granted.admission() {
            Ok(admission) => {
                parts.extensions.insert(Decided { presented, conditions });
                return Ok(passed(admission, parts));
            }
            // A replica may not have a row that the primary has, so the primary refuses.
            Err(_) if nearest.is_some() => configured.service().store.guard().lift(),
            Err(refused) => return Err(refused.into()),
        }
    }
}

/// Marks a request that the limit per user has counted.
#[derive(Clone)]
struct Counted;

/// The question of a request: may the caller do it, and the rows that it is about.
struct Asked {
    conditions: Conditions,
    reading: Reading<Planned>,
    /// The path or the query is malformed.
    fault: Option<Refusal>,
}

fn asked(demand: &Result<Option<Demand>, Code>, rule: Rule, plan: Option<Plan>, parts: &mut Parts) -> Asked {
    let (demand, reading, fault) = match (demand, planned(plan, parts)) {
        (Ok(demand), Ok(reading)) => (*demand, reading, None),
        (Ok(demand), Err(refusal)) => (*demand, nothing(), Some(refusal)),
        (Err(code), _) => (None, nothing(), Some((*code).into())),
    };
    Asked { conditions: Conditions { accepted: rule.accepted, demand }, reading, fault }
}

/// Makes the caller and the resource known to the handler.
fn passed(Admission { principal, resource, result }: Admission<Planned>, parts: &mut Parts) -> Planned {
    if let Some(principal) = principal {
        parts.extensions.insert(principal);
    }
    if let Some(resource) = resource {
        parts.extensions.insert(Found(resource));
    }
    result
}

/// Makes the presented credential known to the plan. One that takes sessions only finds no subject for a key, so its
/// statements are not run.
fn note_presented(presented: &Presented, settings: &Settings, parts: &mut Parts) {
    if let Presented::Token(subject, _) = presented {
        parts.extensions.insert(*subject);
    }
    parts.extensions.insert(presented.viewer(settings));
}

async fn admitted_without_token(plan: Option<Plan>, parts: &mut Parts) -> Result<Planned, Refusal> {
    let configured = Configured::of(parts)?;
    let reading = planned(plan, parts)?;
    Ok(admit_anyone(&configured.service(), reading).await?.result)
}

/// The read of an operation. One without a plan takes no parameters.
fn planned(plan: Option<Plan>, parts: &mut Parts) -> Result<Reading<Planned>, Refusal> {
    match plan {
        Some(plan) => plan(parts),
        None => query::refuse_unread(parts).map(|()| nothing()),
    }
}

fn nothing() -> Reading<Planned> {
    Reading::nothing().map(|()| Planned::Extensions(Extensions::new()))
}

fn with_challenge(challenge: Option<BearerChallenge>, mut response: Response) -> Response {
    if let Some(challenge) = challenge {
        response.extensions_mut().insert(challenge);
    }
    response
}
