//! The work for the runtime: answers to HTTP requests, and the clean-up. Both are tasks.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use tracing::Instrument as _;

use crate::domain::limits;
use crate::domain::mail::provider::Provider;
use crate::domain::password::common::FindCommonPasswords;
use crate::domain::peer::Peer;
use crate::domain::request_id::RequestId;
use crate::domain::settings::{Settings, WrongSettings};
use crate::domain::unicode::Normalize;
use crate::http::{App, Moment, Ports, peer, request_id};
use crate::ports::{Archive, Carriers, Entropy};
use crate::shell::archive::Bucket;
use crate::shell::assets::DeployedAssets;
use crate::shell::background::RequestTasks;
use crate::shell::clock::now;
use crate::shell::d1::D1;
use crate::shell::environment::Environment;
use crate::shell::gate::BreakerGate;
use crate::shell::hash_queue::slot;
use crate::shell::limiter::BindingLimiter;
use crate::shell::logging::MinLevel;
use crate::shell::mail::{EmailBinding, Fetch};
use crate::shell::web_crypto::WebCrypto;
use crate::shell::{tasks, wire};
use crate::store::Store;

/// The minimum severity of log lines; the settings have it.
pub static MIN_LEVEL: MinLevel = MinLevel::new();

thread_local! {
    static ENVIRONMENT: RefCell<Environment> = RefCell::default();
    /// Built at the first request; the environment is the same for all requests.
    static APP: OnceCell<Arc<App>> = const { OnceCell::new() };
}

/// The functions of the runtime that the core calls within a turn.
#[derive(Clone, Copy)]
pub struct Functions {
    /// Draws random bytes from the runtime.
    pub entropy: Entropy,
    /// Normalises Unicode with the tables of the runtime.
    pub normalize: Normalize,
    /// Returns the filter of common passwords.
    pub common_passwords: FindCommonPasswords,
}

/// Takes the environment, before any other call. Text that is no environment counts as an empty one.
pub fn configure(environment: &str) {
    let environment: Environment = serde_json::from_str(environment).unwrap_or_default();
    let settings = parsed(&environment);
    let presentation = settings.map_or_else(|wrong| *wrong.presentation, |settings| settings.presentation);
    MIN_LEVEL.set(presentation.log_level);
    ENVIRONMENT.set(environment);
}

/// The settings, unless any of them is missing or wrong.
#[must_use]
pub fn settings() -> Option<Settings> {
    ENVIRONMENT.with_borrow(parsed).ok()
}

/// Starts to answer a request with this head, in the format of platform.mjs.
pub fn answer(head: &str, functions: Functions) {
    let head = wire::read_head(head);
    let request_id = request_id(&head.request, functions.entropy);
    tasks::note_request_id(request_id.as_str());
    tasks::start(async move {
        let response = respond(head, request_id, functions).await;
        tasks::respond(wire::write(response).await);
    });
}

async fn respond(head: wire::Head, request_id: RequestId, functions: Functions) -> Response<Body> {
    let peer = peer(&head.request);
    let request = head.with_body();
    let app = app();
    let ports = ports(&app, peer, request_id, functions, D1::for_request);
    app.respond(ports, request).await
}

/// The ports of one event.
fn ports(app: &App, peer: Peer, request_id: RequestId, functions: Functions, d1: fn(u32, Entropy) -> D1) -> Ports {
    // With wrong settings every event ends before it can call the database, so the defaults are never used.
    let (d1_timeout_ms, policy) = app.settings().map(|settings| (settings.d1_timeout_ms, settings.breaker)).unzip();
    let background = Arc::new(RequestTasks(request_id.clone()));
    let gate = BreakerGate::new(policy.unwrap_or_default(), request_id.clone(), background.clone(), functions.entropy);
    let is_replicated = app.settings().is_some_and(|settings| settings.read_replication);
    let d1 = d1(d1_timeout_ms.unwrap_or_default(), functions.entropy).replicated(is_replicated);
    let has_archive = ENVIRONMENT.with_borrow(|environment| environment.has("ARCHIVE"));
    Ports {
        store: Store::new(Arc::new(d1), Arc::new(gate)),
        assets: Arc::new(DeployedAssets),
        entropy: functions.entropy,
        background,
        await_hash_slot: slot,
        normalize: functions.normalize,
        common_passwords: functions.common_passwords,
        limiter: Arc::new(BindingLimiter),
        signatures: Arc::new(WebCrypto),
        encryption: Arc::new(WebCrypto),
        archive: has_archive.then(|| Arc::new(Bucket) as Arc<dyn Archive>),
        carriers: Carriers { binding: Arc::new(EmailBinding), outbound: Arc::new(Fetch) },
        peer,
        request_id,
        now: Moment::new(now()),
        clock: now,
    }
}

/// A Cron Trigger in wrangler.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The clean-up, the upkeep of the signing keys, and the audit archive.
    Upkeep,
    /// The mails that are due.
    Mail,
}

/// Starts a run of a Cron Trigger. Failures are only logged, and the next run continues where this one stopped. The empty
/// response says that it is over.
pub fn run_trigger(trigger: Trigger, functions: Functions) {
    let mut bytes = [0; 16];
    // Without entropy the id is not unique, but the run still has its log lines.
    let _ = (functions.entropy)(&mut bytes);
    let request_id = RequestId::from_random(bytes);
    tasks::note_request_id(request_id.as_str());
    let span = tracing::info_span!("scheduled", request_id = request_id.as_str());
    let run = async move {
        let app = app();
        let ports = ports(&app, Peer::new(None, None), request_id, functions, D1::for_task);
        match trigger {
            Trigger::Upkeep => app.tend(ports).await,
            Trigger::Mail => app.send_mails(ports).await,
        }
    };
    tasks::start(async move {
        run.instrument(span).await;
        tasks::respond("R204\ncache-control: no-store\n\n".to_owned());
    });
}

fn app() -> Arc<App> {
    APP.with(|app| Arc::clone(app.get_or_init(|| Arc::new(build()))))
}

fn build() -> App {
    let app = App::new(ENVIRONMENT.with_borrow(read_settings));
    if let Some(iterations) = app.settings().and_then(Settings::weak_password_rounds) {
        tracing::warn!(target: "app.settings", iterations, "PASSWORD_ITERATIONS is below 100000: for tests only");
    }
    app
}

/// One function, so that the parser is compiled once.
fn parsed(environment: &Environment) -> Result<Settings, WrongSettings> {
    Settings::read(|name| environment.text(name))
}

/// Reads the settings and checks the required bindings. The error names every missing setting and binding.
fn read_settings(environment: &Environment) -> Result<Settings, WrongSettings> {
    let settings = parsed(environment);
    // Limiter bindings are required only if rate limiting is on.
    let limiters = limits::bindings().filter(|_| settings.as_ref().is_ok_and(|settings| settings.rate_limiting));
    let mail = settings.as_ref().ok().and_then(|settings| settings.mail.as_deref());
    let email = mail.filter(|mail| mail.provider == Provider::Binding).map(|_| "EMAIL");
    let bindings = ["DB", "ASSETS", "CIRCUIT_BREAKER"].into_iter().chain(email).chain(limiters);
    let missing: Vec<_> = bindings.filter(|name| !environment.has(name)).map(Cow::Borrowed).collect();
    match settings {
        Ok(settings) if missing.is_empty() => Ok(settings),
        Ok(settings) => Err(WrongSettings { names: missing, presentation: Box::new(settings.presentation) }),
        Err(WrongSettings { mut names, presentation }) => {
            names.extend(missing);
            Err(WrongSettings { names, presentation })
        }
    }
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
