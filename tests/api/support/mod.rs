//! The service, in process, as the tests drive it.

pub mod archive;
mod assets;
pub mod authenticator;
mod background;
pub mod browser;
pub mod change;
pub mod contract;
pub mod crypto;
pub mod factors;
pub mod federation;
mod form;
pub mod gate;
pub mod hash_queue;
pub mod identities;
pub mod import;
pub mod limiter;
mod lines;
pub mod machine;
pub mod mail;
pub mod mailbox;
pub mod passkey;
mod person;
pub mod provider;
mod reply;
pub mod sqlite;
pub mod totp;
pub mod watched_body;
pub mod world;

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use assets::PublicFolder;
use axum::body::Body;
use axum::http::{Method, Request};
use edge_auth::domain::breaker::Policy;
use edge_auth::domain::password::common::CommonPasswords;
use edge_auth::domain::settings::Settings;
use edge_auth::domain::time::Timestamp;
use edge_auth::domain::unicode::NormalForm;
use edge_auth::http::{App, Moment, Ports, peer, request_id};
use edge_auth::ports::{Archive, AssetStream, Carriers, Db, Gate, Limiter, MailBinding, NoEntropy, Outbound};
use edge_auth::shell::logging::{JsonLines, MinLevel};
use edge_auth::store::Store;
use gate::MachineGate;
use hash_queue::{await_hash_slot, leave_hash_slots};
use http_body_util::BodyExt as _;
use limiter::WindowLimiter;
use lines::Lines;
use mailbox::{Mailbox, Server};
use provider::Providers;
pub use reply::{Reply, Tokens};
use serde_json::{Value, json};
use sqlite::Sqlite;

pub const SECRET: &str = "5f2b8c91d3e64a7fb0c1d2e3f4a5b6c7";
pub const PASSWORD: &str = "correct horse battery staple";
pub const EMAIL: &str = "ada@example.com";
/// The clock at the start of every test.
pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

thread_local! {
    static NOW: Cell<Timestamp> = const { Cell::new(START) };
}

pub fn clock() -> Timestamp {
    NOW.get()
}

thread_local! {
    /// The state of a generator that replaces the entropy, if a test wants the same draws twice.
    static DRAWS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on the same values are drawn after each call with this seed.
pub fn draw_from(seed: u64) {
    DRAWS.set(Some(seed));
}

fn entropy(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    if let Some(mut state) = DRAWS.get() {
        for byte in bytes {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = (mixed ^ (mixed >> 27)).to_le_bytes()[3];
        }
        DRAWS.set(Some(state));
        return Ok(());
    }
    #[expect(clippy::disallowed_methods, reason = "the tests stand in for the shell")]
    getrandom::fill(bytes).map_err(|_| NoEntropy)
}

pub fn common_passwords() -> &'static CommonPasswords {
    static COMMON: OnceLock<CommonPasswords> = OnceLock::new();
    let file = include_bytes!("../../../src/domain/password/common_passwords.bin");
    COMMON.get_or_init(|| CommonPasswords::read(file).unwrap())
}

pub fn normalize(text: &str, form: NormalForm) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    match form {
        NormalForm::Nfc => text.nfc().collect(),
        NormalForm::Idna => idna::domain_to_ascii(text).unwrap_or_default(),
        NormalForm::Nfkc => text.nfkc().collect(),
        NormalForm::LowerCase => text.to_lowercase(),
    }
}

/// A service with a database of its own, in memory.
pub struct Service {
    app: App,
    pub db: Arc<Sqlite>,
    /// The port that the service uses: `db` itself, or a test's wrapper around it.
    port: Arc<dyn Db>,
    gate: Arc<MachineGate>,
    pub limiter: Arc<WindowLimiter>,
    pub mailbox: Arc<Mailbox>,
    pub server: Arc<Server>,
    /// The bucket of the audit archive; most tests have none.
    pub archive: Option<Arc<dyn Archive>>,
    logs: Lines,
    _logging: tracing::subscriber::DefaultGuard,
}

