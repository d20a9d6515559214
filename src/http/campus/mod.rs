//! Courses and enrolments over HTTP.

pub(crate) mod courses;
