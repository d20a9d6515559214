//! An account: its e-mail address and full name, and its import from another system.

pub mod email;
pub mod full_name;
pub mod import;
