//! # edge-auth
//!
//! An authentication service at the edge: Rust compiled to WebAssembly, running as a Cloudflare Worker,
//! with users and sessions in D1 (`SQLite`).
//!
//! Dependencies point downwards only, and all layers may use `domain`:
//!
//! ```text
//! shell     the Workers runtime: entry points, D1, static files, console     (the only one to name JavaScript)
//!   │
//! http      axum: THE table of routes, access rules, bodies, the error envelope
//!   │
//! service   the use cases: one read → one pure decision → one batch of writes
//!   │
//! store     SQL as constants, row structs, one function per question
//!   │
//! ports     interfaces to the outside: a database, its circuit breaker, static files, random bytes
//!
//! domain    the rules: password, token, session, circuit breaker, settings …    (pure: values in, decision out)
//! ```
//!
//! A request enters at [`shell::requests`] and becomes an `http` request. [`http::App::respond`] gives it an id, a span
//! and the headers of all responses. The access rule of its route verifies the access token, and reads the user and
//! the session in one statement. The handler calls one use case. Every error response, from any layer, has the
//! envelope of `http::kit::refusal`.
//!
//! Time and entropy are arguments: the shell takes one `now` per request. Everything below the shell therefore also
//! runs natively, where the tests drive the real router over the real migrations on `SQLite`.

pub mod domain;
pub mod http;
pub mod ports;
pub mod service;
pub mod shell;
pub mod store;
