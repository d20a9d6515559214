//! Extractors that every handler can use: the settings, the ports, the caller, the resource.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;

use crate::domain::event_keys::EventStamp;
use crate::domain::limits::storage::StorageState;
use crate::domain::limits::throttle::HashKey;
use crate::domain::password::common::FindCommonPasswords;
use crate::domain::peer::Peer;
use crate::domain::problem::Code;
use crate::domain::request_id::RequestId;
use crate::domain::session::authority::TokenAuthority;
use crate::domain::settings::{Settings, WrongSettings};
use crate::domain::time::Timestamp;
use crate::domain::unicode::Normalize;
use crate::http::kit::extract::FromParts;
use crate::http::kit::refusal::Refusal;
use crate::ports::{Assets, AwaitHashSlot, Background, Carriers, Encryption, Entropy, Limiter, Signatures};
use crate::service;
use crate::service::authz::caller::{Caller, Principal, Subject};
use crate::service::authz::replica::NearestReplica;
use crate::service::federation::cache::ProviderCache;
use crate::service::keys::held::RingCopy;
use crate::service::machine::verified_keys::VerifiedKeys;
use crate::store::Store;
use crate::store::audit::RequestInfo;
use crate::store::authz::resources::ResourceRow;
use crate::store::authz::viewer::Viewer;

/// The one moment at which every decision about a request is made: its arrival or, if the operation reads a body, the end
/// of the body, which may take seconds. Otherwise a slow client could date its request back.
pub struct Moment(AtomicI64);

impl Moment {
    /// The arrival of the request.
    #[must_use]
    pub const fn new(arrival: Timestamp) -> Self {
        Self(AtomicI64::new(arrival.millis()))
    }

    pub(crate) fn get(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::Relaxed);
    }
}

/// The ports and properties of one request, from the runtime.
#[allow(missing_docs, reason = "the types of the ports are documented")]
pub struct Ports {
    pub store: Store,
    pub assets: Arc<dyn Assets>,
    pub entropy: Entropy,
    /// Runs tasks that may outlast the response.
    pub background: Arc<dyn Background>,
    pub await_hash_slot: AwaitHashSlot,
    pub normalize: Normalize,
    pub common_passwords: FindCommonPasswords,
    pub limiter: Arc<dyn Limiter>,
    pub signatures: Arc<dyn Signatures>,
    pub encryption: Arc<dyn Encryption>,
    pub carriers: Carriers,
    /// The client, as reported by the edge.
    pub peer: Peer,
    /// The id of the request, in its response and in its log lines.
    pub request_id: RequestId,
    /// The arrival of the request, until its body is complete.
    pub now: Moment,
    /// The clock, for [`Moment`], for the duration in the access log, and for deadlines only.
    pub clock: fn() -> Timestamp,
}

/// The functions with which texts and new passwords are compared.
pub(crate) type Texts = (Normalize, FindCommonPasswords);

/// The settings, and the values that are derived from them once.
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) tokens: TokenAuthority,
    /// The isolate's copy of the key ring.
    pub(crate) keys: Arc<RingCopy>,
    /// The keys of service accounts that this isolate has verified.
    pub(crate) verified_keys: VerifiedKeys,
    /// The isolate's knowledge of identity providers.
    pub(crate) providers: ProviderCache,
    /// The isolate's knowledge about the nearest replica of the database.
    pub(crate) replica: NearestReplica,
    /// The digests of the static files, read once (`http/platform/etag.rs`).
    pub(crate) digests: OnceLock<String>,
    pub(crate) throttle_key: HashKey,
}

/// The settings and ports of a request, stored as an extension of it.
#[derive(Clone)]
pub(crate) struct RequestContext {
    configuration: Result<Arc<Configuration>, WrongSettings>,
    ports: Arc<Ports>,
    /// Drawn at most once, by the first extractor that needs it.
    stamp: Arc<OnceLock<EventStamp>>,
}

impl RequestContext {
    pub(crate) fn new(configuration: Result<Arc<Configuration>, WrongSettings>, ports: Ports) -> Self {
        Self { configuration, ports: Arc::new(ports), stamp: Arc::default() }
    }

    /// The same request, of another client. An error while another value shares the ports, which would go on as the former
    /// client.
    pub(crate) fn with_peer(self, peer: Peer) -> Result<Self, Refusal> {
        let ports = Arc::try_unwrap(self.ports).map_err(|_| Refusal::internal("the request's ports are shared"))?;
        Ok(Self::new(self.configuration, Ports { peer, ..ports }))
    }

    fn stamp(&self) -> Result<EventStamp, Refusal> {
        if let Some(stamp) = self.stamp.get() {
            return Ok(*stamp);
        }
        let mut bytes = [0; 8];
        (self.ports.entropy)(&mut bytes).map_err(|error| Refusal::internal(error.to_string()))?;
        Ok(*self.stamp.get_or_init(|| EventStamp::draw(self.ports.now.get(), bytes)))
    }

