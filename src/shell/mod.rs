//! The Workers runtime: the only place that names JavaScript, the clock and entropy.
//!
//! Rust asks, and JavaScript does (`tasks.rs`). The adapters of the ports write their wants as text, which `entry.mjs` and
//! `platform.mjs` carry out. Only `entry.rs` and `unicode.rs` need WebAssembly. The shell makes no decisions.

pub mod archive;
pub mod assets;
pub mod background;
pub mod body;
pub mod breaker_object;
pub mod breaker_protocol;
pub mod clock;
pub mod d1;
#[cfg(target_arch = "wasm32")]
mod entry;
pub mod environment;
pub mod gate;
pub mod hash_queue;
pub mod limiter;
pub mod logging;
pub mod mail;
pub mod requests;
mod spans;
pub mod tasks;
#[cfg(target_arch = "wasm32")]
pub(crate) mod unicode;
pub mod web_crypto;
pub mod wire;
