//! Interfaces to the outside: the database, its circuit breaker, static files, rate limits, cryptography, mail, other
//! servers, random bytes.
//!
//! Each port has two real implementations: one in `shell` for the Workers runtime, and a native one in the tests. The
//! latter use `SQLite` itself, the breaker's state machine and the file system. Time is not a port: one `now` per
//! request is passed as a value.

mod crypto;
mod db;
mod db_error;
mod gate;
mod mail;
mod named_sql;
mod row;

pub use crypto::{CryptoError, Encryption, Seal, Signatures};
pub use db::{Db, NearRows, Rows, Statement, Value, query};
pub use db_error::{DbError, DbErrorKind};
pub use gate::{BreakerReport, Gate, OutOfReach, Outcome, Pass, Probe, Refused};
pub use mail::{BindingError, Carriers, MailBinding, NoResponse, Outbound};
pub use named_sql::NumberedSql;

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use crate::domain::limits::Counter;
use crate::domain::password::queue::HashQueueFull;

/// A boxed `Send` future, so that axum handlers can call `dyn` ports.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A static file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("static file {path}: {cause}")]
pub struct AssetError {
    /// The path below the assets binding.
    pub path: &'static str,
    /// The reason, for the log.
    pub cause: String,
}

/// The content of a static file, in a form that only its adapter knows. The adapter recognises it when it writes the
/// response. It is passed as an `Arc` in the response's extensions.
pub struct AssetStream(pub Box<dyn Any + Send + Sync>);

/// The static files that are deployed with the service.
pub trait Assets: Send + Sync {
    /// Reads one file as text.
    fn text(&self, path: &'static str) -> PortFuture<'_, Result<String, AssetError>>;

    /// Opens one file, to be streamed to the client without being read.
    fn stream(&self, path: &'static str) -> PortFuture<'_, Result<AssetStream, AssetError>>;
}

/// Counts requests by key, separately for each rate-limit binding.
pub trait Limiter: Send + Sync {
    /// Counts one request at these counters in turn, until one is over its limit, and says whether none is. A limiter
    /// that fails admits every request (fail open): it protects the service, and must not take it down.
    fn admit(&self, counters: Vec<Counter>) -> PortFuture<'_, bool>;
}

/// The runtime did not provide random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub struct NoEntropy;

/// Fills a buffer with cryptographically strong random bytes.
pub type Entropy = fn(&mut [u8]) -> Result<(), NoEntropy>;

/// Waits for a slot of the hash queue, which is fair between client networks. The request must hash before its next await. Its `now` stays the same, for the
/// dates of tokens and the guards of statements.
pub type AwaitHashSlot = fn(String) -> PortFuture<'static, Result<(), HashQueueFull>>;

/// Tasks that run behind the response. The runtime keeps a request alive until they end, within its own limits; nothing
/// waits for them, so a task logs its failures itself.
pub trait Background: Send + Sync {
    /// Starts a task, and returns at once.
    fn spawn(&self, task: PortFuture<'static, ()>);

    /// Starts a task only when the response is made, so that the work of the task does not delay it.
    fn spawn_behind_response(&self, task: PortFuture<'static, ()>);
}
