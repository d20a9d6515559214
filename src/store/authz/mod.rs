//! Roles, and what they are about.

pub mod granting;
pub mod grants;
pub mod resources;
