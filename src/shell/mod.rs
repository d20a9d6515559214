//! The Workers runtime: the only place that names `worker`, JavaScript, the clock and entropy.
//!
//! It adapts: a JavaScript request to an `http` one and back, D1 and the assets binding to the ports,
//! `tracing` to the console. It decides nothing.

pub mod logging;

#[cfg(target_arch = "wasm32")]
mod assets;
#[cfg(target_arch = "wasm32")]
mod d1;
#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod environment;
#[cfg(target_arch = "wasm32")]
pub(crate) mod unicode;
#[cfg(target_arch = "wasm32")]
mod wire;