    /// Returns the context that [`crate::http::App::respond`] stored.
    pub(crate) fn of(parts: &Parts) -> Result<&Self, Refusal> {
        parts.extensions.get().ok_or_else(|| Refusal::internal("the request did not pass App::respond"))
    }
}

/// Everything a use case needs. Only operations that take it depend on valid settings; with invalid ones the request
/// ends here with `CONFIGURATION_ERROR`.
#[derive(Clone)]
pub(crate) struct Configured {
    configuration: Arc<Configuration>,
    ports: Arc<Ports>,
    stamp: EventStamp,
}

impl Configured {
    pub(crate) fn of(parts: &Parts) -> Result<Self, Refusal> {
        Self::within(RequestContext::of(parts)?)
    }

    pub(crate) fn within(context: &RequestContext) -> Result<Self, Refusal> {
        let configuration = context.configuration.clone()?;
        Ok(Self { configuration, ports: Arc::clone(&context.ports), stamp: context.stamp()? })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.configuration.settings
    }

    pub(crate) fn verified_keys(&self) -> &VerifiedKeys {
        &self.configuration.verified_keys
    }

    pub(crate) fn digests(&self) -> &OnceLock<String> {
        &self.configuration.digests
    }

    pub(crate) fn assets(&self) -> &dyn Assets {
        self.ports.assets.as_ref()
    }

    pub(crate) fn limiter(&self) -> &dyn Limiter {
        self.ports.limiter.as_ref()
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.ports.peer
    }

    /// Notes that the body is complete: the decisions are made now. Returns the time in milliseconds since the arrival.
    pub(crate) fn body_is_complete(&self) -> i64 {
        let (arrival, now) = (self.ports.now.get(), (self.ports.clock)());
        self.ports.now.set(now);
        now.millis() - arrival.millis()
    }

    pub(crate) fn normalize(&self) -> Normalize {
        self.ports.normalize
    }

    pub(crate) fn texts(&self) -> Texts {
        (self.ports.normalize, self.ports.common_passwords)
    }

    pub(crate) fn service(&self) -> service::Context<'_> {
        service::Context {
            settings: &self.configuration.settings,
            tokens: &self.configuration.tokens,
            keys: &self.configuration.keys,
            signatures: self.ports.signatures.as_ref(),
            encryption: self.ports.encryption.as_ref(),
            carriers: &self.ports.carriers,
            providers: &self.configuration.providers,
            replica: &self.configuration.replica,
            clock: self.ports.clock,
            normalize: self.ports.normalize,
            store: &self.ports.store,
            request: RequestInfo {
                now: self.ports.now.get(),
                peer: &self.ports.peer,
                request_id: &self.ports.request_id,
                stamp: self.stamp.at(self.ports.now.get()),
                key: &self.configuration.throttle_key,
                omits_refusals: self.ports.store.storage(self.settings()) == StorageState::Full,
            },
            entropy: self.ports.entropy,
            await_hash_slot: self.ports.await_hash_slot,
            background: self.ports.background.as_ref(),
        }
    }
}

impl FromParts for Configured {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        Self::of(parts)
    }
}

/// The subject of the access token, for the plan of a route that takes sessions only. The signature is verified; access is
/// not decided yet.
pub(crate) struct Bearer(pub(crate) Subject);

impl FromParts for Bearer {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parts.extensions.get().copied().map(Self).ok_or_else(|| Code::TokenInvalid.into())
    }
}

/// The caller as the plan's statements know it, on a route that takes keys. Access is not decided yet.
pub(crate) struct Viewing(pub(crate) Viewer);

impl FromParts for Viewing {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| Code::TokenInvalid.into())
    }
}

/// The same on a route on which authentication is optional.
impl FromParts for Option<Bearer> {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        Ok(parts.extensions.get().copied().map(Bearer))
    }
}

/// The same on a route on which authentication is optional.
impl FromParts for Option<Viewing> {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        Ok(parts.extensions.get().cloned().map(Viewing))
    }
}

/// The user, authenticated by the route's access rule. On a route without such a rule the request is refused.
pub(crate) struct SignedIn(pub(crate) Caller);

impl FromParts for SignedIn {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        let principal: Option<&Principal> = parts.extensions.get();
        principal.and_then(Principal::user).cloned().map(Self).ok_or_else(|| Code::TokenInvalid.into())
    }
}

/// The same on a route on which authentication is optional.
impl FromParts for Option<SignedIn> {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        let principal: Option<&Principal> = parts.extensions.get();
        Ok(principal.and_then(Principal::user).cloned().map(SignedIn))
    }
}

/// The user or the service account, on a route that takes both.
pub(crate) struct Calling(pub(crate) Principal);

impl FromParts for Calling {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| Code::TokenInvalid.into())
    }
}

/// The resource in the path, as read by the access rule.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "campus"), expect(dead_code, reason = "only campus has routes that use it"))]
pub(in crate::http) struct Found(pub(in crate::http) ResourceRow);

impl FromParts for Found {
    fn from_parts(parts: &mut Parts) -> Result<Self, Refusal> {
        parts.extensions.get().copied().ok_or_else(|| Refusal::internal("the route's access rule reads no resource"))
    }
}
