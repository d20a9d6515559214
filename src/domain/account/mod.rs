//! An account: its address and its name.

pub mod email;
pub mod full_name;
