//! The client of the OAuth endpoints: a service account, by HTTP Basic, by its key, or by its access token. Database round
//! trips: 1, which the introspection shares.

use crate::domain::authz::credential::ServiceIdentity;
use crate::domain::machine::scope::Scope;
use crate::domain::problem::Code;
use crate::service::authz::admission::{Identified, confirm_signature, identify};
use crate::service::authz::caller::Principal;
use crate::service::authz::presented::Presented;
use crate::service::{Context, Error};

/// An authenticated client.
pub struct Client {
    /// The account, its key and its scopes.
    pub service: ServiceIdentity,
    /// The version of the key ring, for a token that answers the request.
    pub ring_version: i64,
}

/// Authenticates a client that needs this scope, or none.
///
/// # Errors
/// `AUTH_TOKEN_INVALID`, `AUTH_INACTIVE_USER`; `FORBIDDEN` without the scope; [`Error`] otherwise.
pub async fn authenticate(ctx: &Context<'_>, presented: &Presented, scope: Option<Scope>) -> Result<Client, Error> {
    let identified = ctx.store.run(identify(ctx, presented, None)).await?;
    confirm(ctx, presented, identified, scope).await
}

/// The client behind a credential that the database has confirmed. A user is no client.
pub(super) async fn confirm(
    ctx: &Context<'_>,
    presented: &Presented,
    identified: Identified,
    scope: Option<Scope>,
) -> Result<Client, Error> {
    confirm_signature(ctx, presented, &identified).await?;
    let ring_version = identified.ring_version.unwrap_or_default();
    match identified.outcome?.0 {
        Principal::User(_) => Err(Code::TokenInvalid.into()),
        Principal::Service(service) if scope.is_none_or(|scope| service.scopes.contains(scope)) => {
            Ok(Client { service, ring_version })
        }
        Principal::Service(_) => Err(Code::Forbidden.into()),
    }
}
