//! Use cases of courses and enrolments.

pub mod courses;
