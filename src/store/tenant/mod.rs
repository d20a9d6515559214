//! Universities, departments, and invitations to roles in them.

pub mod departments;
pub mod invitations;
pub mod inviting;
pub mod universities;
