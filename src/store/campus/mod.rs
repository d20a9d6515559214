//! Courses and enrolments. Without the feature `campus`, only the erasure of enrolments.

#[cfg(feature = "campus")]
pub mod course_deletion;
#[cfg(feature = "campus")]
pub mod course_lists;
#[cfg(feature = "campus")]
pub mod courses;
#[cfg(feature = "campus")]
pub mod deletion_marks;
#[cfg(feature = "campus")]
pub mod enrollments;
pub mod owned;
#[cfg(feature = "campus")]
pub mod resources;
