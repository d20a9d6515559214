//! Entry points that the runtime calls.

use std::cell::OnceCell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use worker::js_sys::Promise;
use worker::js_sys::futures::future_to_promise;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{self, JsCast as _, JsValue};
use worker::{Context, Env, event, web_sys, worker_sys};

use crate::domain::limits::RateLimit;
use crate::domain::request_id::RequestId;
use crate::domain::settings::{Settings, WrongSettings};
use crate::http::{App, Ports, peer, request_id};
use crate::ports::NoEntropy;
use crate::service;
use crate::shell::assets::DeployedAssets;
use crate::shell::background::WaitUntil;
use crate::shell::clock::now;
use crate::shell::d1::D1;
use crate::shell::gate::BreakerGate;
use crate::shell::hash_queue::slot;
use crate::shell::limiter::BindingLimiter;
use crate::shell::logging::{JsonLayer, MinLevel};
use crate::shell::platform::Platform;
use crate::shell::unicode::normalize;
use crate::shell::{environment, wire};
use crate::store::Store;

pub(super) static MIN_LEVEL: MinLevel = MinLevel::new();

thread_local! {
    /// Built at the first request of an isolate; the environment is the same for all requests.
    static APP: OnceCell<Arc<App>> = const { OnceCell::new() };
}

/// Runs once per Wasm instance, before any request.
#[event(start)]
fn start() {
    let layer = JsonLayer::new(tracing_web::MakeWebConsoleWriter::new(), now, &MIN_LEVEL);
    tracing_subscriber::registry().with(layer).init();
    std::panic::set_hook(Box::new(|panic| {
        let cause = panic.to_string();
        tracing::error!(target: "app.errors", cause, "Panicked");
    }));
}

/// Answers one HTTP request, with a text from which platform.mjs makes a response, or with a response. No argument is a
/// string: its bytes would be copied into the memory of a crashed instance before a new one replaces it.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "JavaScript calls it")]
pub fn answer(request: web_sys::Request, env: Env, context: worker_sys::Context, platform: JsValue) -> Promise {
    let call = Call { request, env, context: Context::new(context), platform: platform.unchecked_into() };
    future_to_promise(AssertUnwindSafe(async move {
        let response = respond(call).await;
        wire::write(response).await.map_err(JsValue::from)
    }))
}

/// The arguments of the runtime for one request.
struct Call {
    request: web_sys::Request,
    env: Env,
    context: Context,
    platform: Platform,
}

async fn respond(call: Call) -> Response<Body> {
    let Call { request, env, context, platform } = call;
    let head = wire::read_head(&platform.head(&request));
    let request_id = request_id(&head.request, entropy);
    // entry.mjs needs the id if this instance crashes, because it then answers instead.
    platform.note(&request, request_id.as_str());
    let peer = peer(&head.request);
    let request = wire::read_body(head, &request, &platform).await;
    let app = APP.with(|app| Arc::clone(app.get_or_init(|| Arc::new(build(&env)))));
    // With wrong settings every request is refused before it can call the database, so the defaults are never used.
    let (d1_timeout_ms, policy) = app.settings().map(|settings| (settings.d1_timeout_ms, settings.breaker)).unzip();
    let background = Arc::new(WaitUntil::new(context));
    let gate = BreakerGate::new(&env, policy.unwrap_or_default(), request_id.clone(), background.clone());
    let d1 = D1::for_request(&env, &platform, d1_timeout_ms.unwrap_or_default());
    let ports = Ports {
        store: Store::new(Arc::new(d1), Arc::new(gate)),
        assets: Arc::new(DeployedAssets::new(&env)),
        entropy,
        background,
        await_hash_slot: slot,
        normalize,
        limiter: Arc::new(BindingLimiter::new(&env)),
        peer,
        request_id,
        now: now(),
        clock: now,
    };
    app.respond(ports, request).await
}

/// Cleans up, triggered by the cron schedule in wrangler.toml. Failures are only logged, and the next run continues
/// where this one stopped.
#[wasm_bindgen]
#[expect(unreachable_pub, reason = "JavaScript calls it")]
pub fn clean(env: Env, context: worker_sys::Context, platform: JsValue) -> Promise {
    future_to_promise(AssertUnwindSafe(async move {
        clean_up(&env, context, &platform.unchecked_into()).await;
        Ok(JsValue::UNDEFINED)
    }))
}

async fn clean_up(env: &Env, context: worker_sys::Context, platform: &Platform) {
    let mut bytes = [0; 16];
    // Without entropy the id is not unique, but the run still has its log lines.
    let _ = entropy(&mut bytes);
    let request_id = RequestId::from_random(bytes);
    let span = tracing::info_span!("scheduled", request_id = request_id.as_str());
    let app = APP.with(|app| Arc::clone(app.get_or_init(|| Arc::new(build(env)))));
    async {
        let Some(settings) = app.settings() else {
            tracing::error!(target: "app.clean_up", "Nothing was cleaned up: settings are missing or wrong");
            return;
        };
        let background = Arc::new(WaitUntil::new(Context::new(context)));
        let gate = BreakerGate::new(env, settings.breaker, request_id, background);
        let store = Store::new(Arc::new(D1::for_task(env, platform, settings.d1_timeout_ms)), Arc::new(gate));
        service::platform::clean_up::run(&store, now(), settings).await;
    }
    .instrument(span)
    .await;
}

fn build(env: &Env) -> App {
    let app = App::new(read_settings(env));
    MIN_LEVEL.set(app.presentation().log_level);
    if let Some(iterations) = app.settings().and_then(Settings::weak_password_rounds) {
        tracing::warn!(target: "app.settings", iterations, "PASSWORD_ITERATIONS is below 100000: for tests only");
    }
    app
}

/// Reads the settings and checks the required bindings. The error names every missing setting and binding.
fn read_settings(env: &Env) -> std::result::Result<Settings, WrongSettings> {
    let settings = Settings::read(|name| environment::text(env, name));
    let limiters = RateLimit::ALL.map(RateLimit::binding);
    // Limiter bindings are required only if rate limiting is on.
    let limiters = limiters.into_iter().filter(|_| settings.as_ref().is_ok_and(|settings| settings.rate_limiting));
    let bindings = ["DB", "ASSETS", "CIRCUIT_BREAKER"].into_iter().chain(limiters);
    let missing: Vec<&'static str> = bindings.filter(|name| !environment::has(env, name)).collect();
    match settings {
        Ok(settings) if missing.is_empty() => Ok(settings),
        Ok(settings) => Err(WrongSettings { names: missing, presentation: settings.presentation }),
        Err(WrongSettings { mut names, presentation }) => {
            names.extend(missing);
            Err(WrongSettings { names, presentation })
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place that draws random bytes")]
fn entropy(bytes: &mut [u8]) -> std::result::Result<(), NoEntropy> {
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}
