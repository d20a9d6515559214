//! The rules of the service: values in, decision out.
//!
//! Nothing here waits, reads a clock, draws randomness or knows HTTP, SQL or Workers. Time and random
//! bytes come in as arguments, so that every rule can be tested by calling it.

pub mod account;
pub mod audit;
pub mod authz;
pub mod breaker;
#[cfg(feature = "campus")]
pub mod campus;
pub mod ids;
pub mod limits;
pub mod password;
pub mod peer;
pub mod problem;
pub mod request_id;
pub mod secret;
pub mod session;
pub mod settings;
pub mod tenant;
pub mod time;
pub mod unicode;
