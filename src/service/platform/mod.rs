//! Use cases of operation: readiness, the circuit breaker, the clean-up.

pub mod clean_up;
pub mod heartbeat;
pub mod operations;
pub mod storage;
