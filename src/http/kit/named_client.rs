//! The address of the client for whom a backend calls. Limits, the throttle, sessions and logs then count that address
//! instead of the backend's. A request whose key or address is not accepted goes on as one of the backend itself.

use axum::http::{HeaderMap, HeaderName};

use crate::domain::ids::ServiceAccountId;
use crate::domain::limits::RateLimit;
use crate::domain::machine::api_key::ApiKey;
use crate::domain::peer::Peer;
use crate::http::kit::context::Configured;
use crate::http::kit::limits::{is_admitted, service_limited};
use crate::service::machine::named_client::verify;

/// The key of the service account.
pub(crate) const KEY: HeaderName = HeaderName::from_static("x-edge-auth-key");
/// The address of the client.
pub(crate) const CLIENT: HeaderName = HeaderName::from_static("x-edge-auth-client");

/// Does the request name a client?
pub(in crate::http) fn is_named(headers: &HeaderMap) -> bool {
    headers.contains_key(KEY) || headers.contains_key(CLIENT)
}

/// The client that the request names, if its key allows that. Otherwise the reason is logged, and the header is ignored.
pub(in crate::http) async fn named_client(configured: &Configured, headers: &HeaderMap) -> Option<Peer> {
    match accepted(configured, headers).await {
        Ok(peer) => Some(peer),
        Err(reason) => {
            tracing::warn!(target: "app.machine", reason, "X-Edge-Auth-Client ignored");
            None
        }
    }
}

async fn accepted(configured: &Configured, headers: &HeaderMap) -> Result<Peer, &'static str> {
    let only = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok();
        value.filter(|_| values.next().is_none())
    };
    let peer = only(CLIENT).and_then(|text| configured.peer().acting_for(text)).ok_or("no public address")?;
    let key = only(KEY).and_then(ApiKey::parse).ok_or("no key")?;
    let account = account(configured, &key).await?;
    service_limited(configured, account).await.map_err(|_| "the account is over its limit")?;
    Ok(peer)
}

/// The account of the key. A key that the isolate does not know is looked up only within a limit of the connecting address.
async fn account(configured: &Configured, key: &ApiKey) -> Result<ServiceAccountId, &'static str> {
    let ctx = configured.service();
    if let Some(account) = configured.verified_keys().account(key, ctx.request.now) {
        return Ok(account);
    }
    if !is_admitted(configured, RateLimit::Service).await {
        return Err("too many look-ups from the connecting address");
    }
    let verified = verify(&ctx, configured.verified_keys(), key).await;
    verified.map_err(|_| "the key could not be looked up")?.ok_or("the key is not accepted")
}
