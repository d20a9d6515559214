//! Tenants: universities and departments.

pub mod label;
