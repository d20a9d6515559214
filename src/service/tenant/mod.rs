//! Use cases of universities and departments.

pub mod invitations;
pub mod universities;
