//! The rules of the service: pure functions from values to a decision.
//!
//! Nothing here waits, reads a clock, draws random bytes or knows HTTP, SQL or Workers. Time and random
//! bytes are arguments, so a test of a rule is a call of a function.

pub mod account;
pub mod audit;
pub mod authz;
pub mod breaker;
#[cfg(feature = "campus")]
pub mod campus;
pub mod display_name;
pub mod event_keys;
pub mod factor;
pub mod fault;
pub mod federation;
pub mod ids;
pub mod json;
pub mod keys;
pub mod limits;
pub mod machine;
pub mod mail;
pub mod outbound;
pub mod password;
pub mod peer;
pub mod percent_encoding;
pub mod problem;
pub mod public_key;
pub mod ray;
pub mod replica;
pub mod request_id;
pub mod secret;
pub mod secret_keys;
pub mod session;
pub mod settings;
pub mod tenant;
pub mod time;
pub mod unicode;
