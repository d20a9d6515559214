//! Universities and departments.

pub mod departments;
pub mod universities;
