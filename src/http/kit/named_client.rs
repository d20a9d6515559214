//! The address of the client for whom a backend calls. Limits, the throttle, sessions and logs then count that address
//! instead of the backend's. A request whose key or address is not accepted goes on as one of the backend itself.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use tracing::Span;

use crate::domain::ids::ServiceAccountId;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::peer::Peer;
use crate::domain::settings::LogClient;
use crate::http::kit::context::{Configured, RequestContext};
use crate::http::kit::limits::{look_up_limited, service_limited};
use crate::http::kit::refusal::Refusal;
use crate::service::machine::named_client::verify;
use crate::service::machine::verified_keys::Naming;
use crate::store::authz::viewer::PresentedKey;

/// The key of the service account.
pub(crate) const KEY: HeaderName = HeaderName::from_static("x-edge-auth-key");
/// The address of the client.
pub(crate) const CLIENT: HeaderName = HeaderName::from_static("x-edge-auth-client");

/// The reason why a request does not count as one of the client that it names.
enum Unaccepted {
    /// A wrong or missing key, or no public address: the request goes on as one of the backend itself.
    Ignored(&'static str),
    /// A limit. Counted for the backend, the request would use up the allowance of its users.
    Refused(Refusal),
    /// The database does not answer, with the same consequence.
    Unanswered(Refusal),
}

/// Lets the request count as one of the client that it names, if its key allows that. An operation that works without the
/// database goes on as one of the backend while the database does not answer.
pub(in crate::http) async fn adopt(parts: &mut Parts, works_without_database: bool) -> Result<(), Refusal> {
    if !parts.headers.contains_key(KEY) && !parts.headers.contains_key(CLIENT) {
        return Ok(());
    }
    let configured = Configured::of(parts)?;
    let accepted = accepted(&configured, &parts.headers).await;
    let log_client = configured.settings().presentation.log_client;
    drop(configured);
    match accepted {
        Ok(peer) => {
            note(&peer, log_client);
            if let Some(context) = parts.extensions.remove::<RequestContext>() {
                parts.extensions.insert(context.with_peer(peer)?);
            }
            Ok(())
        }
        Err(Unaccepted::Ignored(reason)) => {
            tracing::warn!(target: "app.machine", reason, "X-Edge-Auth-Client ignored");
            Ok(())
        }
        Err(Unaccepted::Unanswered(_)) if works_without_database => {
            let reason = "the database does not answer";
            tracing::warn!(target: "app.machine", reason, "X-Edge-Auth-Client ignored");
            Ok(())
        }
        Err(Unaccepted::Refused(refusal) | Unaccepted::Unanswered(refusal)) => Err(refusal),
    }
}

/// Later lines of the request show the network of the client.
fn note(peer: &Peer, log_client: LogClient) {
    let span = Span::current();
    match log_client {
        LogClient::Network => span.record("network", peer.network_bits()),
        LogClient::Address => span.record("address", peer.address_bits()),
        LogClient::None => &span,
    };
}

async fn accepted(configured: &Configured, headers: &HeaderMap) -> Result<Peer, Unaccepted> {
    let only = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok();
        value.filter(|_| values.next().is_none())
    };
    let peer = only(CLIENT).and_then(|text| configured.peer().acting_for(text));
    let peer = peer.ok_or(Unaccepted::Ignored("no public address"))?;
    let key = only(KEY).and_then(ApiKey::parse).ok_or(Unaccepted::Ignored("no key"))?;
    let account = account(configured, &PresentedKey::new(&key)).await?;
    service_limited(configured, account).await.map_err(Unaccepted::Refused)?;
    Ok(peer)
}

/// The account of the key. A look-up counts for the account of a key that the isolate knows, and otherwise for the
/// connecting address.
async fn account(configured: &Configured, key: &PresentedKey) -> Result<ServiceAccountId, Unaccepted> {
    let (ctx, keys) = (configured.service(), configured.verified_keys());
    let known = keys.naming(key, ctx.request.peer.network(), ctx.request.now);
    let naming = if known.is_some() {
        known
    } else {
        let limited = match keys.account(key, ctx.request.now) {
            Some(account) => service_limited(configured, account).await,
            None => look_up_limited(configured).await,
        };
        limited.map_err(Unaccepted::Refused)?;
        verify(&ctx, keys, key).await.map_err(|error| Unaccepted::Unanswered(error.into()))?
    };
    match naming {
        Some(Naming::Allowed(account)) => Ok(account),
        Some(Naming::Forbidden) => Err(Unaccepted::Ignored("the account lacks the scope client-address")),
        None => Err(Unaccepted::Ignored("the key is not accepted")),
    }
}
