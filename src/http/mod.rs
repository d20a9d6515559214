//! HTTP: from a request to the use case and back.
//!
//! axum lives here. A handler reads its input, calls one use case and writes its output. Every refusal becomes the one
//! envelope in `kit::refusal`. Every response passes [`App::respond`], which adds the common headers and the log lines.

mod account;
mod authz;
#[cfg(feature = "campus")]
mod campus;
mod factor;
mod federation;
mod keys;
mod kit;
mod machine;
mod mail;
mod platform;
pub mod routes;
mod session;
mod tenant;

pub use kit::body::{BODY_DEADLINE_MS, BodyError, LINES_MEDIA_TYPE, MAX_BODY_BYTES, announced_length};
pub use kit::context::{Moment, Ports};
pub use kit::headers::REQUEST_ID;
pub use kit::protocol::ProtocolError;
pub use platform::pages::PAGES;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use tower::ServiceExt as _;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::domain::limits::throttle::HashKey;
use crate::domain::peer::Peer;
use crate::domain::ray::Ray;
use crate::domain::request_id::RequestId;
use crate::domain::session::authority::TokenAuthority;
use crate::domain::settings::{AccessLog, LogClient, Presentation, Settings, WrongSettings};
use crate::ports::{AssetStream, Entropy};
use crate::service::audit::archive;
use crate::service::authz::replica::NearestReplica;
use crate::service::factor::upkeep as factor_upkeep;
use crate::service::federation::cache::ProviderCache;
use crate::service::keys::upkeep;
use crate::service::machine::verified_keys::VerifiedKeys;
use crate::service::mail::outbox;
use crate::service::platform::storage::StorageWatch;
use crate::service::platform::{clean_up, heartbeat};
use kit::context::{Configuration, Configured, RequestContext};
use kit::{cors, headers, matched_path, oauth_error, refusal};
use platform::document;

/// The service of one deployment: built once per isolate.
pub struct App {
    configuration: Result<Arc<Configuration>, WrongSettings>,
    presentation: Presentation,
    storage: StorageWatch,
    router: Router,
    /// The same without CORS, for an OPTIONS request that asks for nothing of it.
    plain_router: Router,
}

impl App {
    /// Builds the service. With wrong settings it still answers: `CONFIGURATION_ERROR`, wherever a
    /// setting is needed.
    #[must_use]
    pub fn new(settings: Result<Settings, WrongSettings>) -> Self {
        let presentation = match &settings {
            Ok(settings) => settings.presentation.clone(),
            Err(wrong) => Presentation::clone(&wrong.presentation),
        };
        let configuration = settings.map(|settings| {
            let (issuers, audience) = (settings.tokens.issuers.clone(), &settings.tokens.audience);
            let tokens = TokenAuthority::new(&settings.secret_keys, issuers, audience);
            let throttle_key = HashKey::derive(&settings.secret_keys.current);
            let (keys, verified_keys, digests) = (Arc::default(), VerifiedKeys::default(), OnceLock::new());
            let (providers, replica) = (ProviderCache::default(), NearestReplica::default());
            Arc::new(Configuration { settings, tokens, keys, verified_keys, providers, replica, digests, throttle_key })
        });
        let plain_router = routes::router(&presentation);
        let router = cors::wrap(plain_router.clone(), &presentation);
        Self { configuration, presentation, storage: StorageWatch::default(), router, plain_router }
    }

    /// Answers one request: access log, routing, error envelope, common headers.
    pub async fn respond(&self, ports: Ports, mut request: Request) -> Response {
        let request_id = ports.request_id.clone();
        let span = request_span(&ports, self.presentation.log_client);
        let (method, path) = (request.method().clone(), loggable(request.uri().path()));
        let has_own_cors = path.contains(document::WELL_KNOWN);
        let is_plain = has_own_cors || cors::is_plain_options(&request);
        let router = if is_plain { &self.plain_router } else { &self.router };
        let is_oauth = oauth_error::is_used_at(&method, request.uri().path(), &self.presentation.base_path);
        let is_https = request.uri().scheme_str() == Some("https");
        let store = ports.store.clone();
        let (started, clock) = (ports.now.get(), ports.clock);
        request.extensions_mut().insert(RequestContext::new(self.configuration.clone(), ports));
        async {
            if self.presentation.access_log == AccessLog::Both {
                tracing::info!(target: "app.access", method = method.as_str(), path, "Request started");
            }
            let Ok(mut response) = router.clone().oneshot(request).await;
            refusal::render(&mut response, &request_id, &self.presentation.app_name, is_oauth);
            headers::add(&mut response, &request_id, is_https);
            if !is_plain {
                cors::allow_headers(&mut response, &self.presentation);
            }
            if method == Method::HEAD {
                *response.body_mut() = Body::empty();
                if response.extensions_mut().remove::<Arc<AssetStream>>().is_some() {
                    // The length of a streamed file is unknown here, and a wrong one is not allowed (RFC 9110 §8.6).
                    response.headers_mut().remove(CONTENT_LENGTH);
                }
            }
            tracing::info!(
                target: "app.access",
                method = method.as_str(),
                path,
                route = matched_path::route_of(&response),
                status_code = response.status().as_u16(),
                // Clocks at the edge stand still while code computes: this is time spent waiting.
                duration_ms = clock().millis() - started.millis(),
                d1_calls = store.calls(),
                near_d1_calls = (store.near_calls() > 0).then(|| store.near_calls()),
                do_calls = store.gate().calls(),
                "Request finished"
            );
            if let Some(settings) = self.settings() {
                self.storage.look(&store, settings, started);
            }
            response
        }
        .instrument(span)
        .await
    }

