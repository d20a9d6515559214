//! The rules of the service: values in, decision out.
//!
//! Nothing here waits, reads a clock, draws randomness or knows HTTP, SQL or Workers. Time and random
//! bytes come in as arguments, so that every rule can be tested by calling it.

pub mod argon2id;
pub mod audit;
pub mod breaker;
pub mod breaker_copy;
pub mod client;
pub mod common_password;
pub mod email;
pub mod equal_work;
pub mod full_name;
pub mod hash_work;
pub mod ids;
pub mod label;
pub mod limits;
pub mod password;
pub mod password_hash;
pub mod pbkdf2;
pub mod problem;
pub mod rbac;
pub mod request_id;
pub mod role;
pub mod secret;
pub mod session;
mod setting_values;
pub mod settings;
pub mod throttle;
pub mod time;
pub mod token;
pub mod turns;
pub mod unicode;
