//! Courses and enrolments.

pub mod course_lists;
pub mod courses;
pub mod enrollments;
pub mod resources;
