//! The rate limits of a route: which it has, and the refusal of a client or a user over its allowance.

use axum::http::request::Parts;

use crate::domain::ids::ServiceAccountId;
use crate::domain::limits::{Counter, RateLimit, UserLimit};
use crate::domain::problem::Problem;
use crate::http::kit::context::Configured;
use crate::http::kit::refusal::Refusal;
use crate::service::authz::caller::Principal;
use crate::store::authz::viewer::{KeyProof, PresentedKey};

/// The rate limits of a route. Routes with the same limit share its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// None. Only for routes that do not wait for the database: liveness, the description, and the operator's commands. The
    /// latter must get through during a flood, and write their event behind the response.
    Unlimited,
    /// Per client network, for routes without a caller.
    PerNetwork(RateLimit),
    /// Per client network, and per user once access was granted.
    PerUser(RateLimit, UserLimit),
}

impl Limits {
    /// The rate limit per client network.
    #[must_use]
    pub const fn network(self) -> Option<RateLimit> {
        match self {
            Self::Unlimited => None,
            Self::PerNetwork(limit) | Self::PerUser(limit, _) => Some(limit),
        }
    }

    /// The rate limit per user.
    #[must_use]
    pub const fn user(self) -> Option<UserLimit> {
        match self {
            Self::Unlimited | Self::PerNetwork(_) => None,
            Self::PerUser(_, limit) => Some(limit),
        }
    }
}

/// Refuses a client over its rate limit, before a token is verified, the body read or the database queried.
pub(in crate::http) async fn network_limited(limits: Limits, parts: &Parts) -> Result<(), Refusal> {
    let Some(limit) = limits.network() else {
        return Ok(());
    };
    let configured = Configured::of(parts)?;
    admit(&configured, limit.counters(configured.peer()), limit.period_ms()).await
}

/// Refuses a user or a service account over the rate limit, before the body is read and the use case runs.
pub(in crate::http) async fn user_limited(
    configured: &Configured,
    limits: Limits,
    principal: &Principal,
) -> Result<(), Refusal> {
    match limits.user() {
        Some(limit) => {
            let counter = match principal {
                Principal::User(caller) => limit.counter(caller.user.id, caller.credential),
                Principal::Service(service) => {
                    service_limited(configured, service.id).await?;
                    if limit != UserLimit::Import {
                        return Ok(());
                    }
                    limit.counter_of_service(service.id)
                }
            };
            admit(configured, vec![counter], limit.period_ms()).await
        }
        None => Ok(()),
    }
}

/// Refuses a service account over its rate limit. It calls for many users, so it has an allowance of its own.
pub(in crate::http) async fn service_limited(
    configured: &Configured,
    account: ServiceAccountId,
) -> Result<(), Refusal> {
    let limit = UserLimit::Service;
    admit(configured, vec![limit.counter_of_service(account)], limit.period_ms()).await
}

/// Refuses a client of an OAuth endpoint whose key this isolate does not know, as [`look_up_limited`] does. A verified token
/// needs no look-up of a secret.
pub(in crate::http) async fn client_limited(configured: &Configured, key: &PresentedKey) -> Result<(), Refusal> {
    let now = configured.service().request.now;
    let is_known = matches!(key.proof(), KeyProof::Token(..)) || configured.verified_keys().account(key, now).is_some();
    if is_known { Ok(()) } else { look_up_limited(configured).await }
}

/// Refuses the look-up of a key that this isolate does not know, over the limit of reads of the connecting address: a
/// stranger can make up keys, and each costs the database a call. A backend only shares it until its key was looked up once.
pub(in crate::http) async fn look_up_limited(configured: &Configured) -> Result<(), Refusal> {
    let limit = RateLimit::Read;
    admit(configured, limit.counters(configured.peer()), limit.period_ms()).await
}

async fn admit(configured: &Configured, counters: Vec<Counter>, period_ms: i64) -> Result<(), Refusal> {
    if configured.settings().rate_limiting && !configured.limiter().admit(counters).await {
        return Err(Problem::rate_limited(period_ms).into());
    }
    Ok(())
}
