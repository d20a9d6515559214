//! What the core asks of the world: a database, leave to call it, static files, limits, random bytes.
//!
//! Each port has two real implementations: the Workers runtime's in `shell`, and a native one in the
//! tests (`SQLite` itself, the breaker's machine, the file system). Time is no port: one `now` per request
//! is passed as a value.

mod db;
mod db_error;
mod gate;
mod named_sql;

pub use db::{Db, Rows, Statement, Value, query};
pub use db_error::DbError;
pub use gate::{BreakerReport, Gate, OutOfReach, Outcome, Pass, Probe, Refused};
pub use named_sql::NumberedSql;

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use crate::domain::limits::RateLimit;
use crate::domain::password::queue::HashQueueFull;

/// A boxed future that may move between threads: what lets `dyn` ports be used from axum handlers.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A static file could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("static file {path}: {cause}")]
pub struct AssetError {
    /// Which.
    pub path: &'static str,
    /// Why not.
    pub cause: String,
}

/// The content of a static file, in whatever form the adapter that opened it will recognise when it
/// writes the response. It travels as an `Arc` among the response's extensions.
pub struct AssetStream(pub Box<dyn Any + Send + Sync>);

/// The static files that are deployed with the service.
pub trait Assets: Send + Sync {
    /// Reads one file as text.
    fn text(&self, path: &'static str) -> PortFuture<'_, Result<String, AssetError>>;

    /// Opens one file, to be handed through without being looked at.
    fn stream(&self, path: &'static str) -> PortFuture<'_, Result<AssetStream, AssetError>>;
}

/// Counts requests by key, separately for each rate limit.
pub trait Limiter: Send + Sync {
    /// May one more come in? Counts it, if so. A limiter that cannot say lets everybody in: it protects the
    /// service, and must not be what takes it down.
    fn admit(&self, rate_limit: RateLimit, key: String) -> PortFuture<'_, bool>;
}

/// The machine gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random bytes")]
pub struct NoEntropy;

/// Fills a buffer with cryptographically strong random bytes.
pub type Entropy = fn(&mut [u8]) -> Result<(), NoEntropy>;

/// Waits until it is this request's turn to compute for long, which it must do before it waits for anything else. The
/// moment at which the request is judged stays the same: tokens are dated with it, guards compare with it.
pub type AwaitHashSlot = fn() -> PortFuture<'static, Result<(), HashQueueFull>>;
