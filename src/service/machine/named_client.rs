//! Backends that name the client for whom they call: `X-Edge-Auth-Key` is the key of a service account with the scope
//! `client-address`, and `X-Edge-Auth-Client` the address. Database round trips: 1 for a key that this isolate has not
//! verified within a minute for the network of the backend, and 1 more to note the network; none for others.

use crate::domain::machine::scope::Scope;
use crate::service::authz::caller::Principal;
use crate::service::machine::verified_keys::{Naming, VerifiedKeys};
use crate::service::{Context, Error};
use crate::store::authz::viewer::PresentedKey;
use crate::store::machine::{networks, presented};

/// Asks the database whether a key may name clients. `None` if the key is wrong.
///
/// # Errors
/// [`Error`].
pub async fn verify(ctx: &Context<'_>, keys: &VerifiedKeys, key: &PresentedKey) -> Result<Option<Naming>, Error> {
    let read = ctx.store.run(presented::find(key)).await?;
    let Ok(Principal::Service(service)) = Principal::of_key(key, read, &[], ctx.now()) else { return Ok(None) };
    let is_allowed = service.scopes.contains(Scope::ClientAddress);
    let naming = if is_allowed { Naming::Allowed(service.id) } else { Naming::Forbidden };
    let network = ctx.request.peer.network();
    let network_tag = ctx.request.key.network_tag(&network);
    keys.note(key, service.id, ctx.now());
    keys.note_naming(key, network, naming, ctx.now());
    if naming == Naming::Forbidden {
        return Ok(Some(naming));
    }
    if let Err(error) = networks::note(ctx.store, service.id, &network_tag, ctx.request).await {
        tracing::error!(target: "app.machine", cause = %error, "The network of a backend was not noted");
    }
    Ok(Some(naming))
}
