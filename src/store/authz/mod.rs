//! Role grants, and the look-up of the resources that they apply to.

pub mod granting;
pub mod grants;
pub mod guard;
pub mod removal;
pub mod resources;
pub mod viewer;
