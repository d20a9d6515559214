//! The settings of a deployment, parsed once. Either all of them are valid, or none is used except those that shape
//! responses (`Presentation`).
//!
//! One pass finds and names every invalid setting. It never repeats a value, because the value may be a secret in the
//! wrong variable. The caller chooses the source of the values.

mod factors;
mod federation;
mod mail;
mod pages;
mod reader;
mod registration;
mod tokens;
mod values;

use std::borrow::Cow;
use std::sync::Arc;

use crate::domain::breaker::Policy;
use crate::domain::limits::storage::MEGABYTE;
use crate::domain::password::MAX_LENGTH as MAX_PASSWORD_LENGTH;
use crate::domain::password::argon2id::Cost;
use crate::domain::password::work::{HashFunction, HashWork, MAX_ROUNDS, WEAK_ROUNDS};
use crate::domain::secret::Secret;
use crate::domain::secret_keys::{PreviousUse, SecretKeys};
use crate::domain::session::Lifetimes;
pub use crate::domain::settings::factors::FactorSettings;
pub use crate::domain::settings::federation::FederationSettings;
pub use crate::domain::settings::mail::{EmailVerification, MailSettings};
pub use crate::domain::settings::pages::PageSettings;
use crate::domain::settings::reader::Reader;
pub use crate::domain::settings::registration::RegistrationPolicy;
pub use crate::domain::settings::tokens::TokenSettings;
pub use crate::domain::settings::values::{AccessLog, CorsOrigins, LogClient, LogLevel};
use crate::domain::settings::values::{
    access_log, base_path, cors_origins, header_names, integer, line, log_client, log_level, operator_key, secret,
    switch,
};
use crate::domain::time::{DAY, MINUTE};

/// Milliseconds after which the circuit breaker's object counts as unreachable. A request waits at most for two such
/// timeouts and the database's own deadline.
pub const BREAKER_TIMEOUT_MS: i64 = 500;

/// The settings that shape responses. They are known even if other settings are invalid, so error responses too have
/// the right paths, headers and log level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// The origins that may call from a browser.
    pub cors_origins: CorsOrigins,
    /// Names of further request headers that those pages may send.
    pub cors_request_headers: Box<[String]>,
    /// The minimum severity of written log lines.
    pub log_level: LogLevel,
    /// The lines that each request leaves in the access log.
    pub access_log: AccessLog,
    /// The part of the client's address that log lines of refusals contain.
    pub log_client: LogClient,
    /// Title of the API description and realm of `WWW-Authenticate`.
    pub app_name: String,
    /// Path prefix of all routes: empty, or like `/api/v1`.
    pub base_path: String,
    /// The pages, and their look.
    pub pages: Box<PageSettings>,
}

impl Default for Presentation {
    fn default() -> Self {
        Self {
            cors_origins: CorsOrigins::Only(Vec::new()),
            cors_request_headers: Box::default(),
            log_level: LogLevel::Info,
            access_log: AccessLog::Both,
            log_client: LogClient::Network,
            app_name: "edge-auth".to_owned(),
            base_path: String::new(),
            pages: Box::default(),
        }
    }
}

/// The settings after validation.
#[derive(Debug)]
pub struct Settings {
    /// The keys that sign and verify tokens, and hash networks.
    pub secret_keys: SecretKeys,
    /// The credential of the operator's routes; without it they do not exist.
    pub operator_key: Option<Secret>,
    /// Thresholds and timeouts of the circuit breaker.
    pub breaker: Policy,
    /// The issuer, the audience and the signature of tokens.
    pub tokens: TokenSettings,
    /// The settings of mail; absent in a deployment that sends none.
    pub mail: Option<Arc<MailSettings>>,
    /// The settings of second factors.
    pub factors: FactorSettings,
    /// The providers that users can sign in with; absent in a deployment without any.
    pub federation: Option<Arc<FederationSettings>>,
    /// The lifetimes of tokens and sessions.
    pub lifetimes: Lifetimes,
    /// The function and cost of new password hashes.
    pub password_work: HashWork,
    /// Maximum cost of an imported hash, in rounds of PBKDF2-SHA256 that take as long.
    pub import_max_hash_cost: u32,
    /// Minimum length of a new password, in code points.
    pub password_min_length: usize,
    /// The deadline of the database, in milliseconds.
    pub d1_timeout_ms: u32,
    /// The size at which the database is full, in bytes.
    pub d1_size_limit_bytes: i64,
    /// Reads of sessions go to the nearest replica of the database.
    pub read_replication: bool,
    /// Enables the rate limits per client address. The throttle per account is independent of it.
    pub rate_limiting: bool,
    /// The registrations that are admitted.
    pub registration: RegistrationPolicy,
    /// Maximum registrations per client network and hour.
    pub registrations_per_hour: i64,
    /// Days after which audit events are deleted.
    pub audit_retention_days: i64,
    /// The settings that shape responses.
    pub presentation: Presentation,
}

