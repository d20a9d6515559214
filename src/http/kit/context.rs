//! What every handler can ask for: the settings, the ports, the caller.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::domain::peer::Peer;
use crate::domain::problem::Code;
use crate::domain::session::token::TokenAuthority;
use crate::domain::settings::{Settings, WrongSettings};
use crate::domain::unicode::Normalize;
use crate::http::Ports;
use crate::http::kit::refusal::Refusal;
use crate::ports::{Assets, Limiter};
use crate::service;
use crate::service::authz::caller::Caller;
use crate::store::audit::RequestInfo;

/// The settings and what is made from them once.
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) tokens: TokenAuthority,
}

/// Travels with the request, as an extension.
#[derive(Clone)]
pub(crate) struct RequestContext {
    configuration: Result<Arc<Configuration>, WrongSettings>,
    ports: Arc<Ports>,
}

impl RequestContext {
    pub(crate) fn new(configuration: Result<Arc<Configuration>, WrongSettings>, ports: Ports) -> Self {
        Self { configuration, ports: Arc::new(ports) }
    }

    /// Finds the context that [`crate::http::App::respond`] put there.
    pub(crate) fn of(parts: &Parts) -> Result<&Self, Refusal> {
        parts.extensions.get().ok_or_else(|| Refusal::internal("the request came past App::respond"))
    }
}

/// Everything a use case needs. Asking for it is what makes an operation need the settings: with wrong
/// ones the request ends here, in `CONFIGURATION_ERROR`.
#[derive(Clone)]
pub(crate) struct Configured {
    configuration: Arc<Configuration>,
    ports: Arc<Ports>,
}

impl Configured {
    pub(crate) fn of(parts: &Parts) -> Result<Self, Refusal> {
        let context = RequestContext::of(parts)?;
        let configuration = context.configuration.clone()?;
        Ok(Self { configuration, ports: Arc::clone(&context.ports) })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.configuration.settings
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

    pub(crate) fn normalize(&self) -> Normalize {
        self.ports.normalize
    }

    pub(crate) fn service(&self) -> service::Context<'_> {
        service::Context {
            settings: &self.configuration.settings,
            tokens: &self.configuration.tokens,
            store: &self.ports.store,
            request: RequestInfo { now: self.ports.now, peer: &self.ports.peer, request_id: &self.ports.request_id },
            entropy: self.ports.entropy,
            await_hash_slot: self.ports.await_hash_slot,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Configured {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::of(parts)
    }
}

/// The caller, if there is one, of a route that takes either.
#[cfg_attr(not(feature = "campus"), expect(dead_code, reason = "only campus has routes that use it"))]
pub(crate) struct MaybeSignedIn(pub(crate) Option<Caller>);

impl<S: Sync> FromRequestParts<S> for MaybeSignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}

/// The caller, checked by the route's access rule. A route without one has no caller: a handler that
/// asks for one all the same is refused rather than trusted.
pub(crate) struct SignedIn(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get().cloned().map(Self).ok_or_else(|| Code::TokenInvalid.into())
    }
}