impl Service {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With default settings, but few rounds of hashing, and these on top.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let db = Arc::new(Sqlite::migrated());
        Self::on(Arc::clone(&db), db, settings)
    }

    /// On this database, reached through this port. An empty value unsets a setting.
    pub fn on(db: Arc<Sqlite>, port: Arc<dyn Db>, settings: &[(&str, &str)]) -> Self {
        NOW.set(START);
        leave_hash_slots(u32::MAX);
        let base = [("SECRET_KEY", SECRET), ("PASSWORD_ITERATIONS", "10"), ("RATE_LIMITING", "off")];
        let settings = Settings::read(|name| {
            let value = settings.iter().chain(&base).find(|(key, _)| *key == name)?.1;
            (!value.is_empty()).then(|| value.to_owned())
        });
        let min_level: &'static MinLevel = Box::leak(Box::default());
        let logs = Lines::default();
        let writer = logs.clone();
        let lines = JsonLines::new(move |_, line: &str| writer.push(line), clock, min_level);
        let logging = tracing::subscriber::set_default(lines);
        let policy = settings.as_ref().map_or_else(|_| Policy::default(), |settings| settings.breaker);
        let gate = Arc::new(MachineGate::new(policy));
        let app = App::new(settings);
        min_level.set(app.presentation().log_level);
        let (limiter, mailbox) = (Arc::default(), Arc::default());
        let server = Arc::new(Server { status: 200, requests: Arc::default(), providers: Providers::default() });
        Self { app, db, port, gate, limiter, mailbox, server, archive: None, logs, _logging: logging }
    }

    pub fn settings(&self) -> &Settings {
        self.app.settings().unwrap()
    }

    /// The circuit breaker in front of the database.
    pub fn gate(&self) -> Arc<dyn Gate> {
        self.gate.clone()
    }

    /// Advances the clock.
    #[expect(clippy::unused_self, reason = "the clock is the thread's: the service takes a plain function")]
    pub fn advance(&self, seconds: i64) {
        NOW.set(NOW.get().plus_seconds(seconds));
    }

    /// Sends a request as it is and checks the reply against `openapi.yaml`.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.app.respond(self.ports(&request), request).await;
        let (head, body) = response.into_parts();
        let stream = head.extensions.get::<Arc<AssetStream>>();
        let text = match stream.and_then(|stream| stream.0.downcast_ref::<Vec<u8>>()) {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        };
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let reply = Reply { status: head.status.as_u16(), headers: head.headers, text, body };
        let base_path = self.app.presentation().base_path.as_str();
        contract::check(&method, path.strip_prefix(base_path).unwrap_or_default(), &reply);
        reply
    }

    fn ports(&self, request: &Request<Body>) -> Ports {
        Ports {
            store: Store::new(Arc::clone(&self.port), self.gate.clone()),
            assets: Arc::new(PublicFolder),
            entropy,
            background: Arc::new(background::Immediate),
            await_hash_slot,
            normalize,
            common_passwords,
            limiter: Arc::clone(&self.limiter) as Arc<dyn Limiter>,
            signatures: Arc::new(crypto::NativeCrypto),
            encryption: Arc::new(crypto::NativeCrypto),
            archive: self.archive.clone(),
            carriers: Carriers {
                binding: Arc::clone(&self.mailbox) as Arc<dyn MailBinding>,
                outbound: Arc::clone(&self.server) as Arc<dyn Outbound>,
            },
            peer: peer(request),
            request_id: request_id(request, entropy),
            now: Moment::new(NOW.get()),
            clock,
        }
    }

    /// One run of the Cron Trigger for mail.
    pub async fn send_mails(&self) {
        self.app.send_mails(self.ports(&Request::new(Body::empty()))).await;
    }

    /// One run of the Cron Trigger.
    pub async fn tend(&self) {
        self.app.tend(self.ports(&Request::new(Body::empty()))).await;
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_as(&self, path: &str, access_token: &str) -> Reply {
        let request = Request::get(path).header("Authorization", format!("Bearer {access_token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, body.to_string()).await
    }

    /// Posts any bytes, declared as JSON.
    pub async fn post_text(&self, path: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(Method::POST).uri(path).header("Content-Type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Sends a request as a signed-in user, with a JSON body or none.
    pub async fn call(&self, method: &str, path: &str, access_token: &str, body: Option<&Value>) -> Reply {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("Authorization", format!("Bearer {access_token}"));
        let request = match body {
            None => request.body(Body::empty()),
            Some(body) => request.header("Content-Type", "application/json").body(Body::from(body.to_string())),
        };
        self.send(request.unwrap()).await
    }

    /// Posts as a client with this address.
    pub async fn post_from(&self, ip: &str, path: &str, body: &Value) -> Reply {
        let request = Request::post(path).header("Content-Type", "application/json").header("CF-Connecting-IP", ip);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn register(&self, email: &str) -> Tokens {
        let reply = self.post("/auth/register", &json!({"email": email, "password": PASSWORD})).await;
        reply.expect(201).tokens()
    }

    pub async fn login(&self, email: &str, password: &str) -> Reply {
        self.post("/auth/login", &json!({"email": email, "password": password})).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Reply {
        self.post("/auth/refresh", &json!({"refresh_token": refresh_token})).await
    }

    pub async fn logout(&self, refresh_token: &str) -> Reply {
        self.post("/auth/logout", &json!({"refresh_token": refresh_token})).await
    }

    pub async fn delete_account(&self, access_token: &str) {
        let body = json!({"password": PASSWORD});
        self.call("DELETE", "/users/me", access_token, Some(&body)).await.expect(204);
    }

    pub async fn me(&self, access_token: &str) -> Reply {
        self.get_as("/users/me", access_token).await
    }

    /// The lines logged so far, as they were written.
    pub fn log_lines(&self) -> Vec<String> {
        self.logs.all()
    }

    /// The lines logged so far with this message.
    pub fn logs(&self, message: &str) -> Vec<Value> {
        let lines = self.log_lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// Round trips to the database of the last request.
    pub fn last_d1_calls(&self) -> u64 {
        self.logs("Request finished").last().unwrap()["d1_calls"].as_u64().unwrap()
    }
}
