//! Backends that name the client for whom they call: `X-Edge-Auth-Key` is the key of a service account with the scope
//! `client-address`, and `X-Edge-Auth-Client` the address. Database round trips: 1 for a key that this isolate has not
//! verified within a minute for the network of the backend, and 1 more to note the network; none for others.

use crate::domain::ids::ServiceAccountId;
use crate::domain::machine::scope::Scope;
use crate::service::authz::caller::Principal;
use crate::service::machine::verified_keys::VerifiedKeys;
use crate::service::{Context, Error};
use crate::store::authz::viewer::PresentedKey;
use crate::store::machine::{networks, presented};

/// Asks the database for the account of a key. `None` if the key is wrong or lacks the scope.
///
/// # Errors
/// [`Error`].
pub async fn verify(
    ctx: &Context<'_>,
    keys: &VerifiedKeys,
    key: &PresentedKey,
) -> Result<Option<ServiceAccountId>, Error> {
    let read = ctx.store.run(presented::find(key)).await?;
    let Ok(Principal::Service(service)) = Principal::of_key(key, read, ctx.now()) else { return Ok(None) };
    if !service.scopes.contains(Scope::ClientAddress) {
        return Ok(None);
    }
    let network = ctx.request.peer.network();
    let network_tag = ctx.request.key.network_tag(&network);
    keys.note_naming(key, network, service.id, ctx.now());
    if let Err(error) = networks::note(ctx.store, service.id, &network_tag, ctx.request).await {
        tracing::error!(target: "app.machine", cause = %error, "The network of a backend was not noted");
    }
    Ok(Some(service.id))
}
