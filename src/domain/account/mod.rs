//! An account: its e-mail address and full name.

pub mod email;
pub mod full_name;
