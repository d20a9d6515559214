//! stub
pub mod domain;
pub mod http;
pub mod ports;
pub mod service;
pub mod store;
