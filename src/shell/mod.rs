//! The Workers runtime: the only place that names `worker`, JavaScript, the clock and entropy.
//!
//! It contains only adapters: JavaScript requests and responses to those of `http`, D1 and the assets binding to the
//! ports, `tracing` to the console. It makes no decisions.

pub mod breaker_protocol;
pub mod logging;

#[cfg(target_arch = "wasm32")]
mod assets;
#[cfg(target_arch = "wasm32")]
mod background;
#[cfg(target_arch = "wasm32")]
mod breaker_object;
#[cfg(target_arch = "wasm32")]
mod clock;
#[cfg(target_arch = "wasm32")]
mod d1;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod environment;
#[cfg(target_arch = "wasm32")]
mod gate;
#[cfg(target_arch = "wasm32")]
mod hash_queue;
#[cfg(target_arch = "wasm32")]
mod limiter;
#[cfg(target_arch = "wasm32")]
mod platform;
#[cfg(target_arch = "wasm32")]
pub(crate) mod unicode;
#[cfg(target_arch = "wasm32")]
mod wire;
