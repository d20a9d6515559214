//! Use cases of universities and departments.

pub mod universities;