/// Some settings are missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("missing or wrong settings: {}", names.join(", "))]
pub struct WrongSettings {
    /// The names of all missing or invalid settings.
    pub names: Vec<Cow<'static, str>>,
    /// The settings that shape responses; an invalid one has its default.
    pub presentation: Box<Presentation>,
}

impl Settings {
    /// Reads every setting through `lookup`, which returns `None` for an unset one.
    ///
    /// # Errors
    /// [`WrongSettings`] with the names of all missing or invalid settings.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, WrongSettings> {
        let mut reader = Reader { lookup, wrong: Vec::new() };
        let presentation = reader.presentation();
        match reader.settings(presentation.clone()) {
            Some(settings) if reader.wrong.is_empty() => Ok(settings),
            _ => Err(WrongSettings { names: reader.wrong, presentation: Box::new(presentation) }),
        }
    }

    /// The proof of its address that a registration asks for; none without mail.
    #[must_use]
    pub fn verification(&self) -> EmailVerification {
        self.mail.as_ref().map_or(EmailVerification::Off, |mail| mail.verification)
    }

    /// The rounds of new password hashes, if they are too few for production and need a warning.
    #[must_use]
    pub const fn weak_password_rounds(&self) -> Option<u32> {
        match self.password_work {
            HashWork::Pbkdf2Sha256 { rounds } if rounds < WEAK_ROUNDS => Some(rounds),
            HashWork::Pbkdf2Sha256 { .. } | HashWork::Argon2id(_) => None,
        }
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn presentation(&mut self) -> Presentation {
        let default = Presentation::default();
        let cors_origins = self.or("BACKEND_CORS_ORIGINS", Some(default.cors_origins.clone()), cors_origins);
        let request_headers = self.or("CORS_REQUEST_HEADERS", Some(Box::default()), header_names);
        let log_level = self.or("LOG_LEVEL", Some(default.log_level), log_level);
        let access_log = self.or("ACCESS_LOG", Some(default.access_log), access_log);
        let log_client = self.or("LOG_CLIENT", Some(default.log_client), log_client);
        let app_name = self.or("APP_NAME", Some(default.app_name.clone()), line);
        let base_path = self.or("BASE_PATH", Some(default.base_path.clone()), base_path);
        let pages = Box::new(self.pages());
        Presentation {
            pages,
            cors_origins: cors_origins.unwrap_or(default.cors_origins),
            cors_request_headers: request_headers.unwrap_or_default(),
            log_level: log_level.unwrap_or(default.log_level),
            access_log: access_log.unwrap_or(default.access_log),
            log_client: log_client.unwrap_or(default.log_client),
            app_name: app_name.unwrap_or(default.app_name),
            base_path: base_path.unwrap_or(default.base_path),
        }
    }

    fn settings(&mut self, presentation: Presentation) -> Option<Settings> {
        // Every setting is read before any `?`, so that all invalid ones are reported.
        let secret_keys = self.secret_keys();
        let operator_key = self.optional("OPERATOR_KEY", operator_key);
        let d1_timeout_ms = self.or("D1_TIMEOUT_MS", Some(5000), |text| integer(text, 1, 60_000));
        let d1_size_limit = self.or("D1_SIZE_LIMIT_MB", Some(10_000), |text| integer(text, 1, 1_000_000));
        let breaker = self.breaker(d1_timeout_ms);
        let tokens = self.tokens(&presentation.base_path);
        let public_url = tokens.as_ref().and_then(|tokens| tokens.public_url.clone());
        let mail = self.mail(public_url.as_deref(), &presentation.app_name);
        let factors = self.factors(public_url.as_deref(), &presentation.base_path);
        let federation = self.federation(public_url.as_deref(), &presentation.pages);
        let lifetimes = self.lifetimes();
        let password_work = self.password_work();
        let import_max_hash_cost = self.import_max_hash_cost(password_work);
        let read_replication = self.or("READ_REPLICATION", Some(false), switch);
        let rate_limiting = self.or("RATE_LIMITING", Some(true), switch);
        let registration = self.or("REGISTRATION", Some(RegistrationPolicy::Open), RegistrationPolicy::named);
        let registrations = self.or("REGISTRATIONS_PER_HOUR", Some(100), |text| integer(text, 1, 1_000_000));
        let audit_retention_days = self.or("AUDIT_RETENTION_DAYS", Some(90), |text| integer(text, 1, 3650));
        let max_length = i64::try_from(MAX_PASSWORD_LENGTH).ok()?;
        let min_length = self.or("PASSWORD_MIN_LENGTH", Some(8), |text| integer(text, 1, max_length));
        Some(Settings {
            secret_keys: secret_keys?,
            operator_key,
            breaker: breaker?,
            tokens: tokens?,
            mail,
            factors: factors?,
            federation,
            lifetimes: lifetimes?,
            password_work: password_work?,
            import_max_hash_cost: import_max_hash_cost?,
            password_min_length: usize::try_from(min_length?).ok()?,
            d1_timeout_ms: u32::try_from(d1_timeout_ms?).ok()?,
            d1_size_limit_bytes: d1_size_limit? * MEGABYTE,
            read_replication: read_replication?,
            rate_limiting: rate_limiting?,
            registration: registration?,
            registrations_per_hour: registrations?,
            audit_retention_days: audit_retention_days?,
            presentation,
        })
    }

    fn secret_keys(&mut self) -> Option<SecretKeys> {
        let current = self.required("SECRET_KEY", secret);
        let next = self.optional("SECRET_KEY_NEXT", secret);
        let previous = self.optional("SECRET_KEY_PREVIOUS", secret);
        let previous_use = self.or("SECRET_KEY_PREVIOUS_USE", Some(PreviousUse::All), PreviousUse::named);
        let keys = SecretKeys { current: current?, next, previous, previous_use: previous_use? };
        self.wrong.extend(keys.repeated().into_iter().map(Cow::Borrowed));
        Some(keys)
    }

    fn password_work(&mut self) -> Option<HashWork> {
        let function = self.or("PASSWORD_HASH", Some(HashFunction::Pbkdf2Sha256), HashFunction::named);
        let iterations = self.or("PASSWORD_ITERATIONS", Some(600_000), |text| integer(text, 1, i64::from(MAX_ROUNDS)));
        let rounds = u32::try_from(iterations?).ok()?;
        Some(match function? {
            HashFunction::Pbkdf2Sha256 => HashWork::Pbkdf2Sha256 { rounds },
            HashFunction::Argon2id => HashWork::Argon2id(Cost::RECOMMENDED),
        })
    }

    /// By default twice the work of a new hash.
    fn import_max_hash_cost(&mut self, password_work: Option<HashWork>) -> Option<u32> {
        // Another setting is wrong, if the work is unknown.
        let default = password_work.map_or(MAX_ROUNDS, |work| work.in_rounds().saturating_mul(2).min(MAX_ROUNDS));
        let cost =
            self.or("IMPORT_MAX_HASH_COST", Some(default.into()), |text| integer(text, 1, i64::from(MAX_ROUNDS)));
        u32::try_from(cost?).ok()
    }

    fn lifetimes(&mut self) -> Option<Lifetimes> {
        let access = self.or("ACCESS_TOKEN_EXPIRE_MINUTES", Some(15), |text| integer(text, 1, 7 * 24 * 60));
        let refresh = self.or("REFRESH_TOKEN_EXPIRE_DAYS", Some(7), |text| integer(text, 1, 365));
        let session = self.or("SESSION_MAX_DAYS", Some(30), |text| integer(text, 1, 3650));
        let reuse = self.or("REFRESH_REUSE_INTERVAL_SECONDS", Some(0), |text| integer(text, 0, 3600));
        Some(Lifetimes {
            access_seconds: access? * MINUTE,
            refresh_seconds: refresh? * DAY,
            session_seconds: session? * DAY,
            reuse_interval_seconds: reuse?,
        })
    }

    fn breaker(&mut self, d1_timeout_ms: Option<i64>) -> Option<Policy> {
        let threshold = self.or("BREAKER_FAILURE_THRESHOLD", Some(5), |text| integer(text, 1, 1000));
        let percent = self.or("BREAKER_FAILURE_PERCENT", Some(50), |text| integer(text, 1, 100));
        let window = self.or("BREAKER_FAILURE_WINDOW_SECONDS", Some(60), |text| integer(text, 1, 3600));
        let recovery = self.or("BREAKER_RECOVERY_TIMEOUT_SECONDS", Some(30), |text| integer(text, 1, 3600));
        let probes = self.or("BREAKER_HALF_OPEN_MAX_CALLS", Some(1), |text| integer(text, 1, 100));
        Some(Policy {
            failure_threshold: u32::try_from(threshold?).ok()?,
            failure_percent: u32::try_from(percent?).ok()?,
            failure_window_ms: window? * 1000,
            recovery_timeout_ms: recovery? * 1000,
            max_probes: u32::try_from(probes?).ok()?,
            // A probe asks for permission, calls the database, and reports the outcome.
            probe_timeout_ms: d1_timeout_ms? + 2 * BREAKER_TIMEOUT_MS,
        })
    }
}

#[cfg(test)]
mod tests;