    /// One run of the Cron Trigger: the clean-up, the upkeep of the signing keys, and the audit archive.
    pub async fn tend(&self, ports: Ports) {
        let context = RequestContext::new(self.configuration.clone(), ports);
        match Configured::within(&context) {
            Ok(configured) => {
                let ctx = configured.service();
                clean_up::run(&ctx).await;
                upkeep::run(&ctx).await;
                archive::run(&ctx).await;
            }
            Err(_) => {
                tracing::error!(target: "app.clean_up", "Nothing was cleaned up: settings are missing or wrong");
            }
        }
    }

    /// One run of the Cron Trigger of each minute: the heartbeat, mails, and secrets under a new `SECRET_KEY`. With wrong
    /// settings there is none, which the other trigger reports.
    pub async fn send_mails(&self, ports: Ports) {
        let context = RequestContext::new(self.configuration.clone(), ports);
        if let Ok(configured) = Configured::within(&context) {
            let ctx = configured.service();
            heartbeat::beat(&ctx).await;
            outbox::run(&ctx).await;
            factor_upkeep::run(&ctx).await;
        }
    }

    /// The settings, unless any of them is missing or invalid.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.configuration.as_ref().ok().map(|configuration| &configuration.settings)
    }

    /// The settings that shape responses; known even if other settings are wrong.
    #[must_use]
    pub const fn presentation(&self) -> &Presentation {
        &self.presentation
    }
}

/// The span of a request. Its ids are in every log line; the other fields attribute a refusal, so `shell::logging` writes
/// them from WARNING on. `service::attribution` records the last four.
fn request_span(ports: &Ports, client: LogClient) -> Span {
    let (network, address) = match client {
        LogClient::Network => (ports.peer.network_bits(), None),
        LogClient::Address => (None, ports.peer.address_bits()),
        LogClient::None => (None, None),
    };
    tracing::info_span!(
        "request",
        request_id = ports.request_id.as_str(),
        ray = ports.request_id.ray(),
        network,
        address,
        user_id = Empty,
        session_id = Empty,
        api_key_id = Empty,
        kid = Empty,
    )
}

/// A path as it may be logged: without segments that look like addresses or tokens, which clients put into paths by
/// mistake.
fn loggable(path: &str) -> String {
    const MAX_SEGMENT: usize = 64;
    const MAX_PATH: usize = 256;
    let is_private = |segment: &str| segment.len() > MAX_SEGMENT || segment.contains('@') || segment.contains("%40");
    let segments = path.split('/').map(|segment| if is_private(segment) { "[redacted]" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    // Every path is ASCII: a URL has everything else percent-encoded.
    if path.len() > MAX_PATH { "[redacted]".to_owned() } else { path }
}

/// The client of a request, as the edge reports it.
#[must_use]
pub fn peer<B>(request: &axum::http::Request<B>) -> Peer {
    let header = |name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Peer::new(header(headers::CONNECTING_IP).as_deref(), header(headers::USER_AGENT).as_deref())
}

/// The request id that the client sent, if it is well-formed; otherwise a new one. With the edge's id of the request.
#[must_use]
pub fn request_id<B>(request: &axum::http::Request<B>, entropy: Entropy) -> RequestId {
    let brought = request.headers().get(headers::REQUEST_ID).and_then(|value| value.to_str().ok());
    let ray = request.headers().get(headers::RAY).and_then(|value| Ray::parse(value.as_bytes()));
    let request_id = brought.and_then(RequestId::parse).unwrap_or_else(|| {
        let mut bytes = [0; 16];
        // Without entropy the id is not unique, but the request still gets its answer and its log lines.
        let _ = entropy(&mut bytes);
        RequestId::from_random(bytes)
    });
    request_id.with_ray(ray)
}
